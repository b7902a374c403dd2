package openai

import (
	"fmt"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// tools appends the tools and the choice among them.
func (w *requestWriter) tools() error {
	if len(w.r.Tools) == 0 {
		return w.choiceWithoutTools()
	}
	if refused("tools", &w.to.Quirks) {
		return unsupported("tools", "tools cannot be called there")
	}
	w.dst = append(appendKey(w.dst, "tools"), '[')
	empty := len(w.dst)
	for i := range w.r.Tools {
		if err := w.tool(i); err != nil {
			return err
		}
	}
	if len(w.dst) == empty {
		return unsupported("tool_choice", "none of the allowed tools is among the tools")
	}
	w.dst = append(w.dst, ']')
	if err := w.toolChoice(); err != nil {
		return err
	}
	if parallel := w.r.ParallelToolCalls; parallel != nil && (!refused("parallel_tool_calls", &w.to.Quirks) || !*parallel) && !w.refuses("parallel_tool_calls") {
		w.dst = appendRaw(w.dst, "parallel_tool_calls", strconv.FormatBool(*parallel))
	}
	return nil
}

// choiceWithoutTools refuses a choice that demands a tool; any other says nothing without tools.
func (w *requestWriter) choiceWithoutTools() error {
	if mode := w.r.ToolChoice.Mode; mode == neutral.ToolRequired || mode == neutral.ToolNamed || mode == neutral.ToolAllowed {
		return unsupported("tool_choice", "there are no tools to choose from")
	}
	return nil
}

// emulatesAllowed tells that a choice among some tools is made by sending no others, for OpenAI alone knows the choice.
func (w *requestWriter) emulatesAllowed() bool {
	return w.r.ToolChoice.Mode == neutral.ToolAllowed && !isOpenAI(w.to.Provider)
}

func (w *requestWriter) tool(index int) error {
	tool := &w.r.Tools[index]
	if tool.Raw != nil {
		if !w.native {
			return unsupported(fmt.Sprintf("tools[%d]", index), "tools of this type cannot be called there")
		}
		w.dst = append(appendComma(w.dst), tool.Raw...)
		return nil
	}
	if w.emulatesAllowed() && !slices.Contains(w.r.ToolChoice.Allowed, tool.Name) {
		return nil
	}
	w.dst = append(appendComma(w.dst), `{"type":"function","function":{`...)
	w.dst = appendText(w.dst, "name", tool.Name)
	if tool.Description != "" {
		w.dst = appendText(w.dst, "description", tool.Description)
	}
	if len(tool.Parameters) > 0 || !w.native {
		w.dst = appendRaw(w.dst, "parameters", orEmpty(tool.Parameters))
	}
	if tool.Strict != nil {
		w.dst = appendRaw(w.dst, "strict", strconv.FormatBool(*tool.Strict))
	}
	w.dst = append(w.dst, '}')
	w.mark(tool.Cache)
	w.dst = append(w.dst, '}')
	return nil
}

// toolChoice appends which tools may or must be called.
func (w *requestWriter) toolChoice() error {
	choice := &w.r.ToolChoice
	switch {
	case choice.Raw != nil && !w.native:
		return unsupported("tool_choice", "this choice is not known there")
	case choice.Raw != nil:
		w.dst = appendRaw(w.dst, "tool_choice", choice.Raw)
	case choice.Mode == "":
	case choice.Mode == neutral.ToolNamed:
		w.dst = append(appendKey(w.dst, "tool_choice"), `{"type":"function","function":{`...)
		w.dst = append(appendText(w.dst, "name", choice.Name), "}}"...)
	case choice.Mode == neutral.ToolAllowed && !w.emulatesAllowed():
		w.allowed()
	default:
		w.dst = appendText(w.dst, "tool_choice", w.choiceWord())
	}
	return nil
}

// choiceWord is the choice in one word.
func (w *requestWriter) choiceWord() string {
	mode := w.r.ToolChoice.Mode
	if mode == neutral.ToolAllowed {
		mode = neutral.ToolAuto
		if w.r.ToolChoice.AllowedRequired {
			mode = neutral.ToolRequired
		}
	}
	if mode == neutral.ToolRequired && w.to.Quirks.RequiredToolAny {
		return "any"
	}
	return string(mode)
}

// allowed appends OpenAI's choice among some tools.
func (w *requestWriter) allowed() {
	mode := "auto"
	if w.r.ToolChoice.AllowedRequired {
		mode = "required"
	}
	w.dst = append(appendKey(w.dst, "tool_choice"), `{"type":"allowed_tools","allowed_tools":{`...)
	w.dst = append(appendKey(appendText(w.dst, "mode", mode), "tools"), '[')
	for _, name := range w.r.ToolChoice.Allowed {
		w.dst = append(appendComma(w.dst), `{"type":"function","function":{"name":`...)
		w.dst = append(jsonscan.AppendQuoted(w.dst, name), "}}"...)
	}
	w.dst = append(w.dst, "]}}"...)
}
