package responses

import (
	"encoding/json"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wireTool is a function that the model may call.
type wireTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters"`
	Strict      *bool           `json:"strict"`
}

// toolMembers are the members of a function that the neutral form has a place for. A function with others is kept as it is.
var toolMembers = []string{"type", "name", "description", "parameters", "strict"}

// toolName is a tool as a choice names it.
type toolName struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// wireChoice is a choice of tools in an object.
type wireChoice struct {
	Type  string            `json:"type"`
	Name  string            `json:"name,omitempty"`
	Mode  string            `json:"mode,omitempty"`
	Tools []json.RawMessage `json:"tools,omitempty"`
}

func readTools(r *neutral.Request, w *wireRequest) error {
	extra := toolExtra{places: map[string]int{}}
	for i, raw := range w.Tools {
		path := "tools[" + strconv.Itoa(i) + "]"
		if !isObject(raw) {
			return wrongType(path, "an object")
		}
		var tool wireTool
		if err := dialect.Decode(raw, path, &tool); err != nil {
			return err
		}
		if tool.Type == "" {
			return invalid(path+".type", "is missing")
		}
		if tool.Type != "function" {
			r.Tools = append(r.Tools, neutral.Tool{Type: tool.Type, Raw: raw})
			continue
		}
		if tool.Name == "" {
			return invalid(path+".name", "is missing")
		}
		read := neutral.Tool{Name: tool.Name, Description: tool.Description, Strict: tool.Strict}
		if !isNull(tool.Parameters) {
			read.Parameters = tool.Parameters
		}
		r.Tools = append(r.Tools, read)
		extra.add(i, dialect.ExtraMembers(raw, toolMembers))
	}
	r.Extra = append(r.Extra, extra.members...)
	return nil
}

// toolExtra collects the members of functions that the neutral form has no place for: under each name, the values by the function's index.
type toolExtra struct {
	members []neutral.Member
	places  map[string]int
}

func (e *toolExtra) add(index int, members []neutral.Member) {
	for _, member := range members {
		name := "tools." + member.Name
		place, found := e.places[name]
		if !found {
			place = len(e.members)
			e.places[name] = place
			e.members = append(e.members, neutral.Member{Name: name, Value: json.RawMessage("{}")})
		}
		value := neutral.Member{Name: strconv.Itoa(index), Value: member.Value}
		if at := &e.members[place].Value; len(*at) > len("{}") {
			*at = withMembers(*at, []neutral.Member{value})
		} else {
			*at = objectOf([]neutral.Member{value})
		}
	}
}

// byTool are the members that toolExtra collected, by the function's index.
func byTool(extra []neutral.Member) map[string][]neutral.Member {
	tools := map[string][]neutral.Member{}
	for _, member := range extra {
		name, ok := strings.CutPrefix(member.Name, "tools.")
		values := map[string]json.RawMessage{}
		if !ok || json.Unmarshal(member.Value, &values) != nil {
			continue
		}
		for index, value := range values {
			tools[index] = append(tools[index], neutral.Member{Name: name, Value: value})
		}
	}
	return tools
}

func readToolChoice(r *neutral.Request, w *wireRequest) error {
	if isNull(w.ToolChoice) {
		return nil
	}
	if isString(w.ToolChoice) {
		switch mode := neutral.ToolMode(unquoted(w.ToolChoice)); mode {
		case neutral.ToolAuto, neutral.ToolNone, neutral.ToolRequired:
			r.ToolChoice.Mode = mode
			return nil
		default:
			return invalid("tool_choice", "must be auto, none, required or an object")
		}
	}
	if !isObject(w.ToolChoice) {
		return wrongType("tool_choice", "a string or an object")
	}
	var choice wireChoice
	if err := dialect.Decode(w.ToolChoice, "tool_choice", &choice); err != nil {
		return err
	}
	r.ToolChoice = choice.read(w.ToolChoice)
	return nil
}

// read is the choice in the neutral form; raw is what it was read from.
func (c wireChoice) read(raw json.RawMessage) neutral.ToolChoice {
	switch {
	case c.Type == "function" && c.Name != "":
		return neutral.ToolChoice{Mode: neutral.ToolNamed, Name: c.Name}
	case c.Type == "allowed_tools" && (c.Mode == "auto" || c.Mode == "required"):
		allowed := make([]string, 0, len(c.Tools))
		for _, tool := range c.Tools {
			var named toolName
			if json.Unmarshal(tool, &named) != nil || named.Type != "function" || named.Name == "" {
				return neutral.ToolChoice{Raw: raw}
			}
			allowed = append(allowed, named.Name)
		}
		return neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: allowed, AllowedRequired: c.Mode == "required"}
	}
	return neutral.ToolChoice{Raw: raw}
}

// choiceOf is a choice on the wire; nil where it is left to the provider.
func choiceOf(c neutral.ToolChoice) json.RawMessage {
	switch c.Mode {
	case neutral.ToolAuto, neutral.ToolNone, neutral.ToolRequired:
		return dialect.AppendJSON(nil, string(c.Mode))
	case neutral.ToolNamed:
		return dialect.AppendJSON(nil, toolName{Type: "function", Name: c.Name})
	case neutral.ToolAllowed:
		choice := wireChoice{Type: "allowed_tools", Mode: "auto", Tools: make([]json.RawMessage, 0, len(c.Allowed))}
		if c.AllowedRequired {
			choice.Mode = "required"
		}
		for _, name := range c.Allowed {
			choice.Tools = append(choice.Tools, dialect.AppendJSON(nil, toolName{Type: "function", Name: name}))
		}
		return dialect.AppendJSON(nil, choice)
	}
	return c.Raw
}
