package responses

import (
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The bounds of thinking, in tokens, up to which an effort is low or medium, for APIs that know efforts only.
const (
	lowEffortTokens    = 2048
	mediumEffortTokens = 8192
)

// tiers are the service tiers that the API and chat completions share.
var tiers = [...]string{"auto", "default", "flex", "priority", "scale", "fast", "ultrafast"}

// chatMembers are members beyond the neutral form that mean the same in chat completions and here.
var chatMembers = [...]string{"safety_identifier", "prompt_cache_retention", "prompt_cache_options", "moderation"}

// sampling writes how the answer is drawn.
func (w *requestWriter) sampling() {
	r := w.request
	w.integer("max_output_tokens", r.MaxTokens)
	w.member("temperature", []byte(r.Temperature))
	w.member("top_p", []byte(r.TopP))
	if r.LogProbs || r.TopLogProbs != nil {
		w.integer("top_logprobs", r.TopLogProbs)
	}
	if w.native() { // OpenRouter and others have these here, too.
		w.member("top_k", []byte(r.TopK))
		w.member("frequency_penalty", []byte(r.FrequencyPenalty))
		w.member("presence_penalty", []byte(r.PresencePenalty))
	}
}

// reasoning writes how the model may think, and what the answer is to hold beyond the usual.
func (w *requestWriter) reasoning() {
	members, include := w.thinking(w.request.Reasoning)
	if w.native() {
		members = append(members, w.subExtra("reasoning")...)
	}
	if len(members) > 0 {
		w.member("reasoning", objectOf(members))
	}
	w.include(include)
}

// thinking is how the model may think. include is the inside of the list of what the answer is to hold because of it.
func (w *requestWriter) thinking(r *neutral.Reasoning) (members []neutral.Member, include []byte) {
	switch {
	case r == nil:
		return nil, nil
	case w.to.Quirks.ReasoningRequest == "none":
		if r.Effort != "" || thinks(r, "") || r.MaxTokens != nil {
			w.report.Drop("reasoning")
		}
		return nil, nil
	}
	effort := w.effort(r)
	for _, member := range [][2]string{{"effort", effort}, {"summary", r.Summary}} {
		if member[1] != "" {
			members = append(members, neutral.Member{Name: member[0], Value: quoted(member[1])})
		}
	}
	if w.native() {
		members = append(members, openRouterReasoning(r)...)
	}
	if r.Encrypted || !w.native() && thinks(r, effort) {
		include = quoted(includeEncrypted)
	}
	return members, include
}

// thinks tells whether thinking is asked for: then it has to come back sealed, so that the client can send it again. Models that cannot think refuse to seal.
func thinks(r *neutral.Reasoning, effort string) bool {
	return effort != "" && effort != "none" || r.Summary != "" || r.Adaptive || r.Enabled != nil && *r.Enabled
}

// openRouterReasoning are the members that only OpenRouter has here.
func openRouterReasoning(r *neutral.Reasoning) []neutral.Member {
	var members []neutral.Member
	if r.MaxTokens != nil {
		members = append(members, neutral.Member{Name: "max_tokens", Value: strconv.AppendInt(nil, *r.MaxTokens, 10)})
	}
	if r.Enabled != nil {
		members = append(members, neutral.Member{Name: "enabled", Value: strconv.AppendBool(nil, *r.Enabled)})
	}
	if r.Exclude {
		members = append(members, neutral.Member{Name: "exclude", Value: []byte("true")})
	}
	return members
}

// effort is how much the model may think, in the API's words. A bound in tokens becomes an effort. That thinking is switched off is no effort here: models
// that cannot think refuse every effort.
func (w *requestWriter) effort(r *neutral.Reasoning) string {
	switch {
	case r.Effort != "" || w.native():
		return r.Effort
	case r.Enabled != nil && !*r.Enabled:
		w.report.Drop("reasoning")
		return ""
	case r.MaxTokens == nil:
		return ""
	case *r.MaxTokens <= lowEffortTokens:
		return "low"
	case *r.MaxTokens <= mediumEffortTokens:
		return "medium"
	}
	return "high"
}

// include writes what the answer is to hold beyond the usual. list is the inside of its list so far.
func (w *requestWriter) include(list []byte) {
	if w.request.LogProbs {
		list = appendNext(list, quoted(includeLogProbs))
	}
	if w.native() {
		for _, extra := range w.request.Extra {
			if extra.Name == "include" {
				list = appendNext(list, extra.Value[1:len(extra.Value)-1])
			}
		}
	}
	if len(list) == 0 {
		return
	}
	value := append(append([]byte("["), list...), ']')
	if w.native() || w.request.LogProbs {
		w.member("include", value)
		return
	}
	w.own("include", value)
}

// identity writes who asks.
func (w *requestWriter) identity() {
	r := w.request
	w.quoted("user", r.User)
	if len(r.Metadata) > 0 {
		w.member("metadata", dialect.AppendJSON(nil, r.Metadata))
	}
	w.quoted("prompt_cache_key", r.PromptCacheKey)
	shared := r.Source == neutral.ChatCompletions && slices.Contains(tiers[:], r.ServiceTier)
	switch {
	case r.ServiceTier == "":
	case w.native() || shared:
		w.quoted("service_tier", r.ServiceTier)
	case r.ServiceTier != "auto":
		w.report.Drop("service_tier")
	}
}

// extra writes the members that the neutral form has no place for, or reports them.
func (w *requestWriter) extra() {
	for _, extra := range w.request.Extra {
		switch {
		case w.native():
			if extra.Name != "include" && !strings.Contains(extra.Name, ".") {
				w.member(extra.Name, extra.Value)
			}
		case w.request.Source == neutral.ChatCompletions && slices.Contains(chatMembers[:], extra.Name):
			w.member(extra.Name, extra.Value)
		default:
			w.report.DropExtra([]neutral.Member{extra})
		}
	}
}

// drop reports what the API does not have.
func (w *requestWriter) drop() {
	r := w.request
	dropped := []struct {
		name  string
		value neutral.Number
	}{{"min_p", r.MinP}, {"top_a", r.TopA}, {"repetition_penalty", r.RepetitionPenalty}, {"seed", r.Seed}}
	if !w.native() {
		dropped = append(dropped, []struct {
			name  string
			value neutral.Number
		}{{"top_k", r.TopK}, {"frequency_penalty", r.FrequencyPenalty}, {"presence_penalty", r.PresencePenalty}}...)
	}
	for _, d := range dropped {
		if d.value != "" && !asksNothing(d.name, []byte(d.value)) {
			w.report.Drop(d.name)
		}
	}
	if len(r.LogitBias) > 0 && !asksNothing("logit_bias", r.LogitBias) {
		w.report.Drop("logit_bias")
	}
	if r.Cache != nil {
		w.report.Drop("cache_control")
	}
}
