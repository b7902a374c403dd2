package cohere

import (
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// parameters writes what steers sampling, in Cohere's names and ranges.
func (w *chatWriter) parameters() {
	r := w.request
	w.count("max_tokens", r.MaxTokens)
	if len(r.Stop) > 0 {
		w.texts("stop_sequences", r.Stop)
	}
	w.given("temperature", string(r.Temperature))
	w.given("seed", string(r.Seed))
	w.given("k", string(r.TopK))
	w.given("p", string(within(r.TopP, "0.01", "0.99")))
	for _, penalty := range []struct {
		name  string
		value neutral.Number
	}{{"frequency_penalty", r.FrequencyPenalty}, {"presence_penalty", r.PresencePenalty}} {
		cut := within(penalty.value, "0", "1")
		if cut != penalty.value {
			w.report.Drop(penalty.name)
		}
		w.given(penalty.name, string(cut))
	}
	if r.LogProbs {
		w.raw(`,"logprobs":true`)
	}
}

// within cuts a number that was given to a range.
func within(n, low, high neutral.Number) neutral.Number {
	value, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return n
	}
	if least, _ := strconv.ParseFloat(string(low), 64); value < least {
		return low
	}
	if most, _ := strconv.ParseFloat(string(high), 64); value > most {
		return high
	}
	return n
}

// thinking writes how much the model may think. Cohere has a budget and no levels of effort.
func (w *chatWriter) thinking() {
	reasoning := w.request.Reasoning
	if reasoning == nil {
		return
	}
	asked := reasoning.Effort != "" || reasoning.MaxTokens != nil || reasoning.Enabled != nil || reasoning.Adaptive
	off := reasoning.Effort == "none" || reasoning.Enabled != nil && !*reasoning.Enabled
	switch {
	case !asked:
	case !thinks(w.to.Model):
		if !off {
			w.report.Drop("reasoning_effort")
		}
	case off:
		w.raw(`,"thinking":{"type":"disabled"}`)
	default:
		w.raw(`,"thinking":{"type":"enabled"`)
		w.count("token_budget", budget(reasoning))
		w.raw("}")
	}
}

// thinks tells whether a model may be one that thinks. Cohere's older models refuse the parameter.
func thinks(model string) bool {
	for _, name := range []string{"command-r", "command-a-03", "command-a-vision", "command-a-translate", "command-light", "c4ai", "tiny-aya"} {
		if strings.Contains(model, name) {
			return false
		}
	}
	return true
}

// budget is how many tokens of thinking are wanted; nil leaves it to the model.
func budget(r *neutral.Reasoning) *int64 {
	tokens := int64(0)
	switch {
	case r.MaxTokens != nil:
		tokens = max(*r.MaxTokens, 1)
	case r.Effort == "minimal":
		tokens = 512
	case r.Effort == "low":
		tokens = 2048
	case r.Effort == "medium":
		tokens = 8192
	default:
		return nil
	}
	return &tokens
}
