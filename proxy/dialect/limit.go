package dialect

import (
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Limit is the output limit that a request is sent with, by the client's own; 0 leaves that as it is.
func (t *Target) Limit(client int64) int64 {
	if client > 0 && t.OutputLimit > 0 {
		return min(client, t.OutputLimit)
	}
	return t.OutputLimit
}

// WithLimit returns a target that wants the output limit in the body under this name, in place of the client's; t itself where it has no limit.
func (t Target) WithLimit(name string, client int64) Target {
	limit := t.Limit(client)
	if limit <= 0 {
		return t
	}
	t.Set = append(slices.Clone(t.Set), neutral.Member{Name: name, Value: strconv.AppendInt(nil, limit, 10)})
	return t
}

// limited is a request with the target's output limit, which others must not see.
func limited(r *neutral.Request, to *Target) *neutral.Request {
	if to.OutputLimit <= 0 {
		return r
	}
	client := int64(0)
	if r.MaxTokens != nil {
		client = *r.MaxTokens
	}
	with := *r
	with.MaxTokens = new(to.Limit(client))
	return &with
}
