package gemini

import (
	"bytes"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// config writes the "generationConfig".
func (w *requestWriter) config() error {
	start := len(w.dst)
	w.dst = append(key(w.dst, "generationConfig"), '{')
	empty := len(w.dst)
	w.limits()
	w.sampling()
	w.format()
	if modalities := w.request.Modalities; len(modalities) > 1 || len(modalities) == 1 && (w.own() || modalities[0] != "text") {
		upper := make([]string, len(modalities))
		for i, modality := range modalities {
			upper[i] = strings.ToUpper(modality)
		}
		w.dst = stringsMember(w.dst, "responseModalities", upper)
	}
	w.thinking()
	w.extras("generationConfig")
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
		return nil
	}
	w.dst = append(w.dst, '}')
	return nil
}

// limits writes what bounds the answer.
func (w *requestWriter) limits() {
	r := w.request
	if r.MaxTokens != nil {
		w.dst = intMember(w.dst, "maxOutputTokens", *r.MaxTokens)
	}
	if r.N > 1 {
		w.dst = intMember(w.dst, "candidateCount", r.N)
	}
	if len(r.Stop) > 0 {
		w.dst = stringsMember(w.dst, "stopSequences", r.Stop)
	}
	if r.LogProbs {
		w.dst = rawMember(w.dst, "responseLogprobs", []byte("true"))
	}
	if r.TopLogProbs != nil && (r.LogProbs || w.own()) {
		w.dst = intMember(w.dst, "logprobs", *r.TopLogProbs)
	}
}

// sampling writes what steers sampling. A seed that does not fit into 32 bits is left out.
func (w *requestWriter) sampling() {
	r := w.request
	seed := r.Seed
	if _, err := strconv.ParseInt(string(seed), 10, 32); seed != "" && err != nil {
		w.report.Drop("seed")
		seed = ""
	}
	for _, n := range []struct {
		name  string
		value neutral.Number
	}{
		{"temperature", r.Temperature}, {"topP", r.TopP}, {"topK", r.TopK}, {"seed", seed},
		{"frequencyPenalty", r.FrequencyPenalty}, {"presencePenalty", r.PresencePenalty},
	} {
		if n.value != "" {
			w.dst = rawMember(w.dst, n.name, []byte(n.value))
		}
	}
}

// format writes what the answer's text looks like.
func (w *requestWriter) format() {
	format := w.request.Format
	switch format.Kind {
	case neutral.FormatJSONObject:
		if !w.jsonByPrompt() {
			w.dst = stringMember(w.dst, "responseMimeType", "application/json")
		}
	case neutral.FormatJSONSchema:
		w.dst = stringMember(w.dst, "responseMimeType", "application/json")
		if len(format.Schema) > 0 {
			w.dst = rawMember(w.dst, "responseJsonSchema", format.Schema)
		}
	case neutral.FormatOther:
		// Its members were taken from a request of this dialect.
		if raw := bytes.TrimSpace(format.Raw); len(raw) > len("{}") {
			w.dst = append(comma(w.dst), raw[1:len(raw)-1]...)
		}
	case neutral.FormatText:
	}
}

// thinking writes how much the model may think. Models before Gemini 2.5 do not.
func (w *requestWriter) thinking() {
	reasoning := w.request.Reasoning
	if reasoning == nil {
		return
	}
	if w.version.before(2, 5) {
		if !switchedOff(reasoning) {
			w.report.Drop("reasoning")
		}
		return
	}
	start := len(w.dst)
	w.dst = append(key(w.dst, "thinkingConfig"), '{')
	empty := len(w.dst)
	if w.version.from(3, 0) {
		if level := w.level(reasoning); level != "" {
			w.dst = stringMember(w.dst, "thinkingLevel", level)
		}
	} else if budget, ok := w.budget(reasoning); ok {
		w.dst = intMember(w.dst, "thinkingBudget", budget)
	}
	if !reasoning.Exclude && !switchedOff(reasoning) {
		w.dst = rawMember(w.dst, "includeThoughts", []byte("true"))
	}
	w.extras("generationConfig.thinkingConfig")
	if len(w.dst) == empty {
		w.dst = w.dst[:start]
		return
	}
	w.dst = append(w.dst, '}')
}

// switchedOff tells that no thinking is wanted.
func switchedOff(r *neutral.Reasoning) bool {
	return r.Effort == "none" || r.Enabled != nil && !*r.Enabled || r.MaxTokens != nil && *r.MaxTokens == 0
}

// The budgets that Google itself puts in the place of an effort, the largest ones that models take, and the smallest one of a model that always thinks.
const (
	lowBudget     = 1024
	mediumBudget  = 8192
	highBudget    = 24576
	maxProBudget  = 32768
	minProBudget  = 128
	dynamicBudget = -1
)

// budget is the number of tokens for thinking, for models before Gemini 3; false leaves it to the model.
func (w *requestWriter) budget(r *neutral.Reasoning) (int64, bool) {
	least, most := int64(0), int64(highBudget)
	if w.version.pro {
		least, most = minProBudget, maxProBudget
	}
	switch {
	case switchedOff(r):
		return least, true
	case r.MaxTokens != nil:
		return min(max(*r.MaxTokens, least), most), true
	}
	switch r.Effort {
	case "minimal", "low":
		return lowBudget, true
	case "medium":
		return mediumBudget, true
	case "high":
		return highBudget, true
	case "xhigh", "max":
		return most, true
	}
	return dynamicBudget, r.Adaptive || r.Enabled != nil
}

// level is the word for how much a model from Gemini 3 on may think; empty leaves it to the model. None of them can be kept from thinking.
func (w *requestWriter) level(r *neutral.Reasoning) string {
	least, medium := "LOW", "MEDIUM"
	if !w.version.pro && !w.version.from(3, 7) {
		least = "MINIMAL"
	}
	if w.version.pro && !w.version.from(3, 1) {
		medium = "HIGH"
	}
	effort := r.Effort
	if r.MaxTokens != nil && effort == "" {
		effort = effortOf(*r.MaxTokens)
	}
	switch {
	case switchedOff(r) || effort == "minimal":
		return least
	case effort == "low":
		return "LOW"
	case effort == "medium":
		return medium
	case effort != "":
		return "HIGH"
	}
	return ""
}

// effortOf is the effort that a budget is nearest to.
func effortOf(budget int64) string {
	switch {
	case budget <= 2*lowBudget:
		return "low"
	case budget <= 2*mediumBudget:
		return "medium"
	}
	return "high"
}
