package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// Edit is what the proxy changes in a request.
type Edit struct {
	// Model is put in the place of the client's; empty keeps it.
	Model string
	// ForceUsage makes a stream report its usage. It changes nothing in a request without a stream.
	ForceUsage bool
}

// patch replaces the bytes from at to end.
type patch struct {
	at, end int
	text    string
}

// Rewrite appends body with the edit to dst and returns it. body must be the bytes that h was read from, and not overlap dst. All bytes but the edited
// values stay as they are.
func (h Head) Rewrite(dst, body []byte, e Edit) []byte {
	var model, usage patch
	if e.Model != "" {
		model = h.model
	}
	if e.ForceUsage && h.Stream && !h.IncludeUsage {
		usage = h.usage
	}
	dst = slices.Grow(dst, len(body)+len(e.Model)+len(usage.text))
	if usage.text != "" && usage.at < model.at {
		dst = append(append(dst, body[:usage.at]...), usage.text...)
		dst = append(dst, body[usage.end:model.at]...)
		return append(jsonscan.AppendQuoted(dst, e.Model), body[model.end:]...)
	}
	if e.Model != "" {
		dst = jsonscan.AppendQuoted(append(dst, body[:model.at]...), e.Model)
	}
	if usage.text != "" {
		dst = append(append(dst, body[model.end:usage.at]...), usage.text...)
		return append(dst, body[usage.end:]...)
	}
	return append(dst, body[model.end:]...)
}
