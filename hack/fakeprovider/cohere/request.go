package cohere

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// chatRequest is the body of POST v2/chat.
type chatRequest struct {
	Model            string          `json:"model"`
	Messages         []message       `json:"messages"`
	Stream           bool            `json:"stream"`
	Tools            []tool          `json:"tools"`
	StrictTools      bool            `json:"strict_tools"`
	Documents        json.RawMessage `json:"documents"`
	CitationOptions  json.RawMessage `json:"citation_options"`
	ResponseFormat   *responseFormat `json:"response_format"`
	SafetyMode       string          `json:"safety_mode"`
	MaxTokens        *int            `json:"max_tokens"`
	StopSequences    []string        `json:"stop_sequences"`
	Temperature      *float64        `json:"temperature"`
	Seed             *int            `json:"seed"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	K                *int            `json:"k"`
	P                *float64        `json:"p"`
	Logprobs         bool            `json:"logprobs"`
	ToolChoice       string          `json:"tool_choice"`
	Thinking         *struct {
		Type        string `json:"type"`
		TokenBudget *int   `json:"token_budget"`
	} `json:"thinking"`
	Priority *int `json:"priority"`
}

type message struct {
	Role       string               `json:"role"`
	Content    core.OneOrMany[part] `json:"content"`
	ToolCalls  []toolCall           `json:"tool_calls"`
	ToolPlan   string               `json:"tool_plan"`
	ToolCallID string               `json:"tool_call_id"`
	Citations  json.RawMessage      `json:"citations"`
}

type part struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	Thinking *string `json:"thinking"`
	ImageURL *struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	} `json:"image_url"`
	Document *struct {
		ID   string         `json:"id"`
		Data map[string]any `json:"data"`
	} `json:"document"`
}

type toolCall struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  map[string]any `json:"parameters"`
	} `json:"function"`
}

type responseFormat struct {
	Type       string         `json:"type"`
	JSONSchema map[string]any `json:"json_schema"`
	Schema     map[string]any `json:"schema"` // the older name
}

// invalid is a 400, malformed a 422.
func invalid(format string, args ...any) *core.Refusal {
	return core.Refuse(http.StatusBadRequest, "", "invalid request: "+format, args...)
}

// decode reads the body strictly.
func decode(x *core.Exchange, out any) *core.Refusal {
	unknown, err := core.Decode(x, out)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return core.Refuse(http.StatusBadRequest, "", "invalid type: parameter %s is of type %s but should be of type %s. For proper usage, please refer to https://docs.cohere.com/v2/reference/about", wrongType.Field, wrongType.Value, wrongType.Type.Kind())
	case err != nil:
		return core.Refuse(http.StatusBadRequest, "", "invalid json syntax: invalid character")
	case unknown != "":
		return core.Refuse(http.StatusUnprocessableEntity, "", "unknown field: parameter '%s' is not a valid field", unknown)
	}
	return nil
}

// check applies Cohere's rules; the first broken one is reported.
func (r chatRequest) check() *core.Refusal {
	if len(r.Messages) == 0 {
		return invalid("must specify at least one message")
	}
	return core.InOrder(r.checkSampling, r.checkTools, r.checkRoles, r.checkPairs)
}

func (r chatRequest) checkSampling() *core.Refusal {
	format, thinking := "text", "enabled"
	if r.ResponseFormat != nil {
		format = r.ResponseFormat.Type
	}
	if r.Thinking != nil {
		thinking = r.Thinking.Type
	}
	return core.FirstBroken(
		core.Rule{Broken: core.Outside(r.Temperature, 0, 5), Refusal: invalid("temperature must be between 0 and 5 inclusive.")},
		core.Rule{Broken: core.Outside(r.P, 0, 0.99), Refusal: invalid("p must be between 0 and 0.99 inclusive.")},
		core.Rule{Broken: core.Outside(r.FrequencyPenalty, 0, 1), Refusal: invalid("frequency_penalty must be between 0 and 1 inclusive.")},
		core.Rule{Broken: core.Outside(r.PresencePenalty, 0, 1), Refusal: invalid("presence_penalty must be between 0 and 1 inclusive.")},
		core.Rule{Broken: core.Outside(r.K, 0, 500), Refusal: invalid("k must be between 0 and 500 inclusive.")},
		core.Rule{Broken: core.Outside(r.MaxTokens, 1, 1<<30), Refusal: invalid("max_tokens must be at least 1.")},
		core.Rule{Broken: len(r.StopSequences) > 5, Refusal: invalid("too many stop sequences, must be at most 5.")},
		core.Rule{Broken: core.NoneOf(r.SafetyMode, "", "CONTEXTUAL", "STRICT", "OFF"), Refusal: invalid("safety_mode must be one of CONTEXTUAL, STRICT, OFF.")},
		core.Rule{Broken: core.NoneOf(format, "text", "json_object"), Refusal: invalid("response_format type must be one of 'text' or 'json_object'.")},
		core.Rule{Broken: format == "json_object" && len(r.Tools) > 0, Refusal: invalid("cannot specify both response_format json_object and tools.")},
		core.Rule{Broken: core.NoneOf(thinking, "enabled", "disabled"), Refusal: invalid("thinking.type must be one of 'enabled' or 'disabled'.")},
	)
}

func (r chatRequest) checkTools() *core.Refusal {
	for i, t := range r.Tools {
		switch {
		case t.Type != "function":
			return invalid("tools[%d].type must be 'function'.", i)
		case t.Function.Name == "":
			return invalid("tools[%d].function.name must be set.", i)
		case t.Function.Parameters == nil || t.Function.Parameters["type"] != "object":
			return invalid("tools[%d].function.parameters must be a JSON schema of type object.", i)
		}
	}
	switch {
	case r.ToolChoice == "":
	case r.ToolChoice != "REQUIRED" && r.ToolChoice != "NONE":
		return invalid("tool_choice must be one of 'REQUIRED' or 'NONE'.")
	case len(r.Tools) == 0:
		return invalid("tool_choice can only be specified with tools.")
	}
	return nil
}

func (r chatRequest) checkRoles() *core.Refusal {
	for i, m := range r.Messages {
		empty := m.Content.Text == "" && len(m.Content.Items) == 0
		switch {
		case !slices.Contains([]string{"user", "assistant", "system", "tool"}, m.Role):
			return invalid("messages[%d].role must be one of 'user', 'assistant', 'system' or 'tool'.", i)
		case empty && (m.Role != "assistant" || len(m.ToolCalls) == 0):
			return invalid("message at index %d must have non-empty content or tool calls.", i)
		case m.Role != "assistant" && (len(m.ToolCalls) > 0 || m.ToolPlan != ""):
			return invalid("only assistant messages can have tool calls, found in message at index %d.", i)
		case (m.Role == "tool") != (m.ToolCallID != ""):
			return invalid("tool_call_id must be specified for tool messages and no others, found in message at index %d.", i)
		}
	}
	return nil
}

// checkPairs wants a tool message for each call right after it.
func (r chatRequest) checkPairs() *core.Refusal {
	var open []string
	for i, m := range r.Messages {
		if m.Role == "tool" {
			at := slices.Index(open, m.ToolCallID)
			if at < 0 {
				return invalid("cannot specify tool message at index %d: tool call id %s not found in previous tool calls.", i, m.ToolCallID)
			}
			open = slices.Delete(open, at, at+1)
			continue
		}
		if len(open) > 0 {
			break
		}
		for _, call := range m.ToolCalls {
			if call.ID == "" || call.Type != "function" || call.Function.Name == "" {
				return invalid("tool calls in message at index %d must have id, type 'function' and a function name.", i)
			}
			open = append(open, call.ID)
		}
	}
	if len(open) > 0 {
		return invalid("tool calls must be followed by tool messages with their results: missing %s", strings.Join(open, ", "))
	}
	return nil
}

// prompt is all that the request says; the parts are checked on the way.
func (r chatRequest) prompt() (core.Prompt, *core.Refusal) {
	var p core.Prompt
	for i, m := range r.Messages {
		p.Message(m.Role == "user")
		p.Add(m.Content.Text)
		for k, one := range m.Content.Items {
			if refused := one.add(&p, m.Role, fmt.Sprintf("messages[%d].content[%d]", i, k)); refused != nil {
				return p, refused
			}
		}
	}
	return p, nil
}

func (c part) add(p *core.Prompt, role, path string) *core.Refusal {
	allowed := map[string]bool{"text": c.Text != nil}
	switch role {
	case "assistant":
		allowed["thinking"] = c.Thinking != nil
	case "tool":
		allowed["document"] = c.Document != nil
	case "user":
		allowed["image_url"] = c.ImageURL != nil
	}
	if !allowed[c.Type] {
		return invalid("%s: content type '%s' is not valid in a message of role '%s'.", path, c.Type, role)
	}
	switch c.Type {
	case "text":
		p.Add(*c.Text)
	case "document":
		p.Add(string(core.Encode(c.Document.Data)))
	case "image_url":
		return AddImage(p, c.ImageURL.URL, path)
	}
	return nil
}

// AddImage adds an image by its data URL, or by another URL.
func AddImage(p *core.Prompt, url, path string) *core.Refusal {
	mediaType, encoded, inline := core.DataURL(url)
	if !inline {
		p.AddURL(url)
		return nil
	}
	data, err := core.Image(mediaType, encoded)
	if err != nil {
		return invalid("%s: the image is not valid.", path)
	}
	p.AddBytes(mediaType, data)
	return nil
}

// ask is what the answer depends on. The request has been checked.
func (r chatRequest) ask(model string) (core.Ask, *core.Refusal) {
	prompt, refused := r.prompt()
	if refused != nil {
		return core.Ask{}, refused
	}
	ask := core.Ask{Prompt: prompt, Stop: r.StopSequences, Think: core.Thinks(model)}
	if r.Thinking != nil {
		ask.Think = r.Thinking.Type == "enabled"
	}
	if r.MaxTokens != nil {
		ask.Limit = *r.MaxTokens
	}
	for _, t := range r.Tools {
		ask.Tools = append(ask.Tools, core.Tool{Name: t.Function.Name, Schema: t.Function.Parameters})
	}
	switch r.ToolChoice {
	case "REQUIRED":
		ask.Calls = core.CallsRequired
	case "NONE":
		ask.Calls = core.CallsNever
	}
	if f := r.ResponseFormat; f != nil && f.Type == "json_object" {
		ask.JSON, ask.Schema = true, f.JSONSchema
		if ask.Schema == nil {
			ask.Schema = f.Schema
		}
	}
	return ask, nil
}
