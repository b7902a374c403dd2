package gemini

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// tools writes the functions, the tools that Google runs, and which of them may or must be called.
func (w *requestWriter) tools() error {
	start := len(w.dst)
	w.dst = append(key(w.dst, "tools"), '[')
	empty := len(w.dst)
	w.functionDeclarations()
	for i := range w.request.Tools {
		t := &w.request.Tools[i]
		if t.Cache != nil {
			w.report.Drop("cache_control")
		}
		if t.Raw == nil {
			continue
		}
		if !w.own() {
			return &neutral.UnsupportedError{Field: "tools[" + strconv.Itoa(i) + "]", Reason: "tools that another vendor runs cannot be used with Gemini models"}
		}
		w.dst = append(comma(w.dst), t.Raw...)
	}
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
	} else {
		w.dst = append(w.dst, ']')
	}
	w.toolConfig()
	return nil
}

// functionDeclarations writes all functions as one tool.
func (w *requestWriter) functionDeclarations() {
	if !w.hasFunctions() {
		return
	}
	w.dst = append(w.dst, `{"functionDeclarations":[`...)
	for i := range w.request.Tools {
		t := &w.request.Tools[i]
		if t.Raw != nil {
			continue
		}
		w.dst = stringMember(append(comma(w.dst), '{'), "name", t.Name)
		if t.Description != "" {
			w.dst = stringMember(w.dst, "description", t.Description)
		}
		if len(t.Parameters) > 0 {
			w.dst = rawMember(w.dst, "parametersJsonSchema", t.Parameters)
		}
		if t.Strict != nil && *t.Strict {
			w.report.Drop("strict")
		}
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, "]}"...)
}

// toolConfig writes which functions may or must be called.
func (w *requestWriter) toolConfig() {
	start := len(w.dst)
	w.dst = append(key(w.dst, "toolConfig"), '{')
	empty := len(w.dst)
	w.functionCallingConfig()
	w.extras("toolConfig")
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
		return
	}
	w.dst = append(w.dst, '}')
}

func (w *requestWriter) functionCallingConfig() {
	start := len(w.dst)
	w.dst = append(key(w.dst, "functionCallingConfig"), '{')
	empty := len(w.dst)
	choice := w.request.ToolChoice
	if mode := modeOf(choice); mode != "" && len(w.request.Tools) > 0 {
		w.dst = stringMember(w.dst, "mode", mode)
		allowed := choice.Allowed
		if choice.Mode == neutral.ToolNamed {
			allowed = []string{choice.Name}
		}
		if len(allowed) > 0 {
			w.dst = stringsMember(w.dst, "allowedFunctionNames", allowed)
		}
	}
	w.extras("toolConfig.functionCallingConfig")
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
		return
	}
	w.dst = append(w.dst, '}')
}

// modeOf is Google's word for a choice; empty for the default.
func modeOf(choice neutral.ToolChoice) string {
	switch choice.Mode {
	case neutral.ToolAuto:
		return "AUTO"
	case neutral.ToolNone:
		return "NONE"
	case neutral.ToolRequired, neutral.ToolNamed:
		return "ANY"
	case neutral.ToolAllowed:
		if choice.AllowedRequired {
			return "ANY"
		}
		return "VALIDATED"
	}
	return ""
}
