package openai

import (
	"encoding/json"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// AppendRequest appends the request for a target with quirks.
func (Chat) AppendRequest(dst []byte, r *neutral.Request, to dialect.Target) ([]byte, neutral.Report, error) {
	w := requestWriter{dst: append(dst, '{'), r: r, to: &to, native: r.Source == neutral.ChatCompletions}
	if !to.ModelInPath {
		w.dst = appendText(w.dst, "model", to.Model)
	}
	for _, write := range []func() error{w.messages, w.tools, w.answerFormat, w.choices, w.sampling, w.options, w.stream, w.extra} {
		if err := write(); err != nil {
			return dst, neutral.Report{}, err
		}
	}
	for _, m := range to.Set {
		w.dst = append(append(jsonscan.AppendQuoted(appendComma(w.dst), m.Name), ':'), m.Value...)
	}
	return append(w.dst, '}'), w.report, nil
}

// requestWriter appends a request member by member.
type requestWriter struct {
	dst    []byte
	r      *neutral.Request
	to     *dialect.Target
	report neutral.Report
	// native tells that the request came in this API.
	native bool
}

func unsupported(field, reason string) error {
	return &neutral.UnsupportedError{Field: field, Reason: reason}
}

// refuses tells whether the target does not take a top-level member, and reports it then.
func (w *requestWriter) refuses(name string) bool {
	if !refused(name, &w.to.Quirks) && !foreign(name, w.to.Provider) {
		return false
	}
	w.report.Drop(name)
	return true
}

// number appends a number that was given.
func (w *requestWriter) number(name string, value neutral.Number) {
	if value != "" && !w.refuses(name) {
		w.dst = appendRaw(w.dst, name, value)
	}
}

// extension appends a number that OpenAI does not know.
func (w *requestWriter) extension(name string, value neutral.Number) {
	if value == "" {
		return
	}
	if !takesExtensions(w.to.Provider) && !slices.Contains(w.to.Quirks.Accepted, name) {
		w.report.Drop(name)
		return
	}
	w.number(name, value)
}

// text appends a text that was given.
func (w *requestWriter) text(name, value string) {
	if value != "" && !w.refuses(name) {
		w.dst = appendText(w.dst, name, value)
	}
}

// drop reports a text that was given and has no place.
func (w *requestWriter) drop(name, value string) {
	if value != "" {
		w.report.Drop(name)
	}
}

// choices appends what would be missed if it were left out.
func (w *requestWriter) choices() error {
	q := &w.to.Quirks
	if w.r.N > 1 {
		if q.OneChoice || refused("n", q) {
			return unsupported("n", "more than one choice cannot be had there")
		}
		w.dst = appendInteger(w.dst, "n", w.r.N)
	}
	if w.r.LogProbs {
		if q.NoLogProbs || refused("logprobs", q) {
			return unsupported("logprobs", "log probabilities cannot be had there")
		}
		w.dst = appendRaw(w.dst, "logprobs", "true")
		if w.r.TopLogProbs != nil {
			w.dst = appendInteger(w.dst, "top_logprobs", *w.r.TopLogProbs)
		}
	}
	if slices.ContainsFunc(w.r.Modalities, func(m string) bool { return m != "text" }) {
		if !w.native {
			return unsupported("modalities", "answers can only be text there")
		}
		w.dst = appendTexts(w.dst, "modalities", w.r.Modalities)
	}
	return nil
}

func appendTexts(dst []byte, name string, texts []string) []byte {
	dst = append(appendKey(dst, name), '[')
	for _, text := range texts {
		dst = jsonscan.AppendQuoted(appendComma(dst), text)
	}
	return append(dst, ']')
}

// sampling appends the limits and the parameters of sampling.
func (w *requestWriter) sampling() error {
	r := w.r
	if r.MaxTokens != nil {
		w.dst = appendInteger(w.dst, limitName(w.to), *r.MaxTokens)
	}
	if len(r.Stop) > 0 && !w.refuses("stop") {
		w.dst = appendTexts(w.dst, "stop", r.Stop)
	}
	w.number("temperature", r.Temperature)
	w.number("top_p", r.TopP)
	w.extension("top_k", r.TopK)
	w.extension("min_p", r.MinP)
	w.extension("top_a", r.TopA)
	w.number("frequency_penalty", r.FrequencyPenalty)
	w.number("presence_penalty", r.PresencePenalty)
	w.extension("repetition_penalty", r.RepetitionPenalty)
	w.seed()
	w.number("logit_bias", neutral.Number(r.LogitBias))
	if r.Reasoning != nil {
		for _, m := range reasoningMembers(r.Reasoning, w.to, &w.report) {
			w.number(m.Name, neutral.Number(m.Value))
		}
	}
	return nil
}

// seed appends the seed under the name that the target has for it.
func (w *requestWriter) seed() {
	switch name := w.to.Quirks.Seed; {
	case name == "":
		w.number("seed", w.r.Seed)
	case w.r.Seed != "":
		w.dst = appendRaw(w.dst, name, w.r.Seed)
	}
}

// The names of the output limit.
const (
	oldLimit = "max_tokens"
	newLimit = "max_completion_tokens"
)

// limitName is what the target calls the output limit. Servers of the user's own and smaller vendors know the older name at least.
func limitName(to *dialect.Target) string {
	switch {
	case to.Quirks.MaxTokens != "":
		return to.Quirks.MaxTokens
	case isOpenAI(to.Provider):
		return newLimit
	}
	return oldLimit
}

// options appends what is about the call rather than about the answer.
func (w *requestWriter) options() error {
	r, vendor := w.r, w.to.Provider
	w.text("user", r.User)
	told := w.text
	if !w.native && !isOpenAI(vendor) && vendor != vendorOpenRouter {
		told = w.drop
	}
	told("verbosity", r.Verbosity)
	told("prompt_cache_key", r.PromptCacheKey)
	switch {
	case asksForNothing("service_tier", quoted(r.ServiceTier)):
	case w.native && !foreignTier(r.ServiceTier, vendor):
		w.text("service_tier", r.ServiceTier)
	default:
		w.drop("service_tier", r.ServiceTier)
	}
	if len(r.Metadata) > 0 {
		w.metadata()
	}
	w.mark(r.Cache)
	return nil
}

// stream asks for a stream, and for its usage.
func (w *requestWriter) stream() error {
	if !w.r.Stream {
		return nil
	}
	if !w.to.StreamInPath {
		w.dst = appendRaw(w.dst, "stream", "true")
	}
	if !w.to.Quirks.NoStreamUsage {
		w.dst = appendRaw(w.dst, "stream_options", `{"include_usage":true}`)
	}
	return nil
}

// metadata is only taken by OpenAI together with "store", which clients of other APIs do not know.
func (w *requestWriter) metadata() {
	if !w.native && w.to.Provider != vendorOpenRouter || refused("metadata", &w.to.Quirks) {
		w.report.Drop("metadata")
		return
	}
	names := make([]string, 0, len(w.r.Metadata))
	for name := range w.r.Metadata {
		names = append(names, name)
	}
	slices.Sort(names)
	w.dst = append(appendKey(w.dst, "metadata"), '{')
	for _, name := range names {
		w.dst = append(jsonscan.AppendQuoted(appendComma(w.dst), name), ':')
		w.dst = jsonscan.AppendQuoted(w.dst, w.r.Metadata[name])
	}
	w.dst = append(w.dst, '}')
}

// extra appends what only this API knows, and reports it for requests of another one.
func (w *requestWriter) extra() error {
	for _, m := range w.r.Extra {
		switch {
		case asksForNothing(m.Name, m.Value):
			if !w.native || refused(m.Name, &w.to.Quirks) || foreign(m.Name, w.to.Provider) {
				continue
			}
		case !w.native:
			w.report.Drop(m.Name)
			continue
		case refused(m.Name, &w.to.Quirks) && needed(m.Name, m.Value):
			return unsupported(m.Name, "it cannot be asked for there")
		case w.refuses(m.Name):
			continue
		}
		w.dst = append(append(jsonscan.AppendQuoted(appendComma(w.dst), m.Name), ':'), m.Value...)
	}
	return nil
}

// mark appends cache_control if it was given, and reports it where the target does not know it.
func (w *requestWriter) mark(mark *neutral.CacheMark) {
	if mark != nil && !w.cacheMark(mark) {
		w.report.Drop("cache_control")
	}
}

// cacheMark appends cache_control to the object that is open; false where the target does not know it.
func (w *requestWriter) cacheMark(mark *neutral.CacheMark) bool {
	if !takesCacheMarks(w.to.Provider) || w.to.Provider == vendorAny && !w.native {
		return false
	}
	w.dst = appendText(append(appendKey(w.dst, "cache_control"), '{'), "type", "ephemeral")
	if mark.TTL != "" {
		w.dst = appendText(w.dst, "ttl", mark.TTL)
	}
	w.dst = append(w.dst, '}')
	return true
}

// answerFormat appends response_format.
func (w *requestWriter) answerFormat() error {
	f := &w.r.Format
	switch {
	case f.Kind == neutral.FormatText:
	case f.Kind == neutral.FormatOther && !w.native:
		return unsupported("response_format", "this kind of format is not known there")
	case f.Kind == neutral.FormatOther:
		w.dst = appendRaw(w.dst, "response_format", f.Raw)
	case refused("response_format", &w.to.Quirks):
		w.report.Drop("response_format") // The prompt asks for it, see emulatedPrompt.
	case f.Kind == neutral.FormatJSONObject || w.to.Quirks.NoJSONSchema:
		w.dst = appendRaw(w.dst, "response_format", `{"type":"json_object"}`)
	default:
		w.schema(f)
	}
	return nil
}

func (w *requestWriter) schema(f *neutral.Format) {
	name := f.Name
	if name == "" {
		name = "json_output"
	}
	w.dst = append(appendKey(w.dst, "response_format"), `{"type":"json_schema","json_schema":{`...)
	w.dst = appendText(w.dst, "name", name)
	if f.Description != "" {
		w.dst = appendText(w.dst, "description", f.Description)
	}
	if f.Strict != nil {
		w.dst = appendRaw(w.dst, "strict", strconv.FormatBool(*f.Strict))
	}
	if len(f.Schema) > 0 {
		w.dst = appendRaw(w.dst, "schema", f.Schema)
	}
	w.dst = append(w.dst, "}}"...)
}

// orEmpty is the schema of a function without arguments.
func orEmpty(schema json.RawMessage) json.RawMessage {
	if len(schema) == 0 {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return schema
}
