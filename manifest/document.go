package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// document is one YAML document of a file.
type document struct {
	file string
	// before counts the lines of the file that come before the document.
	before int
	text   []byte
}

// split cuts a file into its documents, as kubectl does: at lines that begin with "---".
func split(source Source) []document {
	var documents []document
	start, before := 0, 0
	line := 0
	for at := 0; at < len(source.Content); {
		end := len(source.Content)
		if newline := bytes.IndexByte(source.Content[at:], '\n'); newline >= 0 {
			end = at + newline + 1
		}
		line++
		if isSeparator(source.Content[at:end]) {
			documents = append(documents, document{file: source.Name, before: before, text: source.Content[start:at]})
			start, before = end, line
		}
		at = end
	}
	return append(documents, document{file: source.Name, before: before, text: source.Content[start:]})
}

// isSeparator tells a line of "---", which may have a comment, from one that merely begins so.
func isSeparator(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte("---"))
	if !found {
		return false
	}
	rest = bytes.TrimSpace(rest)
	return len(rest) == 0 || rest[0] == '#'
}

// parsed is a document's value and where its parts are.
type parsed struct {
	value any
	node  *yamlv3.Node
}

// parse reads a document. It returns nil for one that holds nothing.
func (d document) parse() (*parsed, *Problem) {
	decoder := yamlv3.NewDecoder(bytes.NewReader(d.text))
	var root, next yamlv3.Node
	if err := decoder.Decode(&root); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, d.syntaxError(err)
	}
	if err := decoder.Decode(&next); err == nil {
		problem := d.problem(next.Line, "a document begins here that would not be read; put --- on a line of its own")
		return nil, &problem
	} else if !errors.Is(err, io.EOF) {
		return nil, d.syntaxError(err)
	}
	if len(root.Content) == 0 {
		return nil, nil
	}
	node := root.Content[0]
	if twice := duplicateKey(node); twice != nil {
		problem := d.problem(twice.Line, fmt.Sprintf("key %q is there twice", twice.Value))
		return nil, &problem
	}
	text, err := yaml.YAMLToJSON(d.text)
	if err != nil {
		return nil, d.syntaxError(err)
	}
	var value any
	if err := utiljson.Unmarshal(text, &value); err != nil {
		problem := d.problem(node.Line, "it cannot be expressed as JSON")
		return nil, &problem
	}
	if value == nil {
		return nil, nil
	}
	return &parsed{value: value, node: node}, nil
}

func (d document) problem(line int, message string) Problem {
	return Problem{Position: Position{File: d.file, Line: d.before + line}, Severity: Error, Message: message}
}

// syntaxError moves the line that a parser names, which counts from the document's start, into the problem's position. The text of the error is that
// of the parser, which quotes no values but in errors about types, and those cannot occur here.
func (d document) syntaxError(err error) *Problem {
	line, message := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	message = strings.TrimPrefix(message, "error converting YAML to JSON: yaml: ")
	named := regexp.MustCompile(`^line (\d+): `)
	if match := named.FindStringSubmatch(message); match != nil {
		if number, err := strconv.Atoi(match[1]); err == nil {
			line = number
		}
		message = strings.TrimPrefix(message, match[0])
	}
	problem := d.problem(line, "it is not YAML: "+message)
	return &problem
}

// duplicateKey finds a key that a mapping has twice; the API server refuses it and other parsers take the last.
func duplicateKey(node *yamlv3.Node) *yamlv3.Node {
	if node.Kind == yamlv3.MappingNode {
		seen := map[string]struct{}{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if _, twice := seen[key.Value]; twice && key.Tag != "!!merge" {
				return key
			}
			seen[key.Value] = struct{}{}
		}
	}
	for _, child := range node.Content {
		if twice := duplicateKey(child); twice != nil {
			return twice
		}
	}
	return nil
}
