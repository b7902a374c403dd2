package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
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

// Rewrite appends body with the edit to dst and returns it. body must be the bytes that h was read from, and not overlap dst. All bytes but the edited
// values stay as they are.
func Rewrite(dst, body []byte, h dialect.Head, e Edit) []byte {
	usage := usagePatch(h, e.Usage)
	dst = slices.Grow(dst, len(body)+len(e.Model)+len(usage.Text))
	if e.Model == "" {
		return append(apply(dst, body, usage, 0), body[usage.End:]...)
	}
	if usage.End <= h.ModelAt.At {
		dst = append(apply(dst, body, usage, 0), body[usage.End:h.ModelAt.At]...)
		return append(jsonscan.AppendQuoted(dst, e.Model), body[h.ModelAt.End:]...)
	}
	dst = jsonscan.AppendQuoted(append(dst, body[:h.ModelAt.At]...), e.Model)
	return append(apply(dst, body, usage, h.ModelAt.End), body[usage.End:]...)
}

// usagePatch is the edit in bytes; a patch of nothing at the body's beginning where there is nothing to change.
func usagePatch(h dialect.Head, edit UsageEdit) dialect.Patch {
	switch {
	case edit == ForceUsage && h.Stream && !h.IncludeUsage:
		return h.UsageAt
	case edit == DropUsage:
		return h.OptionsAt
	default:
		return dialect.Patch{}
	}
}

// apply appends the bytes from an offset up to the patch, and its text.
func apply(dst, body []byte, p dialect.Patch, from int) []byte {
	return append(append(dst, body[from:p.At]...), p.Text...)
}
