package otlp

import (
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/telemetry"
	"signalbox.dev/signalbox/proxy/usage"
)

// eventName tells usage records from other logs.
const eventName = "signalbox.usage"

// attributes is a list in the making. What is empty or zero is left out, but for what is always known.
type attributes []*common.KeyValue

func (a attributes) add(key string, value *common.AnyValue) attributes {
	return append(a, &common.KeyValue{Key: key, Value: value})
}

func (a attributes) text(key, value string) attributes {
	if value == "" {
		return a
	}
	return a.add(key, &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}})
}

func (a attributes) number(key string, value int64) attributes {
	return a.add(key, &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: value}})
}

func (a attributes) count(key string, value int64) attributes {
	if value == 0 {
		return a
	}
	return a.number(key, value)
}

// flag is one that is said only when it is so.
type flag struct {
	key string
	set bool
}

func (a attributes) flags(flags ...flag) attributes {
	for _, f := range flags {
		if f.set {
			a = a.add(f.key, &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: true}})
		}
	}
	return a
}

func (a attributes) list(key string, values []string) attributes {
	if len(values) == 0 {
		return a
	}
	array := &common.ArrayValue{}
	for _, value := range values {
		array.Values = append(array.Values, &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}})
	}
	return a.add(key, &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: array}})
}

func logRecord(r *usage.Record) *logs.LogRecord {
	ended := r.Time.Add(r.Duration)
	a := attributes{}.
		text("gen_ai.operation.name", r.Operation).text("gen_ai.provider.name", telemetry.ProviderName(r.Provider)).
		text("gen_ai.request.model", r.Model).text("gen_ai.response.model", r.Served).text("gen_ai.response.id", r.UpstreamID).
		flags(flag{"gen_ai.request.stream", r.Stream})
	if r.FirstToken > 0 {
		a = a.add("gen_ai.response.time_to_first_chunk", &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: r.FirstToken.Seconds()}})
	}
	if r.Outcome != usage.Completed {
		a = a.text("error.type", r.Code)
	}
	a = a.count("http.response.status_code", int64(r.Status)).text("user.id", r.EndUser)
	a = a.usage(&r.Usage).request(r)
	return &logs.LogRecord{
		TimeUnixNano: nanos(r.Time.UnixNano()), ObservedTimeUnixNano: nanos(ended.UnixNano()), EventName: eventName,
		SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_INFO, SeverityText: "INFO", Attributes: a,
		Body: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "usage"}},
	}
}

// nanos is a time of the protocol; one before 1970 is not known.
func nanos(n int64) uint64 { return uint64(max(n, 0)) }

func (a attributes) usage(u *meter.Usage) attributes {
	return a.
		number("gen_ai.usage.input_tokens", u.Prompt).number("gen_ai.usage.output_tokens", u.Completion).
		count("gen_ai.usage.cache_read.input_tokens", u.Cached).count("gen_ai.usage.cache_creation.input_tokens", u.CacheWrite).
		count("gen_ai.usage.reasoning.output_tokens", u.Reasoning).
		count("signalbox.usage.cache_write_1h_tokens", u.CacheWrite1h).count("signalbox.usage.prompt_audio_tokens", u.PromptAudio).
		count("signalbox.usage.cached_audio_tokens", u.CachedAudio).count("signalbox.usage.prompt_image_tokens", u.PromptImage).
		count("signalbox.usage.completion_audio_tokens", u.CompletionAudio).count("signalbox.usage.completion_image_tokens", u.CompletionImage).
		count("signalbox.usage.images", u.Images).count("signalbox.usage.audio_ms", u.AudioMillis).count("signalbox.usage.speech_ms", u.SpeechMillis).
		count("signalbox.usage.characters", u.Characters).count("signalbox.usage.searches", u.Searches).
		count("signalbox.usage.search_units", u.SearchUnits).text("signalbox.usage.service_tier", u.Service)
}

func (a attributes) request(r *usage.Record) attributes {
	a = a.
		text("signalbox.schema", usage.Schema).text("signalbox.record.id", r.ID).text("signalbox.request.id", r.RequestID).
		text("signalbox.caller", r.Caller).text("signalbox.route", r.Route).
		text("signalbox.routed_from", r.RoutedFrom).text("signalbox.target", r.Target).
		number("signalbox.cost_nanodollars", r.Cost).text("signalbox.cost_usd", meter.FormatUSD(r.Cost)).
		text("signalbox.price_source", r.PriceSource).count("signalbox.list_cost_nanodollars", r.ListCost).
		number("signalbox.duration_us", r.Duration.Microseconds()).count("signalbox.upstream_us", r.Upstream.Microseconds()).
		number("signalbox.attempts", int64(len(r.Attempts))).text("signalbox.code", r.Code).text("signalbox.outcome", string(r.Outcome)).
		list("signalbox.budgets", r.Budgets).
		flags(
			flag{"signalbox.trusted", r.Trusted}, flag{"signalbox.mirror", r.Mirror}, flag{"signalbox.unpriced", r.Unpriced},
			flag{"signalbox.estimated", r.Estimated},
		)
	if r.Usage.ReportedCost != nil {
		a = a.number("signalbox.reported_cost_nanodollars", *r.Usage.ReportedCost)
	}
	for i := range r.Tags {
		a = a.text("signalbox.tag."+r.Tags[i].Key, r.Tags[i].Value)
	}
	return a
}
