package fakeprovider

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// chatRequest is the body of POST chat/completions, as far as the answer depends on it.
type chatRequest struct {
	sampling
	Messages            []message       `json:"messages"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Tools               []tool          `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ResponseFormat      *responseFormat `json:"response_format"`
}

type message struct {
	Role      string            `json:"role"`
	Content   json.RawMessage   `json:"content"`
	ToolCalls []json.RawMessage `json:"tool_calls"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"function"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Schema map[string]any `json:"schema"`
	} `json:"json_schema"`
}

// limit is the output limit, zero when there is none.
func (c chatRequest) limit() int {
	for _, given := range []*int{c.MaxCompletionTokens, c.MaxTokens} {
		if given != nil {
			return *given
		}
	}
	return 0
}

// promptText is all message content in one string; parts that are not text count by their JSON.
func (c chatRequest) promptText() string {
	var b strings.Builder
	for _, m := range c.Messages {
		var text string
		if json.Unmarshal(m.Content, &text) != nil {
			text = string(m.Content)
		}
		b.WriteString(text)
	}
	return b.String()
}

func (c chatRequest) promptTokens() int64 {
	return countTokens(c.promptText()) + 3*int64(len(c.Messages)) + 3
}

// check applies OpenAI's rules for chat requests; the first broken one is reported.
func (c chatRequest) check() *refusal {
	if c.Messages == nil {
		return invalid("messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	}
	if len(c.Messages) == 0 {
		return invalid("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	for i, m := range c.Messages {
		if refused := m.check(i); refused != nil {
			return refused
		}
	}
	if c.MaxTokens != nil && c.MaxCompletionTokens != nil {
		return invalid("max_tokens", "", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	if c.MaxCompletionTokens != nil {
		if refused := integerWithin("max_completion_tokens", *c.MaxCompletionTokens, 1, 1<<30); refused != nil {
			return refused
		}
	}
	if refused := c.sampling.check(); refused != nil {
		return refused
	}
	return c.checkTools()
}

func (m message) check(i int) *refusal {
	roles := []string{"system", "assistant", "user", "function", "tool", "developer"}
	switch {
	case m.Role == "":
		return invalid(fmt.Sprintf("messages[%d].role", i), "missing_required_parameter", "Missing required parameter: 'messages[%d].role'.", i)
	case !slices.Contains(roles, m.Role):
		return invalid(fmt.Sprintf("messages[%d].role", i), "invalid_value",
			"Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", m.Role)
	case m.Content == nil && m.Role != "assistant":
		return invalid(fmt.Sprintf("messages[%d].content", i), "missing_required_parameter", "Missing required parameter: 'messages[%d].content'.", i)
	case string(m.Content) == "null" && m.Role != "assistant", m.Role == "assistant" && len(m.ToolCalls) == 0 && (m.Content == nil || string(m.Content) == "null"):
		return invalid(fmt.Sprintf("messages.[%d].content", i), "", "Invalid value for 'content': expected a string, got null.")
	}
	return nil
}

func (c chatRequest) checkTools() *refusal {
	if len(c.ToolChoice) > 0 && string(c.ToolChoice) != "null" && len(c.Tools) == 0 {
		return invalid("tool_choice", "", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	for i, t := range c.Tools {
		if t.Function.Name == "" {
			return invalid(fmt.Sprintf("tools[%d].function.name", i), "missing_required_parameter", "Missing required parameter: 'tools[%d].function.name'.", i)
		}
	}
	if name := c.forcedTool(); name != "" && !slices.ContainsFunc(c.Tools, func(t tool) bool { return t.Function.Name == name }) {
		return invalid("tool_choice", "", "Invalid value for 'tool_choice': tool '%s' is not in 'tools'.", name)
	}
	return nil
}

// forcedTool is the function that tool_choice names, if it names one.
func (c chatRequest) forcedTool() string {
	var choice struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal(c.ToolChoice, &choice) != nil {
		return ""
	}
	return choice.Function.Name
}
