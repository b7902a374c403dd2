package anthropic

import (
	"encoding/json"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wireTool is a function, or the beginning of a tool of another type.
type wireTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
	Strict      *bool           `json:"strict"`
	Cache       *wireCache      `json:"cache_control"`
}

func (r *requestReader) readTools(wire *wireRequest) error {
	for i, raw := range wire.Tools {
		tool, err := readTool(raw, "tools["+strconv.Itoa(i)+"]")
		if err != nil {
			return err
		}
		r.request.Tools = append(r.request.Tools, tool)
	}
	return nil
}

func readTool(raw json.RawMessage, path string) (neutral.Tool, error) {
	var kind struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if err := dialect.Decode(raw, path, &kind); err != nil {
		return neutral.Tool{}, err
	}
	if kind.Type != "" && kind.Type != "custom" {
		return neutral.Tool{Name: kind.Name, Type: kind.Type, Raw: raw}, nil
	}
	var tool wireTool
	if err := dialect.Decode(raw, path, &tool); err != nil {
		return neutral.Tool{}, err
	}
	read := neutral.Tool{Name: tool.Name, Description: tool.Description, Strict: tool.Strict, Cache: tool.Cache.mark()}
	if !absent(tool.InputSchema) {
		read.Parameters = tool.InputSchema
	}
	read.Extra = dialect.ExtraMembers(raw, []string{"type", "name", "description", "input_schema", "strict", "cache_control"})
	return read, nil
}

func (r *requestReader) readToolChoice(wire *wireRequest) error {
	if absent(wire.ToolChoice) {
		return nil
	}
	var choice struct {
		Type            string `json:"type"`
		Name            string `json:"name"`
		DisableParallel *bool  `json:"disable_parallel_tool_use"`
	}
	if err := dialect.Decode(wire.ToolChoice, "tool_choice", &choice); err != nil {
		return err
	}
	switch choice.Type {
	case "auto":
		r.request.ToolChoice.Mode = neutral.ToolAuto
	case "any":
		r.request.ToolChoice.Mode = neutral.ToolRequired
	case "none":
		r.request.ToolChoice.Mode = neutral.ToolNone
	case "tool":
		r.request.ToolChoice = neutral.ToolChoice{Mode: neutral.ToolNamed, Name: choice.Name}
	default:
		r.request.ToolChoice.Raw = wire.ToolChoice
	}
	if choice.DisableParallel != nil {
		parallel := !*choice.DisableParallel
		r.request.ParallelToolCalls = &parallel
	}
	return nil
}
