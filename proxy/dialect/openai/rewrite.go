package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// Edit is what the proxy changes in a request.
type Edit struct {
	// Model is put in the place of the client's; empty keeps it.
	Model string
	// Usage is what becomes of "stream_options"; the zero value keeps it.
	Usage UsageEdit
}

// UsageEdit is what becomes of a request's "stream_options", by what the provider understands.
type UsageEdit int

// The edits of usage.
const (
	// KeepUsage leaves "stream_options" as it is.
	KeepUsage UsageEdit = iota
	// ForceUsage makes a stream report its usage. It changes nothing in a request without a stream.
	ForceUsage
	// DropUsage takes "stream_options" out, for a provider that refuses it and reports usage unasked.
	DropUsage
)

// patch replaces the bytes from at to end.
type patch struct {
	at, end int
	text    string
}

// Rewrite appends body with the edit to dst and returns it. body must be the bytes that h was read from, and not overlap dst. All bytes but the edited
// values stay as they are.
func (h Head) Rewrite(dst, body []byte, e Edit) []byte {
	usage := h.usagePatch(e.Usage)
	dst = slices.Grow(dst, len(body)+len(e.Model)+len(usage.text))
	if e.Model == "" {
		return append(usage.apply(dst, body, 0), body[usage.end:]...)
	}
	if usage.end <= h.model.at {
		dst = append(usage.apply(dst, body, 0), body[usage.end:h.model.at]...)
		return append(jsonscan.AppendQuoted(dst, e.Model), body[h.model.end:]...)
	}
	dst = jsonscan.AppendQuoted(append(dst, body[:h.model.at]...), e.Model)
	return append(usage.apply(dst, body, h.model.end), body[usage.end:]...)
}

// usagePatch is the edit in bytes; a patch of nothing at the body's beginning where there is nothing to change.
func (h Head) usagePatch(edit UsageEdit) patch {
	switch {
	case edit == ForceUsage && h.Stream && !h.IncludeUsage:
		return h.usage
	case edit == DropUsage:
		return h.options
	default:
		return patch{}
	}
}

// apply appends the bytes from an offset up to the patch, and its text.
func (p patch) apply(dst, body []byte, from int) []byte {
	return append(append(dst, body[from:p.at]...), p.text...)
}
