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
	for _, rule := range []func() *core.Refusal{r.checkSampling, r.checkRoles, r.checkTools, r.checkThinking, r.checkPairs, r.checkThoughtFirst, r.checkCache} {
		if refused := rule(); refused != nil {
			return refused
		}
	}
	return nil
}

func (r request) checkSampling() *core.Refusal {
	for _, bounded := range []struct {
		name  string
		value *float64
	}{{"temperature", r.Temperature}, {"top_p", r.TopP}} {
		if bounded.value != nil && (*bounded.value < 0 || *bounded.value > 1) {
			return invalid("%s: range: 0..1", bounded.name)
		}
	}
	if r.TopK != nil && *r.TopK < 0 {
		return invalid("top_k: Input should be greater than or equal to 0")
	}
	for _, sequence := range r.StopSequences {
		if strings.TrimSpace(sequence) == "" {
			return invalid("stop_sequences: each stop sequence must contain non-whitespace")
		}
	}
	if tier := r.ServiceTier; tier != "" && tier != "auto" && tier != "standard_only" {
		return invalid("service_tier: Input should be 'auto' or 'standard_only'")
	}
	if c := r.OutputConfig; c != nil && c.Format != nil && (c.Format.Type != "json_schema" || c.Format.Schema == nil) {
		return invalid("output_config.format.schema: Field required")
	}
	return nil
}

// checkRoles wants the user first, and no message without content but the last one of the assistant.
func (r request) checkRoles() *core.Refusal {
	for i, m := range r.Messages {
		if m.Role != "user" && m.Role != "assistant" {
			return invalid("messages: Unexpected role \"%s\". The Messages API accepts a top-level `system` parameter, not \"system\" as an input message role.", m.Role)
		}
		if !m.Content.Given {
			return invalid("messages.%d.content: Field required", i)
		}
		empty := m.Content.Text == "" && len(m.Content.Items) == 0
		if empty && (m.Role == "user" || i < len(r.Messages)-1) {
			return invalid("messages.%d: all messages must have non-empty content except for the optional final assistant message", i)
		}
	}
	if r.Messages[0].Role != "user" {
		return invalid("messages: first message must use the \"user\" role")
	}
	last := r.Messages[len(r.Messages)-1]
	if last.Role == "assistant" && strings.TrimRight(last.Content.Text, " \n\t") != last.Content.Text {
		return invalid("messages: final assistant content cannot end with trailing whitespace")
	}
	return nil
}

func (r request) checkTools() *core.Refusal {
	names := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	for i, t := range r.Tools {
		switch {
		case t.Type != "" && t.Type != "custom":
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
	choice := r.ToolChoice
	switch {
	case choice == nil:
		return nil
	case len(r.Tools) == 0:
		return invalid("tool_choice: tool_choice may only be specified while providing tools")
	case !slices.Contains([]string{"auto", "any", "tool", "none"}, choice.Type):
		return invalid("tool_choice: Input tag '%s' found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', 'none'", choice.Type)
	case choice.Type == "tool" && !slices.ContainsFunc(r.Tools, func(t tool) bool { return t.Name == choice.Name }):
		return invalid("tool_choice: Tool '%s' not found in provided tools", choice.Name)
	}
	return nil
}

func (r request) checkThinking() *core.Refusal {
	if r.Thinking == nil {
		return nil
	}
	switch r.Thinking.Type {
	case "disabled", "adaptive":
	case "enabled":
		if r.Thinking.BudgetTokens < 1024 {
			return invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
		}
		if r.MaxTokens != nil && *r.MaxTokens <= r.Thinking.BudgetTokens {
			return invalid("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size")
		}
	default:
		return invalid("thinking: Input tag '%s' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'", r.Thinking.Type)
	}
	if !r.thinks() {
		return nil
	}
	switch {
	case r.Temperature != nil && *r.Temperature != 1:
		return invalid("`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking")
	case r.TopK != nil:
		return invalid("`top_k` must be unset when thinking is enabled.")
	case r.ToolChoice != nil && (r.ToolChoice.Type == "any" || r.ToolChoice.Type == "tool"):
		return invalid("Thinking may not be enabled when tool_choice forces tool use.")
	}
	return nil
}

// checkPairs refuses uses of tools without results in the next message, and results without uses in the one before.
func (r request) checkPairs() *core.Refusal {
	ids := regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	var open []string
	for i, m := range r.Messages {
		var results []string
		for k, b := range m.Content.Items {
			if b.Type != "tool_result" {
				continue
			}
			if !slices.Contains(open, b.ToolUseID) {
				return invalid("messages.%d.content.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", i, k, b.ToolUseID)
			}
			if slices.Contains(results, b.ToolUseID) {
				return invalid("messages.%d.content.%d: each tool_use must have a single result. Found multiple `tool_result` blocks with id: %s", i, k, b.ToolUseID)
			}
			results = append(results, b.ToolUseID)
		}
		if missing := without(open, results); len(missing) > 0 {
			return unanswered(i-1, missing)
		}
		open = nil
		for k, b := range m.Content.Items {
			if b.Type != "tool_use" {
				continue
			}
			if !ids.MatchString(b.ID) {
				return invalid("messages.%d.content.%d.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", i, k)
			}
			if len(b.Input) == 0 || b.Input[0] != '{' {
				return invalid("messages.%d.content.%d.tool_use.input: Input should be a valid dictionary", i, k)
			}
			if b.Name == "" || slices.Contains(open, b.ID) {
				return invalid("messages.%d.content.%d: `tool_use` ids must be unique", i, k)
			}
			open = append(open, b.ID)
		}
	}
	if len(open) > 0 {
		return unanswered(len(r.Messages)-1, open)
	}
	return nil
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
	last := len(r.Messages) - 2
	if !r.thinks() || r.Thinking.Type == "adaptive" || last < 0 || r.Messages[last].Role != "assistant" {
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
