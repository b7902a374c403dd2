package openai

import (
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// answerID is the id of an answer that is written here.
func answerID(o *dialect.Exchange) string {
	if o.Flavor == dialect.OpenRouterFlavor {
		return "gen-" + o.ID
	}
	return "chatcmpl-" + o.ID
}

// answerModel is the model that answered.
func answerModel(model string, o *dialect.Exchange) string {
	return first(model, first(o.UpstreamModel, o.Model))
}

// reasoningName is the member in which a flavor tells thinking as plain text.
func reasoningName(flavor dialect.Flavor) string {
	if flavor == dialect.OpenAIFlavor {
		return "reasoning_content"
	}
	return "reasoning"
}

// hidesThinking tells whether the client does not want to see it.
func hidesThinking(o *dialect.Exchange) bool {
	return o.Request != nil && o.Request.Reasoning != nil && o.Request.Reasoning.Exclude
}

// formatOf is the format of a thought: who sealed it, or else whose model thought it.
func formatOf(origin neutral.Origin, o *dialect.Exchange) neutral.Origin {
	if origin == neutral.NoOrigin {
		return o.Origin
	}
	return origin
}

// ending is how a choice ended.
type ending struct {
	finish neutral.Finish
	// refused tells that the answer holds a refusal, and legacy that the client speaks of functions in place of tools.
	refused, legacy bool
}

// word is the finish_reason. A refusal is a normal end with a refusal in it, or else was held back.
func (e ending) word() string {
	switch e.finish {
	case neutral.FinishLength:
		return "length"
	case neutral.FinishToolCalls:
		if e.legacy {
			return "function_call"
		}
		return "tool_calls"
	case neutral.FinishContentFilter:
		return "content_filter"
	case neutral.FinishRefusal:
		if !e.refused {
			return "content_filter"
		}
	case neutral.FinishError:
		return "error"
	case neutral.FinishStop, neutral.FinishStopSequence, neutral.FinishPause:
	}
	return "stop"
}

// appendHead opens an answer or a chunk.
func appendHead(dst []byte, object, model string, o *dialect.Exchange) []byte {
	dst = appendText(append(dst, '{'), "id", answerID(o))
	dst = appendText(dst, "object", object)
	dst = appendInteger(dst, "created", o.Created)
	dst = appendText(dst, "model", model)
	if o.Flavor == dialect.OpenRouterFlavor {
		dst = appendText(dst, "provider", o.Provider)
	}
	return dst
}

// appendAnswerTail appends what a whole answer tells of itself. OpenRouter's own client library takes no answer without a fingerprint, which may be null.
func appendAnswerTail(dst []byte, r *neutral.Response, o *dialect.Exchange) []byte {
	if r.SystemFingerprint == "" && o.Flavor == dialect.OpenRouterFlavor {
		dst = append(dst, ","+noFingerprint...)
	}
	return appendTail(dst, r.ServiceTier, r.SystemFingerprint)
}

// noFingerprint is the member of an answer without one.
const noFingerprint = `"system_fingerprint":null`

// appendTail appends what an answer or a chunk tells of itself as a whole.
func appendTail(dst []byte, tier, fingerprint string) []byte {
	if fingerprint != "" {
		dst = appendText(dst, "system_fingerprint", fingerprint)
	}
	if slices.Contains([]string{"auto", "default", "flex", "scale", "priority"}, tier) {
		dst = appendText(dst, "service_tier", tier)
	}
	return dst
}

// groqID is the id that Groq's clients find in x_groq.
func groqID(o *dialect.Exchange) string { return "req_" + o.ID }

// AppendResponse appends the answer.
func (Chat) AppendResponse(dst []byte, r *neutral.Response, o dialect.Exchange) []byte {
	dst = appendHead(dst, "chat.completion", answerModel(r.Model, &o), &o)
	dst = append(appendKey(dst, "choices"), '[')
	for i := range r.Choices {
		dst = append(appendInteger(append(appendComma(dst), '{'), "index", int64(i)), `,"message":`...)
		dst = appendAnswer(dst, r.Choices[i].Parts, &o)
		dst = appendFinish(dst, &r.Choices[i], &o)
	}
	dst = append(dst, ']')
	if r.Usage != nil {
		dst = appendUsage(appendKey(dst, "usage"), *r.Usage, &o)
	}
	dst = appendAnswerTail(dst, r, &o)
	if o.Flavor == dialect.GroqFlavor {
		dst = append(appendText(append(appendKey(dst, "x_groq"), '{'), "id", groqID(&o)), '}')
	}
	return append(dst, '}')
}

// appendFinish closes a choice with its end.
func appendFinish(dst []byte, c *neutral.Choice, o *dialect.Exchange) []byte {
	refused := slices.ContainsFunc(c.Parts, func(p neutral.Part) bool { return p.Kind == neutral.RefusalPart })
	dst = appendKey(dst, "logprobs")
	if len(c.LogProbs) > 0 {
		dst = append(dst, c.LogProbs...)
	} else {
		dst = append(dst, "null"...)
	}
	word := ending{finish: c.Finish, refused: refused, legacy: isLegacy(o)}.word()
	dst = appendText(dst, "finish_reason", word)
	if o.Flavor == dialect.OpenRouterFlavor {
		dst = appendText(dst, "native_finish_reason", first(c.Native, word))
	}
	return append(dst, '}')
}

// isLegacy tells whether the client speaks of functions in place of tools.
func isLegacy(o *dialect.Exchange) bool { return o.Request != nil && o.Request.LegacyFunctions }

// answerWriter sorts the parts of an answer.
type answerWriter struct {
	text, refusal, thinking strings.Builder
	hasText                 bool
	annotations, details    []byte
	images, calls, audio    []byte
	lastCall                *neutral.ToolCall
	index                   int
	hidden                  bool
	o                       *dialect.Exchange
}

// appendAnswer appends the message of an answer.
func appendAnswer(dst []byte, parts []neutral.Part, o *dialect.Exchange) []byte {
	w := answerWriter{o: o, hidden: hidesThinking(o), annotations: []byte{'['}, details: []byte{'['}, images: []byte{'['}, calls: []byte{'['}}
	for i := range parts {
		w.add(parts, i)
	}
	dst = append(append(dst, `{"role":"assistant"`...), `,"content":`...)
	if w.hasText {
		dst = jsonscan.AppendQuoted(dst, w.text.String())
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendKey(dst, "refusal")
	if w.refusal.Len() > 0 {
		dst = jsonscan.AppendQuoted(dst, w.refusal.String())
	} else {
		dst = append(dst, "null"...)
	}
	if w.thinking.Len() > 0 {
		dst = appendText(dst, reasoningName(o.Flavor), w.thinking.String())
	}
	for _, list := range []struct {
		name  string
		items []byte
	}{{"reasoning_details", w.details}, {"annotations", w.annotations}, {"images", w.images}} {
		if len(list.items) > 1 {
			dst = append(appendRaw(dst, list.name, list.items), ']')
		}
	}
	if w.audio != nil {
		dst = appendRaw(dst, "audio", w.audio)
	}
	return append(w.appendCalls(dst, o), '}')
}

// appendCalls appends the calls, of which clients of the older functions know one.
func (w *answerWriter) appendCalls(dst []byte, o *dialect.Exchange) []byte {
	switch {
	case w.lastCall == nil:
		return dst
	case isLegacy(o):
		dst = appendText(append(appendKey(dst, "function_call"), '{'), "name", w.lastCall.Name)
		return append(appendText(dst, "arguments", w.lastCall.Arguments), '}')
	}
	return append(appendRaw(dst, "tool_calls", w.calls), ']')
}

// add takes in a part.
func (w *answerWriter) add(parts []neutral.Part, i int) {
	p := &parts[i]
	switch p.Kind {
	case neutral.TextPart:
		start := int64(utf8.RuneCountInString(w.text.String()))
		w.text.WriteString(p.Text)
		w.hasText = true
		for j := range p.Citations {
			w.annotations = appendCitation(w.annotations, &p.Citations[j], start, start+int64(utf8.RuneCountInString(p.Text)))
		}
	case neutral.RefusalPart:
		w.refusal.WriteString(p.Text)
	case neutral.ReasoningPart:
		w.thought(parts, i)
	case neutral.ToolCallPart:
		w.calls = append(appendCall(append(appendComma(w.calls), '{'), p.Call), '}')
		if seal := sealBefore(parts, i); seal != "" {
			w.calls = append(appendSeal(w.calls[:len(w.calls)-1], seal), '}')
		}
		if w.lastCall == nil {
			w.lastCall = p.Call
		}
	case neutral.ImagePart:
		w.images = appendImage(w.images, p.Media)
	case neutral.AudioPart:
		w.audio = append(appendText([]byte(`{"id":"audio","expires_at":0,"transcript":""`), "data", p.Media.Data), '}')
	default: // What has no place in an answer.
	}
}

// thought takes in thinking. A seal of Gemini's goes with the call that follows it.
func (w *answerWriter) thought(parts []neutral.Part, i int) {
	t, call := parts[i].Thought, ""
	if t.Origin == neutral.OriginGemini && t.Encrypted != "" && i+1 < len(parts) && parts[i+1].Kind == neutral.ToolCallPart {
		call = parts[i+1].Call.ID
	}
	if w.hidden {
		if t.Encrypted == "" {
			return
		}
		t = &neutral.Thought{ID: t.ID, Encrypted: t.Encrypted, Origin: t.Origin}
	}
	w.thinking.WriteString(t.Text)
	if t.Text == "" {
		w.thinking.WriteString(strings.Join(t.Summary, "\n\n"))
	}
	told := *t
	told.Origin = formatOf(t.Origin, w.o)
	w.details, w.index = appendDetails(w.details, &told, w.index, call)
}

// sealBefore is Gemini's seal of the call at an index; "" when it has none.
func sealBefore(parts []neutral.Part, i int) string {
	if i == 0 || parts[i-1].Kind != neutral.ReasoningPart || parts[i-1].Thought.Origin != neutral.OriginGemini {
		return ""
	}
	return parts[i-1].Thought.Encrypted
}

// appendCall appends the members of a call.
func appendCall(dst []byte, call *neutral.ToolCall) []byte {
	dst = append(appendText(dst, "id", call.ID), `,"type":"function","function":{`...)
	dst = appendText(dst, "name", call.Name)
	return append(appendText(dst, "arguments", call.Arguments), '}')
}

func appendImage(dst []byte, m *neutral.Media) []byte {
	url := m.URL
	if m.Data != "" {
		url = dataURL(m, "image/png")
	}
	dst = append(appendComma(dst), `{"type":"image_url","image_url":{`...)
	return append(appendText(dst, "url", url), "}}"...)
}

// appendCitation appends an annotation for the text from start to end, unless the citation itself tells where it belongs. A document of the request has no
// URL; its number stands there.
func appendCitation(dst []byte, c *neutral.Citation, start, end int64) []byte {
	dst = appendComma(dst)
	if c.Source == neutral.ChatCompletions && len(c.Raw) > 0 {
		return append(dst, c.Raw...)
	}
	if c.End > 0 {
		start, end = c.Start, c.End
	}
	dst = append(dst, `{"type":"url_citation","url_citation":{`...)
	url := c.URL
	if url == "" && c.Document >= 0 {
		url = "#document-" + string(appendNumber(nil, c.Document))
	}
	dst = appendText(dst, "url", url)
	dst = appendText(dst, "title", c.Title)
	if c.CitedText != "" {
		dst = appendText(dst, "content", c.CitedText)
	}
	dst = appendInteger(dst, "start_index", start)
	return append(appendInteger(dst, "end_index", end), "}}"...)
}
