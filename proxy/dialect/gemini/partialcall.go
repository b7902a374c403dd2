package gemini

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// maxPathSteps bounds how deep an argument in pieces may lie.
const maxPathSteps = 64

// errPath is the problem of an argument in pieces whose place makes no sense.
var errPath = errors.New("it has a part of a tool call's arguments at an impossible place")

// partialCall collects a call. Vertex AI can stream the arguments: pieces of values with their place as a JSON path.
type partialCall struct {
	name string
	// args is the object as it came whole; nil when it did not.
	args []byte
	// root is made of pieces; nil when there were none.
	root map[string]any
	// path of the text that goes on; empty when none does.
	path string
}

// piece is a PartialArg.
type piece struct {
	Path      string          `json:"jsonPath"`
	SnakePath string          `json:"json_path"`
	Bool      *bool           `json:"boolValue"`
	Number    json.Number     `json:"numberValue"`
	Text      *string         `json:"stringValue"`
	Null      json.RawMessage `json:"nullValue"`
	Continues bool            `json:"willContinue"`
}

// growing is a text that comes in pieces.
type growing struct{ text []byte }

// MarshalJSON writes the text.
func (g *growing) MarshalJSON() ([]byte, error) { return json.Marshal(string(g.text)) }

// add takes in what a chunk has of the call.
func (p *partialCall) add(c *call) error {
	if c.args != nil {
		p.args = append(p.args[:0], c.args...)
	}
	if c.partial == nil {
		return nil
	}
	var pieces []piece
	if json.Unmarshal(c.partial, &pieces) != nil {
		return errPath
	}
	for i := range pieces {
		if err := p.put(&pieces[i]); err != nil {
			return err
		}
	}
	return nil
}

// put takes in one piece.
func (p *partialCall) put(s *piece) error {
	path := s.Path + s.SnakePath
	steps, ok := pathSteps(path)
	if !ok {
		return errPath
	}
	if p.root == nil {
		p.root = map[string]any{}
	}
	goesOn := p.path == path
	p.path = ""
	if s.Text != nil && s.Continues {
		p.path = path
	}
	placed, ok := assign(p.root, steps, func(old any) any {
		if s.Text == nil {
			return s.value()
		}
		if text, ok := old.(*growing); ok && goesOn {
			text.text = append(text.text, *s.Text...)
			return text
		}
		return &growing{text: []byte(*s.Text)}
	})
	if root, isObject := placed.(map[string]any); ok && isObject {
		p.root = root
		return nil
	}
	return errPath
}

// value of a piece that is no text.
func (s *piece) value() any {
	switch {
	case s.Bool != nil:
		return *s.Bool
	case s.Number != "":
		return s.Number
	}
	return nil
}

// assign returns node with what set makes of the value at the end of the steps. An index is at most one behind the end of its array.
func assign(node any, steps []string, set func(old any) any) (any, bool) {
	if len(steps) == 0 {
		return set(node), true
	}
	step, rest := steps[0], steps[1:]
	if name, ok := strings.CutPrefix(step, "."); ok {
		object, isObject := node.(map[string]any)
		if node != nil && !isObject {
			return nil, false
		}
		if object == nil {
			object = map[string]any{}
		}
		child, ok := assign(object[name], rest, set)
		object[name] = child
		return object, ok
	}
	index, err := strconv.Atoi(step)
	array, isArray := node.([]any)
	if err != nil || node != nil && !isArray || index < 0 || index > len(array) {
		return nil, false
	}
	if index == len(array) {
		array = append(array, nil)
	}
	child, ok := assign(array[index], rest, set)
	array[index] = child
	return array, ok
}

// pathSteps takes a JSON path such as $.a['b c'][0] apart: names with a point before them, and indexes.
func pathSteps(path string) ([]string, bool) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok || rest == "" {
		return nil, false
	}
	var steps []string
	for rest != "" {
		if len(steps) == maxPathSteps {
			return nil, false
		}
		var step string
		if step, rest, ok = pathStep(rest); !ok {
			return nil, false
		}
		steps = append(steps, step)
	}
	return steps, true
}

// pathStep cuts the first step off a path that is not empty.
func pathStep(path string) (step, rest string, ok bool) {
	if path[0] == '.' {
		end := strings.IndexAny(path[1:], ".[")
		if end < 0 {
			end = len(path) - 1
		}
		return path[:end+1], path[end+1:], end > 0
	}
	if path[0] != '[' || len(path) < len("[0]") {
		return "", "", false
	}
	if quote := path[1]; quote == '\'' || quote == '"' {
		name, rest, ok := strings.Cut(path[2:], string(quote)+"]")
		return "." + name, rest, ok
	}
	index, rest, ok := strings.Cut(path[1:], "]")
	return index, rest, ok
}

// arguments is the JSON text of all that came.
func (p *partialCall) arguments() string {
	if p.root == nil {
		if p.args == nil {
			return "{}"
		}
		return string(p.args)
	}
	written, err := json.Marshal(p.root)
	if err != nil {
		return "{}"
	}
	return string(written)
}
