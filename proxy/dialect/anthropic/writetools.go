package anthropic

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// formatPlan is how a structured answer is had.
type formatPlan int

const (
	// formatNative makes the model follow the schema; the zero value asks for none.
	formatNative formatPlan = iota + 1
	// formatTool makes the model call a tool with the schema; see neutral.OutputTool.
	formatTool
	// formatPrompt tells the model in words.
	formatPrompt
)

const (
	noteObject = "Answer with one JSON object and nothing else: no code fence, and no words before or after it."
	noteSchema = "Answer with one JSON value that follows the JSON schema below and nothing else: no code fence, and no words before or after it.\n"
)

// planFormat decides how a structured answer is had. Hosts of the API other than Anthropic lag behind in what models can do there.
func (w *requestWriter) planFormat() {
	f := w.r.Format
	switch {
	case f.Kind == neutral.FormatText:
	case w.native():
		w.format = formatNative
	case f.Kind == neutral.FormatJSONObject, len(f.Schema) == 0:
		w.format = formatPrompt
		w.notes = append(w.notes, noteObject)
	case w.r.ToolChoice.Mode == neutral.ToolNamed: // The answer is a call, which has a schema of its own.
	default:
		if w.format = w.schemaPlan(); w.format == formatPrompt {
			w.notes = append(w.notes, noteSchema+string(f.Schema))
		}
	}
}

func (w *requestWriter) schemaPlan() formatPlan {
	exact := w.model.structured() && !w.to.Quirks.NoJSONSchema && exactSchema(w.r.Format.Schema)
	switch {
	case exact && !w.to.ModelInPath:
		return formatNative
	case w.model.forcedTools() && isObjectSchema(w.r.Format.Schema):
		return formatTool
	case exact:
		return formatNative
	}
	return formatPrompt
}

// toolPlan is what the model may and must call.
type toolPlan struct {
	tools []neutral.Tool
	// kind and name are the choice; empty says nothing. forced tells that a call is demanded.
	kind, name string
	forced     bool
	// single allows one call only.
	single bool
}

// planTools decides what the model may and must call.
func (w *requestWriter) planTools() {
	parallel := w.r.ParallelToolCalls
	p := toolPlan{tools: w.r.Tools, single: parallel != nil && !*parallel}
	p.choose(w.r.ToolChoice)
	if len(p.tools) == 0 && !w.native() {
		p = w.calledTools()
	}
	if w.format == formatTool {
		p.addOutput(w.r.Format)
	}
	p.forced = p.kind == "any" || p.kind == "tool"
	if p.forced && !w.native() && !w.model.forcedTools() {
		w.askToCall(&p)
	}
	if p.single && p.kind == "" && len(p.tools) > 0 {
		p.kind = "auto"
	}
	w.choice = p
}

// choose takes in what the client chose.
func (p *toolPlan) choose(choice neutral.ToolChoice) {
	switch choice.Mode {
	case neutral.ToolAuto:
		p.kind = "auto"
	case neutral.ToolNone:
		p.kind = "none"
	case neutral.ToolRequired:
		p.kind = "any"
	case neutral.ToolNamed:
		p.kind, p.name = "tool", choice.Name
	case neutral.ToolAllowed:
		p.tools = slices.DeleteFunc(slices.Clone(p.tools), func(t neutral.Tool) bool { return !slices.Contains(choice.Allowed, t.Name) })
		p.kind = "auto"
		if choice.AllowedRequired {
			p.kind = "any"
		}
	}
}

// addOutput adds the tool that stands in for structured output: the only one to be called, or one of those that must be.
func (p *toolPlan) addOutput(f neutral.Format) {
	description := f.Description
	if description == "" {
		description = "Gives the final answer. Call it exactly once, when the answer is complete."
	}
	output := neutral.Tool{Name: neutral.OutputTool, Description: description, Parameters: f.Schema}
	if p.kind == "none" || len(p.tools) == 0 {
		p.kind, p.name = "tool", neutral.OutputTool
	} else {
		p.kind = "any"
	}
	p.single = true
	p.tools = append(slices.Clone(p.tools), output)
}

