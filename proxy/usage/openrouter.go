package usage

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// The answers of this file have the shapes of OpenRouter's API, so that its clients can read them. Numbers of dollars are exact decimals.

// globalRegion is the region of a proxy that has none: OpenRouter's clients know three.
const globalRegion = "global"

// AppendGeneration appends the answer of GET /api/v1/generation. What a proxy does not know, or does not keep because it could be content, is null.
func AppendGeneration(dst []byte, r *Record) []byte {
	w := writer{text: append(dst, `{"data":{"id":`...)}
	w.text = jsonscan.AppendQuoted(w.text, r.ID)
	w.string("model", r.Model)
	w.orNull("provider_name", r.Provider)
	w.orNull("upstream_id", r.UpstreamID)
	w.orNull("request_id", r.RequestID)
	w.orNull("api_type", apiType(r.Operation))
	w.string("created_at", r.Time.UTC().Format(time.RFC3339Nano))
	w.orNull("external_user", r.EndUser)
	w.string("origin", "")
	w.string("data_region", globalRegion)
	w.bool("is_byok", false)
	w.bool("streamed", r.Stream)
	w.bool("cancelled", r.Outcome == Canceled)
	w.orNull("service_tier", r.Usage.Service)
	w.generationMoney(r)
	w.generationTokens(&r.Usage)
	w.generationTimes(r)
	w.providerResponses(r.Attempts)
	for _, unknown := range [...]string{
		"app_id", "finish_reason", "native_finish_reason", "http_referer", "moderation_latency", "num_fetches", "num_input_audio_prompt",
		"num_media_prompt", "preset_id", "response_cache_source_id", "router", "session_id", "user_agent", "web_search_engine", "workspace_id",
	} {
		w.null(unknown)
	}
	return append(w.text, '}', '}')
}

func (w *writer) generationMoney(r *Record) {
	w.usd("total_cost", r.Cost)
	w.usd("usage", r.Cost)
	if r.Usage.ReportedCost != nil {
		w.usd("upstream_inference_cost", *r.Usage.ReportedCost)
	} else {
		w.null("upstream_inference_cost")
	}
	w.null("cache_discount")
}

func (w *writer) generationTokens(u *meter.Usage) {
	w.number("tokens_prompt", u.Prompt)
	w.number("tokens_completion", u.Completion)
	w.number("native_tokens_prompt", u.Prompt)
	w.number("native_tokens_completion", u.Completion)
	w.number("native_tokens_completion_images", u.CompletionImage)
	w.number("native_tokens_reasoning", u.Reasoning)
	w.number("native_tokens_cached", u.Cached)
	w.number("num_media_completion", u.Images)
	w.number("num_search_results", u.Searches)
}

// generationTimes splits the request at its first token; without a stream, where the provider's answer began.
func (w *writer) generationTimes(r *Record) {
	latency := cmp.Or(r.FirstToken, r.Upstream)
	w.number("latency", latency.Milliseconds())
	w.number("generation_time", max(0, r.Duration-latency).Milliseconds())
}

func (w *writer) providerResponses(attempts []Attempt) {
	w.name("provider_responses")
	w.text = append(w.text, '[')
	for i := range attempts {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		a := &attempts[i]
		w.text = append(w.text, `{"endpoint_id":`...)
		w.text = jsonscan.AppendQuoted(w.text, a.Target)
		w.string("provider_name", a.Provider)
		w.string("model_permaslug", a.Model)
		if a.Status != 0 {
			w.number("status", int64(a.Status))
		} else {
			w.null("status")
		}
		w.number("latency", a.Duration.Milliseconds())
		w.bool("is_byok", false)
		w.text = append(w.text, '}')
	}
	w.text = append(w.text, ']')
}

// apiType is OpenRouter's word for an operation; empty where it has none.
func apiType(operation string) string {
	switch operation {
	case "chat", "text_completion", "generate_content":
		return "completions"
	case "embeddings", "rerank":
		return operation
	case "image_generation":
		return "image"
	case "speech":
		return "tts"
	case "transcription":
		return "stt"
	default:
		return ""
	}
}

