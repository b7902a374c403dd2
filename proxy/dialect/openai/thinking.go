package openai

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// readThinking takes in one of the members with which clients ask for thinking.
func readThinking(r *neutral.Reasoning, name string, value []byte) error {
	switch name {
	case "reasoning_effort":
		return readEffort(r, value, name)
	case "include_reasoning":
		include, err := readFlag(value, name)
		r.Exclude = r.Exclude || err == nil && !*include
		return err
	case "thinking":
		return inside(readThinkingObject(r, value), "%s", name)
	}
	return inside(readReasoningObject(r, value), "%s", name)
}

func readEffort(r *neutral.Reasoning, value []byte, name string) error {
	effort, err := readText(value, name)
	if effort != "default" { // Groq's word for what it does anyway.
		r.Effort = effort
	}
	return err
}

// readReasoningObject reads OpenRouter's object.
func readReasoningObject(r *neutral.Reasoning, raw []byte) error {
	return members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "effort":
			err = readEffort(r, value, "effort")
		case "max_tokens":
			r.MaxTokens, err = readInteger(value, "max_tokens")
		case "enabled":
			r.Enabled, err = readFlag(value, "enabled")
		case "exclude":
			r.Exclude = string(value) == "true"
		case "summary":
			r.Summary, err = readText(value, "summary")
		}
		return err
	})
}

// readThinkingObject reads the object of DeepSeek and others, with Anthropic's words.
func readThinkingObject(r *neutral.Reasoning, raw []byte) error {
	return members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "type":
			kind := textOr(value)
			enabled := kind != "disabled"
			r.Enabled, r.Adaptive = &enabled, kind == "adaptive"
		case "budget_tokens":
			r.MaxTokens, err = readInteger(value, "budget_tokens")
		}
		return err
	})
}

// reasoningMembers asks a target for thinking, by the member that it has for it.
func reasoningMembers(r *neutral.Reasoning, to *dialect.Target, report *neutral.Report) []neutral.Member {
	switch request := to.Quirks.ReasoningRequest; {
	case request == "none":
		if asksForThinking(r) {
			report.Drop("reasoning_effort")
		}
		return nil
	case request == "reasoning" || to.Provider == vendorOpenRouter:
		return []neutral.Member{{Name: "reasoning", Value: openRouterReasoning(r)}}
	case request == "thinking":
		return thinkingMember(r)
	}
	var list []neutral.Member
	if effort := effortOf(r, to.Provider); effort != "" {
		list = append(list, neutral.Member{Name: "reasoning_effort", Value: quoted(effort)})
	}
	if r.Exclude && (to.Provider == vendorGroq || to.Provider == vendorAny) {
		list = append(list, neutral.Member{Name: "include_reasoning", Value: []byte("false")})
	}
	return list
}

func quoted(text string) []byte { return jsonscan.AppendQuoted(nil, text) }

// asksForThinking tells whether a request wants any.
func asksForThinking(r *neutral.Reasoning) bool {
	return r.Effort != "" && r.Effort != "none" || r.MaxTokens != nil && *r.MaxTokens > 0 || r.Enabled != nil && *r.Enabled || r.Adaptive
}

// refusesThinking tells whether a request wants none.
func refusesThinking(r *neutral.Reasoning) bool {
	return r.Effort == "none" || r.Enabled != nil && !*r.Enabled || r.MaxTokens != nil && *r.MaxTokens == 0
}

// openRouterReasoning is OpenRouter's object. At most one of effort and max_tokens may stand in it.
func openRouterReasoning(r *neutral.Reasoning) []byte {
	dst := []byte{'{'}
	switch {
	case r.Effort != "":
		dst = appendText(dst, "effort", r.Effort)
	case r.MaxTokens != nil && *r.MaxTokens > 0:
		dst = appendInteger(dst, "max_tokens", *r.MaxTokens)
	case refusesThinking(r):
		dst = appendText(dst, "effort", "none")
	case r.Enabled != nil || r.Adaptive:
		dst = appendRaw(dst, "enabled", "true")
	}
	if r.Exclude {
		dst = appendRaw(dst, "exclude", "true")
	}
	if r.Summary != "" {
		dst = appendText(dst, "summary", r.Summary)
	}
	return append(dst, '}')
}

// thinkingMember is the switch that DeepSeek and others have.
func thinkingMember(r *neutral.Reasoning) []neutral.Member {
	switch {
	case refusesThinking(r):
		return []neutral.Member{{Name: "thinking", Value: []byte(`{"type":"disabled"}`)}}
	case asksForThinking(r):
		return []neutral.Member{{Name: "thinking", Value: []byte(`{"type":"enabled"}`)}}
	}
	return nil
}

// The budgets up to which an effort is taken for low or medium, where a target knows no budgets.
const (
	lowBudget    = 2 << 10
	mediumBudget = 12 << 10
)

// effortOf is the word for how much to think; "" leaves it to the provider.
func effortOf(r *neutral.Reasoning, vendor string) string {
	switch {
	case r.Effort != "":
		return effortWord(r.Effort, vendor)
	case refusesThinking(r):
		return "none"
	case r.MaxTokens == nil:
		return ""
	case *r.MaxTokens <= lowBudget:
		return "low"
	case *r.MaxTokens <= mediumBudget:
		return "medium"
	}
	return "high"
}

// effortWord is the nearest word that a vendor has for an effort. OpenAI and OpenRouter are given all but "max", and a server of the user's own all.
func effortWord(effort, vendor string) string {
	switch {
	case vendor == vendorAny || vendor == vendorOpenRouter:
		return effort
	case isOpenAI(vendor):
		if effort == "max" {
			return "xhigh"
		}
		return effort
	case effort == "minimal":
		return "low"
	case effort == "xhigh" || effort == "max":
		return "high"
	}
	return effort
}
