package gemini

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// AppendRequest appends the request to dst. The error is a *neutral.UnsupportedError.
func (Generate) AppendRequest(dst []byte, r *neutral.Request, to dialect.Target) ([]byte, neutral.Report, error) {
	w := requestWriter{dst: append(dst, '{'), request: r, to: to, version: versionOf(to.Model)}
	for _, step := range []func() error{w.unsupported, w.systemInstruction, w.contents, w.tools, w.config} {
		if err := step(); err != nil {
			return dst, neutral.Report{}, err
		}
	}
	w.rest()
	return append(w.dst, '}'), w.report, nil
}

// requestWriter writes one request.
type requestWriter struct {
	dst     []byte
	request *neutral.Request
	to      dialect.Target
	version version
	report  neutral.Report
	// cached is the name of content that is stored at Google; nil without.
	cached []byte
	// functions are the names of the called functions by the ids of the calls; nil until one is looked up.
	functions map[string]string
}

// own tells that the request was read from this dialect, so that its own words are understood.
func (w *requestWriter) own() bool { return w.request.Source == neutral.GenerateContent }

// unsupported finds what cannot be asked for.
func (w *requestWriter) unsupported() error {
	r := w.request
	switch {
	case r.ToolChoice.Raw != nil:
		return &neutral.UnsupportedError{Field: "tool_choice", Reason: "this kind of choice cannot be expressed for Gemini models"}
	case r.N > 1 && w.to.Quirks.OneChoice:
		return &neutral.UnsupportedError{Field: "n", Reason: "only one choice can be asked for"}
	case r.LogProbs && w.to.Quirks.NoLogProbs:
		return &neutral.UnsupportedError{Field: "logprobs", Reason: "log probabilities are not offered"}
	case slices.Contains(r.Modalities, "audio") && !w.own():
		return &neutral.UnsupportedError{Field: "modalities", Reason: "Gemini models cannot be asked for audio through this API"}
	}
	return w.unsupportedFormat()
}

// unsupportedFormat finds out whether the answer's format cannot be demanded.
func (w *requestWriter) unsupportedFormat() error {
	switch kind := w.request.Format.Kind; {
	case kind == neutral.FormatOther && !w.own():
		return &neutral.UnsupportedError{Field: "response_format", Reason: "this kind of format cannot be expressed for Gemini models"}
	case kind == neutral.FormatJSONSchema && w.version.before(3, 0) && w.hasFunctions():
		return &neutral.UnsupportedError{Field: "response_format", Reason: "Gemini models before Gemini 3 do not take a schema of the answer together with tools"}
	}
	return nil
}

// hasFunctions tells whether the request declares functions.
func (w *requestWriter) hasFunctions() bool {
	for i := range w.request.Tools {
		if w.request.Tools[i].Raw == nil {
			return true
		}
	}
	return false
}

// jsonByPrompt tells that the answer's format has to be told in the prompt: models before Gemini 3 refuse to be told otherwise when there are tools.
func (w *requestWriter) jsonByPrompt() bool {
	return w.request.Format.Kind == neutral.FormatJSONObject && w.version.before(3, 0) && w.hasFunctions()
}

// jsonInstruction asks for JSON where it cannot be demanded.
const jsonInstruction = "Answer with one valid JSON object and nothing else, unless you call a tool."

// systemInstruction joins all system and developer messages, wherever they stand.
func (w *requestWriter) systemInstruction() error {
	start := len(w.dst)
	w.dst = append(key(w.dst, "systemInstruction"), `{"parts":[`...)
	empty := len(w.dst)
	for i := range w.request.Messages {
		m := &w.request.Messages[i]
		if m.Role != neutral.System && m.Role != neutral.Developer {
			continue
		}
		for j := range m.Parts {
			if err := w.instruction(&m.Parts[j], place{message: i, part: j}); err != nil {
				return err
			}
		}
	}
	if w.jsonByPrompt() {
		w.dst = appendText(comma(w.dst), jsonInstruction, "")
	}
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
		return nil
	}
	w.dst = append(w.dst, "]}"...)
	return nil
}

// instruction appends a part of a system message.
func (w *requestWriter) instruction(p *neutral.Part, at place) error {
	switch {
	case p.Kind != neutral.TextPart:
		return at.unsupported("", "system messages for Gemini models hold text only")
	case p.Cache != nil:
		w.report.Drop("cache_control")
	}
	if p.Text != "" {
		w.dst = appendText(comma(w.dst), p.Text, "")
	}
	return nil
}

// rest writes the members that belong to this dialect alone, and reports what has no place in it.
func (w *requestWriter) rest() {
	if w.cached != nil {
		w.dst = rawMember(w.dst, cachedContent, w.cached)
	}
	if !w.own() {
		w.report.DropExtra(w.request.Extra)
	}
	for _, member := range w.request.Extra {
		switch {
		case !w.own() || strings.Contains(member.Name, "."):
		case slices.Contains(w.to.Quirks.Refused, member.Name):
			w.report.Drop(member.Name)
		default:
			w.dst = rawMember(w.dst, member.Name, member.Value)
		}
	}
	for _, member := range w.to.Set {
		w.dst = rawMember(w.dst, member.Name, member.Value)
	}
	w.drop()
}

// extras appends the members of an inner object at path that belong to this dialect alone.
func (w *requestWriter) extras(path string) {
	if !w.own() {
		return
	}
	for _, member := range w.request.Extra {
		if name, ok := strings.CutPrefix(member.Name, path+"."); ok && !strings.Contains(name, ".") {
			w.dst = rawMember(w.dst, name, member.Value)
		}
	}
}

// drop reports the parameters that Google does not have.
func (w *requestWriter) drop() {
	r := w.request
	for name, given := range map[string]bool{
		"min_p": r.MinP != "", "top_a": r.TopA != "", "repetition_penalty": r.RepetitionPenalty != "", "logit_bias": len(r.LogitBias) > 0,
		"verbosity": r.Verbosity != "", "user": r.User != "", "metadata": len(r.Metadata) > 0, "prompt_cache_key": r.PromptCacheKey != "",
		"cache_control":       r.Cache != nil,
		"parallel_tool_calls": r.ParallelToolCalls != nil && !*r.ParallelToolCalls && len(r.Tools) > 0,
	} {
		if given {
			w.report.Drop(name)
		}
	}
	switch tier := r.ServiceTier; {
	case tier == "":
	case w.own():
		w.dst = stringMember(w.dst, "serviceTier", tier)
	case tier != "auto" && tier != "default" && tier != "standard_only":
		w.report.Drop("service_tier")
	}
}
