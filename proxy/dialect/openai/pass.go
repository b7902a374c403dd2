package openai

import (
	"bytes"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// AppendPassed appends the request with the necessary edits.
func (Chat) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	return appendPassed(dst, body, h, to.WithLimit(limitName(&to), h.MaxTokens))
}

// AppendPassed appends the request with the necessary edits.
func (Text) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	return appendPassed(dst, body, h, to.WithLimit(oldLimit, h.MaxTokens))
}

// AppendPassed appends the request with the necessary edits.
func (Vectors) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	h.Stream = false
	return appendPassed(dst, body, h, to)
}

// AppendPassed appends the request with the target's model, and without what is for the proxy.
func (Plain) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	if h.Special || to.Preferences != nil {
		return appendSteered(dst, body, h, &to), neutral.Report{}, nil
	}
	if h.ModelAt.At < h.ModelAt.End {
		h.Stream = false
		return appendFast(dst, body, h, &to), neutral.Report{}, nil
	}
	dst = appendText(append(dst, '{'), "model", to.Model)
	if body[jsonscan.Space(body, h.ModelAt.At)] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, body[h.ModelAt.At:]...), neutral.Report{}, nil
}

// appendSteered writes the model in front of all other members but those that are for the proxy.
func appendSteered(dst, body []byte, h dialect.Head, to *dialect.Target) []byte {
	dst = appendText(append(dst, '{'), "model", to.Model)
	if to.Preferences != nil {
		dst = appendRaw(dst, "provider", to.Preferences)
	}
	walk := jsonscan.WalkObject(body, jsonscan.Space(body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if member.Value == h.ModelAt.At || dialect.Steers(string(member.Name(body)), to.Provider) {
			continue
		}
		dst = append(append(dst, ','), body[member.Start:end]...)
	}
	return append(dst, '}')
}

func appendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	marks := scanMarks(body) & marksAgainst(to.Provider)
	if !h.Special && marks == 0 && passesPlainly(&to) {
		return appendFast(dst, body, h, &to), neutral.Report{}, nil
	}
	target := to // What comes now needs it on the heap.
	p := passing{body: body, head: h, to: &target, marks: marks}
	if err := p.walk(); err != nil {
		return dst, neutral.Report{}, err
	}
	return dialect.Apply(dst, body, p.patches), p.report, nil
}

// passesPlainly tells whether a target takes all requests with no more than its own name of the model and another way to report usage.
func passesPlainly(to *dialect.Target) bool {
	q := &to.Quirks
	lists := len(q.Refused) + len(q.RefusedInMessages) + len(q.TextOnly) + len(to.Set)
	words := len(q.MaxTokens) + len(q.Seed) + len(q.ReasoningRequest) + len(q.ToolIDs)
	return lists+words == 0 && q.Accepted == nil && !to.ModelInPath && !to.StreamInPath && !refusesMedia(q) && !lacksFeatures(q)
}

func lacksFeatures(q *dialect.Quirks) bool {
	return q.NoDeveloper || q.NoJSONSchema || q.OneChoice || q.NoLogProbs || q.RequiredToolAny
}

func refusesMedia(q *dialect.Quirks) bool {
	return q.NoImageURLs || q.NoFiles || q.NoAudio || q.NoImages
}

// appendFast changes the model and, in a stream, the request for usage. All bytes but these stay as they are.
func appendFast(dst, body []byte, h dialect.Head, to *dialect.Target) []byte {
	usage := usagePatch(&h, to)
	dst = slices.Grow(dst, len(body)+len(to.Model)+len(usage.Text))
	if usage.End <= h.ModelAt.At {
		dst = append(apply(dst, body, usage, 0), body[usage.End:h.ModelAt.At]...)
		return append(jsonscan.AppendQuoted(dst, to.Model), body[h.ModelAt.End:]...)
	}
	dst = jsonscan.AppendQuoted(append(dst, body[:h.ModelAt.At]...), to.Model)
	return append(apply(dst, body, usage, h.ModelAt.End), body[usage.End:]...)
}

// usagePatch makes a stream report its usage, or takes "stream_options" out for a provider that refuses it; a patch of nothing at the body's beginning where
// there is nothing to change.
func usagePatch(h *dialect.Head, to *dialect.Target) dialect.Patch {
	switch {
	case to.Quirks.NoStreamUsage:
		return h.OptionsAt
	case h.Stream && !h.IncludeUsage:
		return h.UsageAt
	default:
		return dialect.Patch{}
	}
}

// apply appends the bytes from an offset up to the patch, and its text.
func apply(dst, body []byte, p dialect.Patch, from int) []byte {
	return append(append(dst, body[from:p.At]...), p.Text...)
}

// marks are what a body holds somewhere inside that not every vendor takes.
type marks uint8

const (
	// markDetails is the name reasoning_details, which may hold sealed thoughts.
	markDetails marks = 1 << iota
	// markExtra is the name extra_content, which may hold Gemini's seals.
	markExtra
	// markCache is the name cache_control.
	markCache
	// markHosted is a tool of OpenRouter's own.
	markHosted
)

// marksAgainst are the marks that a vendor must not see, or not unchecked.
func marksAgainst(vendor string) marks {
	found := markDetails | markExtra
	if vendor != vendorOpenRouter {
		found |= markHosted
	}
	if !takesCacheMarks(vendor) {
		found |= markCache
	}
	return found
}

// scanMarks goes from quote to quote, which is much faster than taking the JSON apart. It may see a mark where there is none, in a text. A client that writes
// a name with escapes hides its own seals from it, and gains nothing but the provider's refusal.
func scanMarks(body []byte) marks {
	var found marks
	for {
		at := bytes.IndexByte(body, '"') + 1
		if at == 0 || at == len(body) {
			return found
		}
		body = body[at:]
		switch body[0] {
		case 'r':
			found |= markIf(body, `reasoning_details"`, markDetails)
		case 'e':
			found |= markIf(body, `extra_content"`, markExtra)
		case 'c':
			found |= markIf(body, `cache_control"`, markCache)
		case 'o':
			found |= markIf(body, `openrouter:`, markHosted)
		}
	}
}

func markIf(body []byte, prefix string, mark marks) marks {
	if len(body) >= len(prefix) && string(body[:len(prefix)]) == prefix {
		return mark
	}
	return 0
}
