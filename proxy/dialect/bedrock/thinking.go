package bedrock

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The bounds of a thinking budget, in tokens.
const (
	leastBudget = 1024
	mostBudget  = 32768
)

// thinking is how a model is made to think. The zero value leaves it to the model.
type thinking struct {
	// fields are the members of additionalModelRequestFields.
	fields string
	// effort is outputConfig.effort.
	effort string
	// fixed tells that temperature and the like may not be set.
	fixed bool
}

// wantsThinking tells whether the request asks for thinking.
func wantsThinking(r *neutral.Reasoning) bool {
	if r == nil || r.Effort == "none" || r.Enabled != nil && !*r.Enabled {
		return false
	}
	return r.Effort != "" || r.MaxTokens != nil || r.Enabled != nil || r.Adaptive
}

func (p *plan) chooseThinking(r *neutral.Request, report *neutral.Report) {
	if !wantsThinking(r.Reasoning) {
		return
	}
	switch p.model.family {
	case claude:
		p.thinking = p.claudeThinking(r)
	case nova:
		if p.model.version >= 2 {
			p.thinking = novaThinking(r, report)
		}
	case gptOSS:
		p.thinking = thinking{fields: `"reasoning_effort":"` + threeLevels(effortOf(r.Reasoning)) + `"`}
	default:
	}
	if p.thinking == (thinking{}) {
		report.Drop("reasoning_effort")
	}
}

// claudeThinking is how Claude thinks, which it cannot when a tool must be called.
func (p *plan) claudeThinking(r *neutral.Request) thinking {
	switch {
	case p.model.version >= claudeAdaptive && r.Source == neutral.Messages && onlyEffort(r.Reasoning):
		return thinking{effort: r.Reasoning.Effort}
	case p.forced() || p.model.version < claudeThinks:
		return thinking{}
	case p.model.version >= claudeAdaptive:
		return adaptive(r.Reasoning, p.model)
	case p.breaksThinking(r):
		return thinking{}
	default:
		return budgeted(r)
	}
}

// onlyEffort tells whether there is an effort and no word about thinking. To Anthropic's own clients that is an effort without thinking.
func onlyEffort(r *neutral.Reasoning) bool {
	return r.Effort != "" && r.MaxTokens == nil && r.Enabled == nil && !r.Adaptive
}

// effortOf is the wanted effort; of a number of tokens the level that it is worth.
func effortOf(r *neutral.Reasoning) string {
	switch {
	case r.Effort != "":
		return r.Effort
	case r.MaxTokens == nil:
		return ""
	case *r.MaxTokens <= 2048:
		return "low"
	case *r.MaxTokens <= 8192:
		return "medium"
	default:
		return "high"
	}
}

// threeLevels is the effort in the levels that other models have.
func threeLevels(effort string) string {
	switch effort {
	case "minimal", "low":
		return "low"
	case "high", "xhigh", "max":
		return "high"
	default:
		return "medium"
	}
}

// adaptive is how newer Claude models think.
func adaptive(r *neutral.Reasoning, m model) thinking {
	fields := `"thinking":{"type":"adaptive"`
	switch {
	case m.version < claudeNoSamplers:
	case r.Exclude:
		fields += `,"display":"omitted"`
	default:
		fields += `,"display":"summarized"`
	}
	effort := effortOf(r)
	switch {
	case effort == "minimal":
		effort = "low"
	case effort == "xhigh" && m.version < claudeNoSamplers:
		effort = "high"
	}
	return thinking{fields: fields + "}", effort: effort, fixed: true}
}

// budgeted is how older Claude models think. The budget is a part of the answer's limit; the zero value is returned when that leaves no room.
func budgeted(r *neutral.Request) thinking {
	budget := budgetOf(r)
	if r.MaxTokens != nil {
		budget = min(budget, *r.MaxTokens-1)
	}
	if budget < leastBudget {
		return thinking{}
	}
	return thinking{fields: `"thinking":{"type":"enabled","budget_tokens":` + strconv.FormatInt(budget, 10) + "}", fixed: true}
}

// budgetOf is how many tokens of thinking an effort is worth: a share of the answer's limit, or a fixed number where there is none.
func budgetOf(r *neutral.Request) int64 {
	if r.Reasoning.MaxTokens != nil {
		return max(*r.Reasoning.MaxTokens, leastBudget)
	}
	percent, fixed := int64(50), int64(8192)
	switch r.Reasoning.Effort {
	case "minimal":
		percent, fixed = 10, leastBudget
	case "low":
		percent, fixed = 20, 2048
	case "high":
		percent, fixed = 80, 16384
	case "xhigh", "max":
		percent, fixed = 95, mostBudget
	}
	if r.MaxTokens == nil {
		return fixed
	}
	limit := *r.MaxTokens
	return min(max(limit/100*percent+limit%100*percent/100, leastBudget), mostBudget)
}

// takes tells whether a thought can be sent back to the model: only to who sealed it.
func (p *plan) takes(t *neutral.Thought) bool {
	return t != nil && t.Sealed() && t.Origin == p.origin && p.origin != neutral.NoOrigin && p.model.seals()
}

// breaksThinking tells whether the conversation waits for the end of a turn that began without thinking, as turns do that came from another model or
// through a client that keeps no thoughts: Claude refuses to begin thinking in the middle of such a turn.
func (p *plan) breaksThinking(r *neutral.Request) bool {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		message := &r.Messages[i]
		switch message.Role {
		case neutral.ToolRole:
		case neutral.Assistant:
			return p.callsUnthinkingly(message)
		default:
			return false
		}
	}
	return false
}

// callsUnthinkingly tells whether a message of the model has a call and does not begin with a thought that goes back to Claude.
func (p *plan) callsUnthinkingly(m *neutral.Message) bool {
	calls, thought := false, false
	for i := range m.Parts {
		part := &m.Parts[i]
		calls = calls || part.Kind == neutral.ToolCallPart
		thought = thought || part.Kind == neutral.ReasoningPart && p.takes(part.Thought)
	}
	return calls && !thought
}

// novaThinking is how Nova thinks. With much effort it takes no limit and no sampling parameters; the limit counts more.
func novaThinking(r *neutral.Request, report *neutral.Report) thinking {
	level := threeLevels(effortOf(r.Reasoning))
	if level == "high" && r.MaxTokens != nil {
		level = "medium"
		report.Drop("reasoning_effort")
	}
	return thinking{fields: `"reasoningConfig":{"type":"enabled","maxReasoningEffort":"` + level + `"}`, fixed: level == "high"}
}