// askToCall demands a call in words, from a model that refuses to be made to call.
func (w *requestWriter) askToCall(p *toolPlan) {
	w.report.Drop("tool_choice")
	if p.kind == "tool" {
		w.notes = append(w.notes, "Call the tool \""+p.name+"\" now, and answer with nothing else.")
	} else {
		w.notes = append(w.notes, "Call at least one of the tools now, rather than answering in words.")
	}
	p.kind, p.name, p.forced = "auto", "", false
}

// calledTools are the functions that the conversation has calls of, not to be called again: the API demands that tools are declared where there are calls.
func (w *requestWriter) calledTools() toolPlan {
	var p toolPlan
	for i := range w.r.Messages {
		for j := range w.r.Messages[i].Parts {
			call := w.r.Messages[i].Parts[j].Call
			if call != nil && !slices.ContainsFunc(p.tools, func(t neutral.Tool) bool { return t.Name == call.Name }) {
				p.tools, p.kind = append(p.tools, neutral.Tool{Name: call.Name}), "none"
			}
		}
	}
	return p
}

// writeTools writes the tools and the choice between them.
func (w *requestWriter) writeTools() {
	p := &w.choice
	if len(p.tools) == 0 {
		return
	}
	w.next("tools")
	w.dst = append(w.dst, '[')
	for i := range p.tools {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.writeTool(&p.tools[i])
	}
	w.dst = append(w.dst, ']')
	if w.r.ToolChoice.Raw != nil {
		w.next("tool_choice")
		w.dst = append(w.dst, w.r.ToolChoice.Raw...)
		return
	}
	if p.kind == "" {
		return
	}
	w.next("tool_choice")
	w.dst = jsonscan.AppendQuoted(append(w.dst, `{"type":`...), p.kind)
	if p.kind == "tool" {
		w.dst = appendString(w.dst, "name", p.name)
	}
	switch {
	case p.kind == "none":
	case p.single:
		w.dst = append(w.dst, `,"disable_parallel_tool_use":true`...)
	case w.native() && w.r.ParallelToolCalls != nil:
		w.dst = append(w.dst, `,"disable_parallel_tool_use":false`...)
	}
	w.dst = append(w.dst, '}')
}

func (w *requestWriter) writeTool(t *neutral.Tool) {
	if t.Raw != nil {
		w.dst = append(w.dst, t.Raw...)
		return
	}
	w.dst = jsonscan.AppendQuoted(append(w.dst, `{"name":`...), t.Name)
	if t.Description != "" {
		w.dst = appendString(w.dst, "description", t.Description)
	}
	w.dst = appendObjectSchema(append(w.dst, `,"input_schema":`...), t.Parameters)
	if t.Strict != nil && w.strict(t) {
		w.dst = append(w.dst, `,"strict":`...)
		w.dst = dialect.AppendJSON(w.dst, *t.Strict)
	}
	if t.Cache != nil {
		w.dst = appendCache(append(w.dst, `,"cache_control":`...), t.Cache)
	}
	if w.native() && len(t.Extra) > 0 {
		w.dst = appendMembers(append(w.dst, ','), t.Extra)
	}
	w.dst = append(w.dst, '}')
}

// strict tells whether "strict" is sent. A function that is not to be followed exactly says nothing, for that is the default.
func (w *requestWriter) strict(t *neutral.Tool) bool {
	if w.native() || !*t.Strict {
		return w.native()
	}
	if w.model.structured() && !w.to.ModelInPath && exactSchema(t.Parameters) {
		return true
	}
	w.report.Drop("strict")
	return false
}

// appendCache appends a mark that the prompt up to here is worth caching.
func appendCache(dst []byte, c *neutral.CacheMark) []byte {
	dst = append(dst, `{"type":"ephemeral"`...)
	if c.TTL != "" {
		dst = appendString(dst, "ttl", c.TTL)
	}
	return append(dst, '}')
}
