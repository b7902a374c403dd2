package tracing

import (
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"signalbox.dev/signalbox/proxy/telemetry"
)

// attributes is a list in the making. What is empty or zero is left out.
type attributes []attribute.KeyValue

func (a *attributes) text(key, value string) {
	if value != "" {
		*a = append(*a, attribute.String(key, valid(value)))
	}
}

func (a *attributes) count(key string, value int64) {
	if value != 0 {
		*a = append(*a, attribute.Int64(key, value))
	}
}

// mark is an attribute that is there only when it is so.
type mark struct {
	key string
	set bool
}

func (a *attributes) marks(marks ...mark) {
	for _, m := range marks {
		if m.set {
			*a = append(*a, attribute.Bool(m.key, true))
		}
	}
}

func (a *attributes) seconds(key string, value time.Duration) {
	if value > 0 {
		*a = append(*a, attribute.Float64(key, value.Seconds()))
	}
}

// usage is what was used, if anything was.
func (a *attributes) usage(u *telemetry.Usage) {
	a.count("gen_ai.usage.input_tokens", u.Prompt)
	a.count("gen_ai.usage.output_tokens", u.Completion)
	a.count("gen_ai.usage.cache_read.input_tokens", u.Cached)
	a.marks(mark{"signalbox.estimated", u.Estimated})
}

// cost is there where it is known, also when it is nothing.
func (a *attributes) cost(nano int64) {
	*a = append(*a, attribute.Int64("signalbox.cost_nanodollars", nano))
}

// failure is the code of an error.
func (a *attributes) failure(code string) {
	if code != codeOK {
		a.text("error.type", code)
	}
}

// valid replaces what is not UTF-8, for which a collector would refuse a whole batch.
func valid(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

// bounded cuts a name that clients may have chosen, between letters.
func bounded(name string) string {
	name = valid(name)
	if len(name) <= maxAttributeBytes {
		return name
	}
	cut := maxAttributeBytes
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut]
}
