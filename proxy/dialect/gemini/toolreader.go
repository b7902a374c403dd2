package gemini

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// tool reads an element of "tools": functions, and tools that Google itself runs.
func (r *requestReader) tool(raw []byte, path string) error {
	return eachMember(raw, path, func(name string, value []byte) error {
		if name == "functionDeclarations" {
			return eachElement(value, path+"."+name, r.function)
		}
		hosted := rawMember([]byte{'{'}, name, value)
		r.request.Tools = append(r.request.Tools, neutral.Tool{Type: name, Raw: append(hosted, '}')})
		return nil
	})
}

// function reads a declaration.
func (r *requestReader) function(raw []byte, path string) error {
	var tool neutral.Tool
	err := eachMember(raw, path, func(name string, value []byte) error {
		var err error
		switch name {
		case "name":
			tool.Name, err = readString(value, path+".name")
		case "description":
			tool.Description, err = readString(value, path+".description")
		case "parameters":
			tool.Parameters = jsonSchema(value)
		case "parametersJsonSchema":
			tool.Parameters = slices.Clone(value)
		}
		return err
	})
	if err == nil && tool.Name == "" {
		err = badValue(path+".name", "must not be empty")
	}
	r.request.Tools = append(r.request.Tools, tool)
	return err
}

// toolConfig reads which functions may or must be called.
func (r *requestReader) toolConfig(raw []byte) error {
	return eachMember(raw, "toolConfig", func(name string, value []byte) error {
		if name != "functionCallingConfig" {
			r.extra("toolConfig."+name, value)
			return nil
		}
		return r.calling(value, "toolConfig.functionCallingConfig")
	})
}

// calling reads the "functionCallingConfig".
func (r *requestReader) calling(raw []byte, path string) error {
	var mode string
	var allowed []string
	err := eachMember(raw, path, func(name string, value []byte) error {
		var err error
		switch name {
		case "mode":
			mode, err = readString(value, path+".mode")
		case "allowedFunctionNames":
			err = dialect.Decode(value, path+".allowedFunctionNames", &allowed)
		default:
			r.extra(path+"."+name, value)
		}
		return err
	})
	if err != nil {
		return err
	}
	choice, ok := choiceOf(strings.ToUpper(mode), allowed)
	if !ok {
		return badValue(path+".mode", "must be AUTO, ANY, NONE or VALIDATED")
	}
	r.request.ToolChoice = choice
	return nil
}

// choiceOf is the neutral form of a mode.
func choiceOf(mode string, allowed []string) (neutral.ToolChoice, bool) {
	switch mode {
	case "", "MODE_UNSPECIFIED":
		return neutral.ToolChoice{}, true
	case "AUTO":
		return neutral.ToolChoice{Mode: neutral.ToolAuto}, true
	case "NONE":
		return neutral.ToolChoice{Mode: neutral.ToolNone}, true
	case "VALIDATED":
		if len(allowed) == 0 {
			return neutral.ToolChoice{Mode: neutral.ToolAuto}, true
		}
		return neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: allowed}, true
	case "ANY":
		switch len(allowed) {
		case 0:
			return neutral.ToolChoice{Mode: neutral.ToolRequired}, true
		case 1:
			return neutral.ToolChoice{Mode: neutral.ToolNamed, Name: allowed[0]}, true
		}
		return neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: allowed, AllowedRequired: true}, true
	}
	return neutral.ToolChoice{}, false
}