// AppendActivity appends the answer of GET /api/v1/activity: a row for each day of UTC, model and provider, the newest day first. date, as in 2006-01-02,
// chooses one day; empty is all. Today is among them, unlike with OpenRouter.
func AppendActivity(dst []byte, records []*Record, date string) []byte {
	rows := Summarize(records, []Dimension{"day", "model", "served_model", "provider", "target"})
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Values[0], a.Values[0]) })
	w := writer{text: append(dst, `{"data":[`...)}
	first := true
	for i := range rows {
		row := &rows[i]
		if date != "" && row.Values[0] != date {
			continue
		}
		if !first {
			w.text = append(w.text, ',')
		}
		first = false
		w.text = append(w.text, `{"date":"`+row.Values[0]+`"`...)
		w.string("model", row.Values[1])
		w.string("model_permaslug", row.Values[2])
		w.string("provider_name", row.Values[3])
		w.string("endpoint_id", row.Values[4])
		w.usd("usage", row.Cost)
		w.number("byok_usage_inference", 0)
		w.number("requests", row.Requests)
		w.number("prompt_tokens", row.Prompt)
		w.number("completion_tokens", row.Completion)
		w.number("reasoning_tokens", row.Reasoning)
		w.text = append(w.text, '}')
	}
	return append(w.text, ']', '}')
}

// KeyInfo is what the calling key may spend and has spent, in nano-dollars.
type KeyInfo struct {
	// Label is the caller's name.
	Label string
	// Limit of the tightest budget that counts the caller, and Remaining of it; Limited is false where no budget has a limit for it.
	Limit, Remaining int64
	Limited          bool
	// Period of that budget: Hour, Day, Week, Month or Total.
	Period string
	// Usage of the caller in that budget's window, or as far as the proxies remember where there is none; Daily, Weekly and Monthly of UTC's calendar.
	Usage, Daily, Weekly, Monthly int64
	// Expires is when the key ends; zero for never or not known.
	Expires time.Time
}

// AppendKey appends the answer of GET /api/v1/key.
func AppendKey(dst []byte, k *KeyInfo) []byte {
	w := writer{text: append(dst, `{"data":{"label":`...)}
	w.text = jsonscan.AppendQuoted(w.text, k.Label)
	if k.Limited {
		w.usd("limit", k.Limit)
		w.usd("limit_remaining", max(0, k.Remaining))
	} else {
		w.null("limit")
		w.null("limit_remaining")
	}
	w.orNull("limit_reset", limitReset(k.Period))
	w.usd("usage", k.Usage)
	w.usd("usage_daily", k.Daily)
	w.usd("usage_weekly", k.Weekly)
	w.usd("usage_monthly", k.Monthly)
	for _, name := range [...]string{"byok_usage", "byok_usage_daily", "byok_usage_weekly", "byok_usage_monthly"} {
		w.number(name, 0)
	}
	w.bool("include_byok_in_limit", false)
	w.bool("is_free_tier", false)
	w.bool("is_management_key", false)
	w.bool("is_provisioning_key", false)
	w.null("creator_user_id")
	w.null("organization_id")
	w.null("workspace_id")
	w.name("allowed_data_regions")
	w.text = append(w.text, `["`+globalRegion+`"]`...)
	w.name("free_model_daily_requests")
	w.text = append(w.text, `{"limit":0,"remaining":0,"used":0}`...)
	if k.Expires.IsZero() {
		w.null("expires_at")
	} else {
		w.string("expires_at", k.Expires.UTC().Format(time.RFC3339))
	}
	w.name("rate_limit")
	w.text = append(w.text, `{"requests":-1,"interval":"10s","note":"This field is deprecated and safe to ignore."}`...)
	return append(w.text, '}', '}')
}

// limitReset is OpenRouter's word for a period; empty where it has none.
func limitReset(period string) string {
	switch period {
	case "Day":
		return "daily"
	case "Week":
		return "weekly"
	case "Month":
		return "monthly"
	default:
		return ""
	}
}

// AppendCredits appends the answer of GET /api/v1/credits, in nano-dollars: what the caller's budget lets it spend, and what is spent of that.
func AppendCredits(dst []byte, total, used int64) []byte {
	w := writer{text: append(dst, `{"data":{"total_credits":`...)}
	w.text = meter.AppendUSD(w.text, total)
	w.usd("total_usage", used)
	return append(w.text, '}', '}')
}

func (w *writer) usd(name string, nano int64) {
	w.name(name)
	w.text = meter.AppendUSD(w.text, nano)
}

func (w *writer) null(name string) {
	w.name(name)
	w.text = append(w.text, "null"...)
}

func (w *writer) orNull(name, value string) {
	if value == "" {
		w.null(name)
		return
	}
	w.string(name, value)
}

func (w *writer) bool(name string, value bool) {
	w.name(name)
	w.text = strconv.AppendBool(w.text, value)
}
