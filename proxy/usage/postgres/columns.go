package postgres

import (
	"encoding/json"
	"strings"

	"signalbox.dev/signalbox/proxy/usage"
)

// column is one of the table.
type column struct {
	name, kind string
	value      func(*usage.Record) any
}

// columns of the table, in its order. A new version of the schema adds to the end.
func columns() []column {
	return append([]column{
		{"time", "timestamptz not null", func(r *usage.Record) any { return r.Time }},
		{"id", "text not null", func(r *usage.Record) any { return r.ID }},
		{"namespace", "text not null", func(r *usage.Record) any { return r.Namespace }},
		{"request_id", "text not null", func(r *usage.Record) any { return r.RequestID }},
		{"pod", "text not null", func(r *usage.Record) any { return r.Pod }},
		{"caller", "text not null", func(r *usage.Record) any { return r.Caller }},
		{"end_user", "text not null", func(r *usage.Record) any { return r.EndUser }},
		{"tags", "jsonb not null", func(r *usage.Record) any { return tagsOf(r) }},
		{"trusted", "boolean not null", func(r *usage.Record) any { return r.Trusted }},
		{"operation", "text not null", func(r *usage.Record) any { return r.Operation }},
		{"route", "text not null", func(r *usage.Record) any { return r.Route }},
		{"routed_from", "text not null", func(r *usage.Record) any { return r.RoutedFrom }},
		{"target", "text not null", func(r *usage.Record) any { return r.Target }},
		{"provider", "text not null", func(r *usage.Record) any { return r.Provider }},
		{"model", "text not null", func(r *usage.Record) any { return r.Model }},
		{"served_model", "text not null", func(r *usage.Record) any { return r.Served }},
		{"upstream_id", "text not null", func(r *usage.Record) any { return r.UpstreamID }},
		{"stream", "boolean not null", func(r *usage.Record) any { return r.Stream }},
		{"mirror", "boolean not null", func(r *usage.Record) any { return r.Mirror }},
		{"first_token_us", "bigint not null", func(r *usage.Record) any { return r.FirstToken.Microseconds() }},
		{"upstream_us", "bigint not null", func(r *usage.Record) any { return r.Upstream.Microseconds() }},
		{"duration_us", "bigint not null", func(r *usage.Record) any { return r.Duration.Microseconds() }},
		{"attempts", "jsonb not null", func(r *usage.Record) any { return attemptsOf(r) }},
		{"status", "integer not null", func(r *usage.Record) any { return r.Status }},
		{"code", "text not null", func(r *usage.Record) any { return r.Code }},
		{"outcome", "text not null", func(r *usage.Record) any { return string(r.Outcome) }},
		{"budgets", "text[] not null", func(r *usage.Record) any { return budgetsOf(r) }},
	}, amounts()...)
}

// amounts are the columns of usage and money.
func amounts() []column {
	const count = "bigint not null"
	return []column{
		{"prompt_tokens", count, func(r *usage.Record) any { return r.Usage.Prompt }},
		{"cached_tokens", count, func(r *usage.Record) any { return r.Usage.Cached }},
		{"cache_write_tokens", count, func(r *usage.Record) any { return r.Usage.CacheWrite }},
		{"cache_write_1h_tokens", count, func(r *usage.Record) any { return r.Usage.CacheWrite1h }},
		{"prompt_audio_tokens", count, func(r *usage.Record) any { return r.Usage.PromptAudio }},
		{"cached_audio_tokens", count, func(r *usage.Record) any { return r.Usage.CachedAudio }},
		{"prompt_image_tokens", count, func(r *usage.Record) any { return r.Usage.PromptImage }},
		{"completion_tokens", count, func(r *usage.Record) any { return r.Usage.Completion }},
		{"reasoning_tokens", count, func(r *usage.Record) any { return r.Usage.Reasoning }},
		{"completion_audio_tokens", count, func(r *usage.Record) any { return r.Usage.CompletionAudio }},
		{"completion_image_tokens", count, func(r *usage.Record) any { return r.Usage.CompletionImage }},
		{"images", count, func(r *usage.Record) any { return r.Usage.Images }},
		{"audio_ms", count, func(r *usage.Record) any { return r.Usage.AudioMillis }},
		{"speech_ms", count, func(r *usage.Record) any { return r.Usage.SpeechMillis }},
		{"characters", count, func(r *usage.Record) any { return r.Usage.Characters }},
		{"searches", count, func(r *usage.Record) any { return r.Usage.Searches }},
		{"search_units", count, func(r *usage.Record) any { return r.Usage.SearchUnits }},
		{"service_tier", "text not null", func(r *usage.Record) any { return r.Usage.Service }},
		{"reported_cost_nanodollars", "bigint", func(r *usage.Record) any { return r.Usage.ReportedCost }},
		{"cost_nanodollars", count + " check (cost_nanodollars >= 0)", func(r *usage.Record) any { return r.Cost }},
		{"unpriced", "boolean not null", func(r *usage.Record) any { return r.Unpriced }},
		{"price_source", "text not null", func(r *usage.Record) any { return r.PriceSource }},
		{"list_cost_nanodollars", count, func(r *usage.Record) any { return r.ListCost }},
		{"estimated", "boolean not null", func(r *usage.Record) any { return r.Estimated }},
	}
}

func tagsOf(r *usage.Record) map[string]string {
	tags := make(map[string]string, len(r.Tags))
	for i := range r.Tags {
		tags[r.Tags[i].Key] = r.Tags[i].Value
	}
	return tags
}

// attemptsOf is the same JSON as in the record's own form.
func attemptsOf(r *usage.Record) json.RawMessage { return usage.AppendAttempts(nil, r.Attempts) }

// budgetsOf is a list that is not nil, which would be NULL.
func budgetsOf(r *usage.Record) []string {
	if r.Budgets == nil {
		return []string{}
	}
	return r.Budgets
}

// names lists the columns.
func names() []string {
	var list []string
	for _, c := range columns() {
		list = append(list, c.name)
	}
	return list
}

// definitions are the columns as in CREATE TABLE; a name is a word without anything to quote.
func definitions() string {
	var list []string
	for _, c := range columns() {
		list = append(list, c.name+" "+c.kind)
	}
	return strings.Join(list, ",\n")
}
