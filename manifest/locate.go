package manifest

import (
	"strconv"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// maxAliases bounds how many aliases in a row are followed.
const maxAliases = 16

// lineOf returns the line of the field at a path such as spec.targets[0].weight, or of the nearest thing around it that is there.
func lineOf(node *yamlv3.Node, path string) int {
	line := node.Line
	for _, step := range steps(path) {
		node = resolve(node)
		var next *yamlv3.Node
		switch node.Kind {
		case yamlv3.MappingNode:
			var key *yamlv3.Node
			key, next = member(node, step)
			if key != nil {
				line = key.Line
			}
		case yamlv3.SequenceNode:
			if index, err := strconv.Atoi(step); err == nil && index >= 0 && index < len(node.Content) {
				next = node.Content[index]
				line = next.Line
			}
		case yamlv3.DocumentNode, yamlv3.ScalarNode, yamlv3.AliasNode:
		}
		if next == nil {
			return line
		}
		node = next
	}
	return line
}

// steps cuts a path into keys and indices: a.b[0][key.with.dots].c.
func steps(path string) []string {
	var list []string
	for path != "" {
		var step string
		if rest, bracket := strings.CutPrefix(path, "["); bracket {
			step, path, _ = strings.Cut(rest, "]")
			step = strings.Trim(step, `"`)
		} else if end := strings.IndexAny(path, ".["); end >= 0 {
			step, path = path[:end], path[end:]
		} else {
			step, path = path, ""
		}
		path = strings.TrimPrefix(path, ".")
		list = append(list, step)
	}
	return list
}

func member(node *yamlv3.Node, name string) (key, value *yamlv3.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

func resolve(node *yamlv3.Node) *yamlv3.Node {
	for range maxAliases {
		if node.Kind != yamlv3.AliasNode || node.Alias == nil {
			return node
		}
		node = node.Alias
	}
	return node
}
