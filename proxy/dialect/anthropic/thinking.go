package anthropic

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The ways to think, and to show it.
const (
	thinkingEnabled      = "enabled"
	thinkingAdaptive     = "adaptive"
	thinkingDisabled     = "disabled"
	thinkingBetweenTools = "between_tools"
	displaySummarized    = "summarized"
	displayOmitted       = "omitted"
)

const (
	// minBudget and maxBudget bound a budget for thinking.
	minBudget = 1024
	maxBudget = 128_000
	// answerRoom is what a limit leaves for the answer behind the thinking, where the client set no limit.
	answerRoom = 8192
)

// thinking is what a request says of it. The zero value says nothing.
type thinking struct {
	kind, display string
	budget        int64
	effort        string
	// dropped is the name of what was asked for and cannot be had; empty for nothing.
	dropped string
}

// on tells that the model will think.
func (t thinking) on() bool { return t.kind == thinkingEnabled || t.kind == thinkingAdaptive }

// planThinking decides how to ask a model for thinking. limit is the limit on the answer, which includes the thinking; fixed tells that the client set it.
func planThinking(r *neutral.Request, m traits, limit int64) thinking {
	switch {
	case r.Reasoning == nil:
		return thinking{}
	case r.Source == neutral.Messages:
		return sameThinking(r.Reasoning)
	case r.Reasoning.Effort == "none" || r.Reasoning.Enabled != nil && !*r.Reasoning.Enabled:
		return m.noThinking()
	case m.budget() && (!m.adaptive() || r.Reasoning.MaxTokens != nil):
		return budgetThinking(r, limit)
	case m.adaptive():
		return m.adaptiveThinking(r.Reasoning)
	}
	return thinking{dropped: "reasoning"}
}

// sameThinking says what a request of this API said.
func sameThinking(r *neutral.Reasoning) thinking {
	t := thinking{effort: r.Effort}
	switch {
	case r.Adaptive:
		t.kind = thinkingAdaptive
	case r.Enabled != nil && !*r.Enabled:
		t.kind = thinkingDisabled
		return t
	case r.MaxTokens != nil:
		t.kind, t.budget = thinkingEnabled, *r.MaxTokens
	default:
		return t
	}
	switch {
	case r.Exclude:
		t.display = displayOmitted
	case r.Summary != "":
		t.display = displaySummarized
	}
	return t
}

// noThinking asks for no thinking, or as little as the model can do with.
func (t traits) noThinking() thinking {
	switch {
	case t.thinksBetweenTools():
		return thinking{kind: thinkingBetweenTools}
	case t.alwaysThinks():
		return thinking{effort: "low"}
	case t.thinksUnasked():
		return thinking{kind: thinkingDisabled}
	}
	return thinking{}
}

// adaptiveThinking asks a model to think as much as it finds right for an effort. A budget cannot be had.
func (t traits) adaptiveThinking(r *neutral.Reasoning) thinking {
	plan := thinking{kind: thinkingAdaptive, effort: t.effort(r.Effort)}
	switch {
	case r.Exclude:
		plan.display = displayOmitted
	case !t.budget(): // Models since 4.7 hide their thinking unless they are asked for it.
		plan.display = displaySummarized
	}
	if r.MaxTokens != nil {
		plan.dropped = "reasoning.max_tokens"
	}
	return plan
}

// effort is the model's word for an effort, or for the nearest that it has.
func (t traits) effort(asked string) string {
	_, xhigh, most := t.efforts()
	switch {
	case asked == "minimal":
		return "low"
	case asked == "xhigh" && !xhigh, asked == "max" && !most:
		return "high"
	case slices.Contains([]string{"low", "medium", "high", "xhigh", "max"}, asked):
		return asked
	}
	return ""
}

// budgetThinking asks for thinking within a budget: the one that was given, or the share of the limit that OpenRouter takes for an effort.
func budgetThinking(r *neutral.Request, limit int64) thinking {
	budget := limit * effortPercent(r.Reasoning.Effort) / 100
	if r.Reasoning.MaxTokens != nil {
		budget = *r.Reasoning.MaxTokens
	}
	budget = min(max(budget, minBudget), maxBudget, limit-1)
	if budget < minBudget {
		return thinking{dropped: "reasoning"}
	}
	plan := thinking{kind: thinkingEnabled, budget: budget}
	if r.Reasoning.Exclude {
		plan.display = displayOmitted
	}
	return plan
}

// effortPercent is the share of the limit that an effort gets for thinking.
func effortPercent(effort string) int64 {
	switch effort {
	case "max", "xhigh":
		return 95
	case "high":
		return 80
	case "low":
		return 20
	case "minimal":
		return 10
	}
	return 50
}

// outputLimit is the limit on the answer: the client's, as far as the model can do that, or else a default with room for the thinking that was asked for.
// reduced tells that the client's is more than the model can do.
func outputLimit(r *neutral.Request, m traits) (limit int64, reduced bool) {
	most := m.maxOutput()
	if r.MaxTokens != nil {
		if most > 0 && *r.MaxTokens > most && r.Source != neutral.Messages {
			return most, true
		}
		return *r.MaxTokens, false
	}
	limit = m.defaultMaxTokens()
	if r.Reasoning != nil && r.Reasoning.MaxTokens != nil {
		limit = max(limit, min(*r.Reasoning.MaxTokens, maxBudget)+answerRoom)
	}
	if most > 0 {
		limit = min(limit, most)
	}
	return limit, false
}
