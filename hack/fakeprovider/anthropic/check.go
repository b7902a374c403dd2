package anthropic

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// invalid is a 400.
func invalid(format string, args ...any) *core.Refusal {
	return core.Refuse(http.StatusBadRequest, "invalid_request_error", format, args...)
}

// check applies Anthropic's rules; the first broken one is reported.
func (r request) check() *core.Refusal {
	if len(r.Messages) == 0 {
		return invalid("messages: at least one message is required")
	}
	return core.InOrder(r.checkSampling, r.checkRoles, r.checkContent, r.checkTools, r.checkThinking, r.checkPairs, r.checkThoughtFirst, r.checkCache)
}

func (r request) checkSampling() *core.Refusal {
	blank := slices.ContainsFunc(r.StopSequences, func(sequence string) bool { return strings.TrimSpace(sequence) == "" })
	refused := core.FirstBroken(
		core.Rule{Broken: r.current && r.Temperature != nil, Refusal: invalid("temperature: Extra inputs are not permitted")},
		core.Rule{Broken: r.current && r.TopP != nil, Refusal: invalid("top_p: Extra inputs are not permitted")},
		core.Rule{Broken: r.current && r.TopK != nil, Refusal: invalid("top_k: Extra inputs are not permitted")},
		core.Rule{Broken: core.Outside(r.Temperature, 0, 1), Refusal: invalid("temperature: range: 0..1")},
		core.Rule{Broken: core.Outside(r.TopP, 0, 1), Refusal: invalid("top_p: range: 0..1")},
		core.Rule{Broken: core.Value(r.TopK) < 0, Refusal: invalid("top_k: Input should be greater than or equal to 0")},
		core.Rule{Broken: blank, Refusal: invalid("stop_sequences: each stop sequence must contain non-whitespace")},
		core.Rule{Broken: core.NoneOf(r.ServiceTier, "", "auto", "standard_only"), Refusal: invalid("service_tier: Input should be 'auto' or 'standard_only'")},
	)
	if refused != nil || r.OutputConfig == nil || r.OutputConfig.Format == nil {
		return refused
	}
	if format := r.OutputConfig.Format; format.Type != "json_schema" || format.Schema == nil {
		return invalid("output_config.format.schema: Field required")
	}
	return nil
}

// checkRoles wants the user first. Instructions may stand anywhere, where they may at all.
func (r request) checkRoles() *core.Refusal {
	for i, m := range r.Messages {
		if core.NoneOf(m.Role, "user", "assistant", "system") {
			return invalid("messages.%d.role: Input should be 'user', 'assistant' or 'system'", i)
		}
		if m.Role == "system" && !r.current {
			return invalid("messages: Unexpected role \"%s\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.", m.Role)
		}
	}
	first := slices.IndexFunc(r.Messages, func(m message) bool { return m.Role != "system" })
	if first < 0 || r.Messages[first].Role != "user" {
		return invalid("messages: first message must use the \"user\" role")
	}
	return nil
}

// checkContent wants content in every message but the last one of the assistant.
func (r request) checkContent() *core.Refusal {
	end := len(r.Messages) - 1
	for i, m := range r.Messages {
		if !m.Content.Given {
			return invalid("messages.%d.content: Field required", i)
		}
		empty := m.Content.Text == "" && len(m.Content.Items) == 0
		if empty && (m.Role != "assistant" || i < end) {
			return invalid("messages.%d: all messages must have non-empty content except for the optional final assistant message", i)
		}
	}
	if last := r.Messages[end]; last.Role == "assistant" && strings.TrimRight(last.Content.Text, " \n\t") != last.Content.Text {
		return invalid("messages: final assistant content cannot end with trailing whitespace")
	}
	return nil
}

func (r request) checkTools() *core.Refusal {
	names := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	for i, t := range r.Tools {
		switch {
		case core.NoneOf(t.Type, "", "custom"):
			return invalid("tools.%d: Input tag '%s' found using 'type' does not match any of the expected tags: 'custom'", i, t.Type)
		case !names.MatchString(t.Name):
			return invalid("tools.%d.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'", i)
		case t.InputSchema == nil:
			return invalid("tools.%d.custom.input_schema: Field required", i)
		case t.InputSchema["type"] != "object":
			return invalid("tools.%d.custom.input_schema.type: Input should be 'object'", i)
		case slices.ContainsFunc(r.Tools[:i], func(other tool) bool { return other.Name == t.Name }):
			return invalid("tools: Tool names must be unique.")
		}
	}
	return r.checkChoice()
}

func (r request) checkChoice() *core.Refusal {
	choice := r.ToolChoice
	switch {
	case choice == nil:
		return nil
	case len(r.Tools) == 0:
		return invalid("tool_choice: tool_choice may only be specified while providing tools")
	case core.NoneOf(choice.Type, "auto", "any", "tool", "none"):
		return invalid("tool_choice: Input tag '%s' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'", choice.Type)
	case choice.Type == "tool" && !slices.ContainsFunc(r.Tools, func(t tool) bool { return t.Name == choice.Name }):
		return invalid("tool_choice: Tool '%s' not found in provided tools", choice.Name)
	}
	return nil
}

