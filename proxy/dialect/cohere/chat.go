package cohere

import (
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxStops is how many stop texts Cohere takes.
const maxStops = 5

// Chat is the API of POST v2/chat.
type Chat struct{}

var _ dialect.GenerationUpstream = Chat{}

// AppendRequest appends the request to dst.
func (Chat) AppendRequest(dst []byte, r *neutral.Request, to dialect.Target) ([]byte, neutral.Report, error) {
	w := chatWriter{object: object{dst: append(dst, '{')}, request: r, to: to}
	if err := w.write(); err != nil {
		return dst, neutral.Report{}, err
	}
	return append(w.dst, '}'), w.report, nil
}

// chatWriter writes one request.
type chatWriter struct {
	object
	request *neutral.Request
	to      dialect.Target
	report  neutral.Report
	// tools that the model may call, as indexes into the request's, and whether one of them must be called.
	tools    []int
	required bool
	// answerTool tells that the answer comes as the arguments of neutral.OutputTool, because Cohere does not take a schema together with tools.
	answerTool bool
	// documents are those of the request, which the model can cite; they count from 0 in their order.
	documents []*neutral.Media
}

func (w *chatWriter) write() error {
	if err := refuseChat(w.request); err != nil {
		return err
	}
	w.address(w.to)
	if w.request.Stream && !w.to.StreamInPath {
		w.given("stream", "true")
	}
	w.choose()
	if err := w.messages(); err != nil {
		return err
	}
	w.cited()
	w.offered()
	w.format()
	w.parameters()
	w.thinking()
	w.dropped()
	return nil
}

// refuseChat looks for what Cohere cannot do.
func refuseChat(r *neutral.Request) error {
	switch {
	case r.N > 1:
		return &neutral.UnsupportedError{Field: "n", Reason: "Cohere gives one answer a call"}
	case r.TopLogProbs != nil && *r.TopLogProbs > 0:
		return &neutral.UnsupportedError{Field: "top_logprobs", Reason: "Cohere gives the log probabilities of no alternatives"}
	case slices.ContainsFunc(r.Modalities, func(m string) bool { return m != "text" }):
		return &neutral.UnsupportedError{Field: "modalities", Reason: "Cohere answers in text only"}
	case r.ToolChoice.Raw != nil:
		return &neutral.UnsupportedError{Field: "tool_choice", Reason: "this choice of tools is unknown to Cohere"}
	case r.Format.Kind == neutral.FormatOther:
		return &neutral.UnsupportedError{Field: "response_format", Reason: "this format is unknown to Cohere"}
	case len(r.Stop) > maxStops:
		return &neutral.UnsupportedError{Field: "stop", Reason: "Cohere takes at most " + strconv.Itoa(maxStops) + " stop texts"}
	}
	for i := range r.Tools {
		if r.Tools[i].Raw != nil {
			return &neutral.UnsupportedError{Field: "tools[" + strconv.Itoa(i) + "]", Reason: "Cohere does not have tools of type \"" + r.Tools[i].Type + "\""}
		}
	}
	return nil
}

// choose decides which tools may be called, and how the answer gets its shape.
func (w *chatWriter) choose() {
	choice, format := w.request.ToolChoice, w.request.Format.Kind
	for i := range w.request.Tools {
		if callable(choice, w.request.Tools[i].Name) {
			w.tools = append(w.tools, i)
		}
	}
	if choice.Mode == neutral.ToolNone {
		if format != neutral.FormatText {
			w.tools = nil
		}
		return
	}
	if len(w.tools) > 0 {
		w.required = choice.Mode == neutral.ToolRequired || choice.Mode == neutral.ToolNamed || choice.AllowedRequired
		w.answerTool = !w.required && format == neutral.FormatJSONSchema
	}
}

// callable tells whether a tool of this name may be called. Cohere cannot be made to call one of several by name, so that the others are left out.
func callable(choice neutral.ToolChoice, name string) bool {
	switch choice.Mode {
	case neutral.ToolNamed:
		return name == choice.Name
	case neutral.ToolAllowed:
		return slices.Contains(choice.Allowed, name)
	default:
		return true
	}
}

// offered writes the tools.
func (w *chatWriter) offered() {
	if len(w.tools) == 0 {
		return
	}
	w.member("tools")
	w.raw("[")
	strict := 0
	for _, i := range w.tools {
		tool := &w.request.Tools[i]
		w.tool(tool.Name, tool.Description, tool.Parameters)
		if tool.Strict != nil && *tool.Strict {
			strict++
		}
	}
	if w.answerTool {
		w.tool(neutral.OutputTool, "Gives the answer to the user. Call it once, with the whole answer.", w.request.Format.Schema)
	}
	w.raw("]")
	switch {
	case strict == 0:
	case strict == len(w.tools):
		w.raw(`,"strict_tools":true`)
	default:
		w.report.Drop("strict")
	}
	switch {
	case w.required || w.answerTool:
		w.raw(`,"tool_choice":"REQUIRED"`)
	case w.request.ToolChoice.Mode == neutral.ToolNone:
		w.raw(`,"tool_choice":"NONE"`)
	}
}

func (w *chatWriter) tool(name, description string, parameters []byte) {
	w.separate()
	w.raw(`{"type":"function","function":{"name":`)
	w.quoted(name)
	if description != "" {
		w.member("description")
		w.quoted(description)
	}
	if len(parameters) == 0 {
		parameters = []byte(`{"type":"object","properties":{}}`)
	}
	w.member("parameters")
	w.raw(string(parameters))
	w.raw("}}")
}

// format writes the shape of the answer. Cohere takes none together with tools.
func (w *chatWriter) format() {
	format := w.request.Format
	if format.Kind == neutral.FormatText || len(w.tools) > 0 {
		return
	}
	w.member("response_format")
	w.raw(`{"type":"json_object"`)
	w.given("json_schema", string(format.Schema))
	w.raw("}")
}

// dropped reports what Cohere has no place for.
func (w *chatWriter) dropped() {
	r := w.request
	for name, given := range map[string]bool{
		"min_p":               r.MinP != "",
		"top_a":               r.TopA != "",
		"repetition_penalty":  r.RepetitionPenalty != "",
		"logit_bias":          len(r.LogitBias) > 0,
		"user":                r.User != "",
		"metadata":            len(r.Metadata) > 0,
		"verbosity":           r.Verbosity != "",
		"service_tier":        r.ServiceTier != "" && r.ServiceTier != "auto" && r.ServiceTier != "default",
		"prompt_cache_key":    r.PromptCacheKey != "",
		"parallel_tool_calls": r.ParallelToolCalls != nil && !*r.ParallelToolCalls && len(r.Tools) > 0,
	} {
		if given {
			w.report.Drop(name)
		}
	}
	w.report.DropExtra(r.Extra)
}
