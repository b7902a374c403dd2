package responses

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// minOutputTokens is the least limit on output that OpenAI takes here.
const minOutputTokens = 16

// AppendRequest appends the request to dst. The error is a *neutral.UnsupportedError.
func (Codec) AppendRequest(dst []byte, r *neutral.Request, to dialect.Target) ([]byte, neutral.Report, error) {
	w := requestWriter{request: r, to: to, dst: append(dst, '{')}
	if err := w.check(); err != nil {
		return dst, neutral.Report{}, err
	}
	if !to.ModelInPath {
		w.quoted("model", to.Model)
	}
	if r.Stream && !to.StreamInPath {
		w.member("stream", []byte("true"))
	}
	for _, write := range []func() error{w.conversation, w.tools, w.text} {
		if err := write(); err != nil {
			return dst, neutral.Report{}, err
		}
	}
	w.sampling()
	w.reasoning()
	w.identity()
	w.extra()
	w.drop()
	w.own("store", []byte("false"))
	for _, member := range to.Set {
		w.put(member.Name, member.Value)
	}
	return append(w.dst, '}'), w.report, nil
}

// requestWriter writes one request.
type requestWriter struct {
	request *neutral.Request
	to      dialect.Target
	dst     []byte
	report  neutral.Report
	// filled tells that a member was written.
	filled bool
	// reasonings counts the thoughts, for the ids of those that have none.
	reasonings int
}

// native tells that the request came in as one of this API, so that its own words can go back.
func (w *requestWriter) native() bool { return w.request.Source == neutral.Responses }

// put writes a member.
func (w *requestWriter) put(name string, value []byte) {
	if w.filled {
		w.dst = append(w.dst, ',')
	}
	w.filled = true
	w.dst = append(jsonscan.AppendQuoted(w.dst, name), ':')
	w.dst = append(w.dst, value...)
}

// member writes a member of the client's, unless the target refuses it.
func (w *requestWriter) member(name string, value []byte) {
	switch {
	case len(value) == 0:
	case w.sets(name):
	case refuses(w.to.Quirks, name):
		if !asksNothing(name, value) {
			w.report.Drop(chatName(name))
		}
	default:
		w.put(name, value)
	}
}

// own writes a member that the client did not ask for, unless the target refuses it.
func (w *requestWriter) own(name string, value []byte) {
	if !w.sets(name) && !refuses(w.to.Quirks, name) {
		w.put(name, value)
	}
}

// sets tells whether the target sets the member itself.
func (w *requestWriter) sets(name string) bool {
	return slices.ContainsFunc(w.to.Set, func(m neutral.Member) bool { return m.Name == name })
}

func (w *requestWriter) quoted(name, text string) {
	if text != "" {
		w.member(name, jsonscan.AppendQuoted(nil, text))
	}
}

func (w *requestWriter) integer(name string, value *int64) {
	if value != nil {
		w.member(name, strconv.AppendInt(nil, *value, 10))
	}
}

// chatName is what the member is called in chat completions, which is how drops are told.
func chatName(name string) string {
	switch name {
	case "max_output_tokens":
		return "max_tokens"
	case "text":
		return "response_format"
	case "instructions":
		return "messages"
	}
	return name
}

// check refuses what the client would miss.
func (w *requestWriter) check() error {
	r := w.request
	openAI := w.to.Origin == neutral.OriginOpenAI || w.to.Origin == neutral.OriginAzure
	logProbs := r.LogProbs || r.TopLogProbs != nil && *r.TopLogProbs > 0
	for _, rule := range []struct {
		broken        bool
		field, reason string
	}{
		{r.N > 1, "n", "the Responses API gives one answer only"},
		{len(r.Stop) > 0, "stop", "the Responses API has no stop sequences"},
		{slices.ContainsFunc(r.Modalities, func(m string) bool { return m != "text" }), "modalities", "the Responses API answers with text only"},
		{logProbs && w.to.Quirks.NoLogProbs, "logprobs", "the provider gives no log probabilities"},
		{openAI && !w.native() && r.MaxTokens != nil && *r.MaxTokens < minOutputTokens, "max_tokens", "must be at least " + strconv.Itoa(minOutputTokens) + " in the Responses API"},
		{r.Format.Kind == neutral.FormatOther && !w.native(), "response_format", "the Responses API does not know this format"},
		{r.ToolChoice.Raw != nil && !w.native(), "tool_choice", "the Responses API does not know this choice"},
	} {
		if rule.broken {
			return &neutral.UnsupportedError{Field: rule.field, Reason: rule.reason}
		}
	}
	return nil
}

