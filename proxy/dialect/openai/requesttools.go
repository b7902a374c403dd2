package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// readTools reads the tools of a request.
func readTools(q *neutral.Request, raw []byte) error {
	return elements(raw, func(_ int, value []byte) error {
		tool, err := readTool(value)
		q.Tools = append(q.Tools, tool)
		return err
	})
}

// readTool reads a function, or keeps a tool of another kind as it is.
func readTool(raw []byte) (neutral.Tool, error) {
	var tool neutral.Tool
	var function []byte
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "type":
			tool.Type, err = readText(value, "type")
		case "function":
			function = value
		case "cache_control":
			tool.Cache = readCacheMark(value)
		}
		return err
	})
	switch {
	case err != nil:
		return tool, err
	case tool.Type != "function" && (tool.Type != "" || function == nil):
		tool.Raw = slices.Clone(raw)
		return tool, nil
	case function == nil:
		return tool, wrongValue("function", "is missing")
	}
	tool.Type = ""
	return tool, inside(readFunction(&tool, function), "function")
}

// readFunctions reads what tools were called before there were tools.
func readFunctions(q *neutral.Request, raw []byte) error {
	return elements(raw, func(_ int, value []byte) error {
		var tool neutral.Tool
		err := readFunction(&tool, value)
		q.Tools = append(q.Tools, tool)
		return err
	})
}

func readFunction(tool *neutral.Tool, raw []byte) error {
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "name":
			tool.Name, err = readText(value, "name")
		case "description":
			tool.Description, err = readText(value, "description")
		case "parameters":
			tool.Parameters = slices.Clone(value)
			err = wantObject(value, "parameters")
		case "strict":
			tool.Strict, err = readFlag(value, "strict")
		case "cache_control":
			tool.Cache = readCacheMark(value)
		}
		return err
	})
	if err == nil && tool.Name == "" {
		return wrongValue("name", "is missing")
	}
	return err
}

// readToolChoice reads tool_choice, and the older function_call.
func readToolChoice(raw []byte) (neutral.ToolChoice, error) {
	if raw[0] != '"' {
		return readToolChoiceObject(raw)
	}
	switch word := unquote(raw); word {
	case "auto", "none", "required":
		return neutral.ToolChoice{Mode: neutral.ToolMode(word)}, nil
	case "any":
		return neutral.ToolChoice{Mode: neutral.ToolRequired}, nil
	}
	return neutral.ToolChoice{}, wrongValue("", `must be "auto", "none", "required" or an object`)
}

func readToolChoiceObject(raw []byte) (neutral.ToolChoice, error) {
	var choice neutral.ToolChoice
	kind, function, allowed := "", []byte(nil), []byte(nil)
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "type":
			kind, err = readText(value, "type")
		case "name": // function_call's
			choice.Name, err = readText(value, "name")
		case "function":
			function = value
		case "allowed_tools":
			allowed = value
		}
		return err
	})
	switch {
	case err != nil:
		return choice, err
	case function != nil:
		choice.Name, err = functionName(function)
		choice.Mode = neutral.ToolNamed
		return choice, inside(err, "function")
	case kind == "" && choice.Name != "":
		choice.Mode = neutral.ToolNamed
		return choice, nil
	case allowed != nil && readAllowed(&choice, allowed):
		return choice, nil
	}
	return neutral.ToolChoice{Raw: slices.Clone(raw)}, nil
}

// functionName reads the name out of the object that names a function.
func functionName(raw []byte) (string, error) {
	found := ""
	err := members(raw, func(name, value []byte) error {
		var err error
		if string(name) == "name" {
			found, err = readText(value, "name")
		}
		return err
	})
	if err == nil && found == "" {
		return "", wrongValue("name", "is missing")
	}
	return found, err
}

// readAllowed reads a choice among some tools; false when not all of them are functions.
func readAllowed(choice *neutral.ToolChoice, raw []byte) bool {
	choice.Mode = neutral.ToolAllowed
	err := members(raw, func(name, value []byte) error {
		switch string(name) {
		case "mode":
			choice.AllowedRequired = textOr(value) == "required"
		case "tools":
			return elements(value, func(_ int, tool []byte) error { return readAllowedTool(choice, tool) })
		}
		return nil
	})
	return err == nil
}

func readAllowedTool(choice *neutral.ToolChoice, raw []byte) error {
	found := false
	err := members(raw, func(name, value []byte) error {
		if string(name) != "function" {
			return nil
		}
		function, err := functionName(value)
		choice.Allowed = append(choice.Allowed, function)
		found = true
		return err
	})
	if err == nil && !found {
		return wrongValue("", "is no function")
	}
	return err
}
