package bedrock

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// outputWay is how the answer is made to have the wanted shape; zero needs nothing.
type outputWay int

const (
	// nativeOutput binds the answer to a schema.
	nativeOutput outputWay = iota + 1
	// toolOutput makes the answer the arguments of a tool, neutral.OutputTool.
	toolOutput
	// askedOutput only asks for JSON in the system prompt.
	askedOutput
)

// plan is what is decided before a request is written.
type plan struct {
	model  model
	origin neutral.Origin
	output outputWay
	// tools that the model may call, as indexes into the request's.
	tools []int
	// any tells that a tool must be called, and named which one; empty leaves the choice to the model.
	any   bool
	named string
	// flatten tells that no tools are sent. Then Bedrock refuses calls and results in the conversation as well, so that they become text.
	flatten bool
	// thinking is how the model is made to think.
	thinking thinking
}

// forced tells whether a tool must be called.
func (p *plan) forced() bool { return p.any || p.named != "" }

// newPlan decides. The error is a *neutral.UnsupportedError.
func newPlan(r *neutral.Request, to dialect.Target, report *neutral.Report) (plan, error) {
	if err := refuse(r); err != nil {
		return plan{}, err
	}
	p := plan{model: modelOf(to.Model), origin: to.Origin}
	p.chooseTools(r)
	if p.forced() && p.model.family == plainFamily {
		return plan{}, &neutral.UnsupportedError{Field: "tool_choice", Reason: "this model of AWS Bedrock cannot be made to call a tool"}
	}
	p.chooseOutput(r)
	p.nameless(r)
	p.flatten = len(p.tools) == 0 && p.output != toolOutput
	p.chooseThinking(r, report)
	return p, nil
}

// refuse looks for what Converse cannot do whatever the model.
func refuse(r *neutral.Request) error {
	switch {
	case r.N > 1:
		return &neutral.UnsupportedError{Field: "n", Reason: "AWS Bedrock gives one answer a call"}
	case r.LogProbs:
		return &neutral.UnsupportedError{Field: "logprobs", Reason: "AWS Bedrock gives no log probabilities"}
	case slices.ContainsFunc(r.Modalities, func(m string) bool { return m != "text" }):
		return &neutral.UnsupportedError{Field: "modalities", Reason: "AWS Bedrock's Converse answers in text only"}
	case r.ToolChoice.Raw != nil:
		return &neutral.UnsupportedError{Field: "tool_choice", Reason: "this choice of tools is unknown to AWS Bedrock"}
	case r.Format.Kind == neutral.FormatOther:
		return &neutral.UnsupportedError{Field: "response_format", Reason: "this format is unknown to AWS Bedrock"}
	}
	for i := range r.Tools {
		if err := refuseTool(&r.Tools[i], i); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) chooseTools(r *neutral.Request) {
	for i := range r.Tools {
		if r.ToolChoice.Mode != neutral.ToolAllowed || slices.Contains(r.ToolChoice.Allowed, r.Tools[i].Name) {
			p.tools = append(p.tools, i)
		}
	}
	switch r.ToolChoice.Mode {
	case neutral.ToolNone:
		p.tools = nil
	case neutral.ToolRequired:
		p.any = true
	case neutral.ToolNamed:
		p.named = r.ToolChoice.Name
	case neutral.ToolAllowed:
		p.any = r.ToolChoice.AllowedRequired
	case neutral.ToolAuto:
	}
	if len(p.tools) == 0 {
		p.any, p.named = false, ""
	}
}

// chooseOutput decides how the answer gets its shape. A demanded tool call comes before it: there will be no text then.
func (p *plan) chooseOutput(r *neutral.Request) {
	switch {
	case r.Format.Kind == neutral.FormatText || p.forced():
	case r.Format.Kind == neutral.FormatJSONObject || len(r.Format.Schema) == 0:
		p.output = askedOutput
	case p.model.followsSchemas() && (p.model.family != claude || p.exact(r)):
		p.output = nativeOutput
	case p.model.canBeForced() && ofObject(r.Format.Schema):
		p.output = toolOutput
		if p.any = len(p.tools) > 0; !p.any {
			p.named = neutral.OutputTool
		}
	default:
		p.output = askedOutput
	}
}

// nameless turns a demand for one tool into one for any tool, for models that know no other: the rest of the tools is left out then.
func (p *plan) nameless(r *neutral.Request) {
	if p.named == "" || p.model.family != mistralLarge {
		return
	}
	p.tools = slices.DeleteFunc(p.tools, func(i int) bool { return r.Tools[i].Name != p.named })
	p.any, p.named = true, ""
}

// exact tells whether a schema goes to Claude as such. It takes closed schemas only, which clients send when they ask for strictness, or speak its own
// dialect; others are better off with a tool, but for tools of the client's own and thinking, which a demanded call excludes.
func (p *plan) exact(r *neutral.Request) bool {
	strict := r.Format.Strict != nil && *r.Format.Strict
	return strict || r.Source == neutral.Messages || len(p.tools) > 0 || wantsThinking(r.Reasoning)
}