// tools writes the tools and the choice among them.
func (w *requestWriter) tools() error {
	var list []byte
	extra := byTool(w.request.Extra)
	for i := range w.request.Tools {
		tool := &w.request.Tools[i]
		if tool.Raw != nil && !w.native() {
			return &neutral.UnsupportedError{Field: "tools[" + strconv.Itoa(i) + "]", Reason: "a tool of type " + tool.Type + " cannot be used in the Responses API"}
		}
		if tool.Cache != nil {
			w.report.Drop("cache_control")
		}
		list = appendNext(list, w.tool(tool, extra[strconv.Itoa(i)]))
	}
	if len(list) > 0 {
		w.member("tools", append(append([]byte("["), list...), ']'))
	}
	w.member("tool_choice", choiceOf(w.request.ToolChoice))
	if parallel := w.request.ParallelToolCalls; parallel != nil {
		w.member("parallel_tool_calls", strconv.AppendBool(nil, *parallel))
	}
	return nil
}

// tool is one tool on the wire. The API would take a function for strict that does not say otherwise.
func (w *requestWriter) tool(tool *neutral.Tool, extra []neutral.Member) []byte {
	if tool.Raw != nil {
		return tool.Raw
	}
	function := toolOf(tool)
	if w.native() {
		return withMembers(dialect.AppendJSON(nil, function), extra)
	}
	if isNull(function.Parameters) {
		function.Parameters = json.RawMessage(`{"type":"object","properties":{}}`)
	}
	if function.Strict == nil {
		function.Strict = new(bool)
	}
	return dialect.AppendJSON(nil, function)
}

func toolOf(tool *neutral.Tool) wireTool {
	return wireTool{Type: "function", Name: tool.Name, Description: tool.Description, Parameters: tool.Parameters, Strict: tool.Strict}
}

// text writes the format of the answer.
func (w *requestWriter) text() error {
	var members []neutral.Member
	if format := w.format(); format != nil {
		members = append(members, neutral.Member{Name: "format", Value: format})
	}
	if w.request.Verbosity != "" {
		members = append(members, neutral.Member{Name: "verbosity", Value: jsonscan.AppendQuoted(nil, w.request.Verbosity)})
	}
	if w.native() {
		members = append(members, w.subExtra("text")...)
	}
	if len(members) > 0 {
		w.member("text", objectOf(members))
	}
	return nil
}

// format is the format on the wire; nil for free text.
func (w *requestWriter) format() json.RawMessage {
	format := w.request.Format
	switch {
	case format.Kind == neutral.FormatJSONObject, format.Kind == neutral.FormatJSONSchema && w.to.Quirks.NoJSONSchema:
		return json.RawMessage(`{"type":"json_object"}`)
	case format.Kind == neutral.FormatOther:
		return format.Raw
	case format.Kind == neutral.FormatText:
		return nil
	}
	if !w.native() && format.Strict == nil {
		format.Strict = new(bool)
	}
	return formatOf(format)
}

// wireFormat is a format that follows a schema.
type wireFormat struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema"`
	Strict      *bool           `json:"strict,omitempty"`
}

func formatOf(f neutral.Format) json.RawMessage {
	if f.Name == "" {
		f.Name = "json_output"
	}
	return dialect.AppendJSON(nil, wireFormat{Type: "json_schema", Name: f.Name, Description: f.Description, Schema: f.Schema, Strict: f.Strict})
}

// subExtra are the members that the client gave an object of the request beyond the known ones.
func (w *requestWriter) subExtra(parent string) []neutral.Member {
	var members []neutral.Member
	for _, extra := range w.request.Extra {
		if name, ok := strings.CutPrefix(extra.Name, parent+"."); ok {
			members = append(members, neutral.Member{Name: name, Value: extra.Value})
		}
	}
	return members
}

// withMembers adds members to an object, which has some already.
func withMembers(object []byte, members []neutral.Member) []byte {
	if len(members) == 0 {
		return object
	}
	object = append(object[:len(object)-1], ',')
	return append(object, objectOf(members)[1:]...)
}

// appendNext appends an element to the inside of a list.
func appendNext(list, element []byte) []byte {
	if len(list) > 0 {
		list = append(list, ',')
	}
	return append(list, element...)
}