func (r request) checkThinking() *core.Refusal {
	if r.Thinking == nil || r.Thinking.Type == "disabled" {
		return nil
	}
	budget := r.Thinking.BudgetTokens
	enabled := r.Thinking.Type == "enabled"
	forces := r.ToolChoice != nil && !core.NoneOf(r.ToolChoice.Type, "any", "tool")
	return core.FirstBroken(
		core.Rule{Broken: core.NoneOf(r.Thinking.Type, "enabled", "adaptive"), Refusal: invalid("thinking: Input tag '%s' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'", r.Thinking.Type)},
		core.Rule{Broken: enabled && budget < 1024, Refusal: invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")},
		core.Rule{Broken: enabled && r.MaxTokens != nil && *r.MaxTokens <= budget, Refusal: invalid("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size")},
		core.Rule{Broken: core.Outside(r.Temperature, 1, 1), Refusal: invalid("`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking")},
		core.Rule{Broken: r.TopK != nil, Refusal: invalid("`top_k` must be unset when thinking is enabled.")},
		core.Rule{Broken: forces, Refusal: invalid("Thinking may not be enabled when tool_choice forces tool use.")},
	)
}

// checkPairs refuses uses of tools without results in the next message, and results without uses in the one before.
func (r request) checkPairs() *core.Refusal {
	var open []string
	for i, m := range r.Messages {
		results, refused := m.results(i, open)
		if refused != nil {
			return refused
		}
		if missing := without(open, results); len(missing) > 0 {
			return unanswered(i-1, missing)
		}
		if open, refused = m.uses(i); refused != nil {
			return refused
		}
	}
	if len(open) > 0 {
		return unanswered(len(r.Messages)-1, open)
	}
	return nil
}

// results are the ids whose results a message brings.
func (m message) results(i int, open []string) ([]string, *core.Refusal) {
	var out []string
	for k, b := range m.Content.Items {
		switch {
		case b.Type != "tool_result":
			continue
		case !slices.Contains(open, b.ToolUseID):
			return nil, invalid("messages.%d.content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", i, k, b.ToolUseID)
		case slices.Contains(out, b.ToolUseID):
			return nil, invalid("messages.%d.content.%d: each tool_use must have a single result. Found multiple `tool_result` blocks with id: %s", i, k, b.ToolUseID)
		}
		out = append(out, b.ToolUseID)
	}
	return out, nil
}

// uses are the ids of the tools that a message uses.
func (m message) uses(i int) ([]string, *core.Refusal) {
	ids := regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	var out []string
	for k, b := range m.Content.Items {
		switch {
		case b.Type != "tool_use":
			continue
		case !ids.MatchString(b.ID):
			return nil, invalid("messages.%d.content.%d.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", i, k)
		case len(b.Input) == 0 || b.Input[0] != '{':
			return nil, invalid("messages.%d.content.%d.tool_use.input: Input should be a valid dictionary", i, k)
		case b.Name == "":
			return nil, invalid("messages.%d.content.%d.tool_use.name: String should have at least 1 character", i, k)
		case slices.Contains(out, b.ID):
			return nil, invalid("messages: `tool_use` ids must be unique")
		}
		out = append(out, b.ID)
	}
	return out, nil
}

func unanswered(at int, ids []string) *core.Refusal {
	return invalid("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
		at, strings.Join(ids, ", "))
}

func without(all, some []string) []string {
	var out []string
	for _, one := range all {
		if !slices.Contains(some, one) {
			out = append(out, one)
		}
	}
	return out
}

// checkThoughtFirst wants the thoughts back that led to the tools whose results come now.
func (r request) checkThoughtFirst() *core.Refusal {
	last := len(r.Messages) - 1
	for last >= 0 && r.Messages[last].Role != "assistant" {
		last--
	}
	if !r.thinks() || r.Thinking.Type == "adaptive" || last < 0 {
		return nil
	}
	items := r.Messages[last].Content.Items
	uses := slices.ContainsFunc(items, func(b block) bool { return b.Type == "tool_use" })
	if !uses || items[0].Type == "thinking" || items[0].Type == "redacted_thinking" {
		return nil
	}
	return invalid("messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).", last, items[0].Type)
}

// checkCache bounds the marks.
func (r request) checkCache() *core.Refusal {
	marks := slices.Clone(r.System.Items)
	for _, m := range r.Messages {
		marks = append(marks, m.Content.Items...)
	}
	count := 0
	for i, b := range marks {
		if b.CacheControl == nil {
			continue
		}
		count++
		if refused := b.CacheControl.check(fmt.Sprintf("content.%d", i)); refused != nil {
			return refused
		}
	}
	for i, t := range r.Tools {
		if t.CacheControl != nil {
			count++
			if refused := t.CacheControl.check(fmt.Sprintf("tools.%d", i)); refused != nil {
				return refused
			}
		}
	}
	if count > 4 {
		return invalid("A maximum of 4 blocks with cache_control may be provided. Found %d.", count)
	}
	return nil
}

func (c cacheControl) check(path string) *core.Refusal {
	if c.Type != "ephemeral" {
		return invalid("%s.cache_control.type: Input should be 'ephemeral'", path)
	}
	if c.TTL != "" && c.TTL != "5m" && c.TTL != "1h" {
		return invalid("%s.cache_control.ephemeral.ttl: Input should be '5m' or '1h'", path)
	}
	return nil
}
