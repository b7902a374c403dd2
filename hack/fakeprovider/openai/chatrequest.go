package openai

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
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
	Logprobs            bool            `json:"logprobs"`
	TopLogprobs         *int            `json:"top_logprobs"`
	ReasoningFormat     string          `json:"reasoning_format"`
	IncludeReasoning    *bool           `json:"include_reasoning"`
	Reasoning           struct {
		Exclude bool `json:"exclude"`
	} `json:"reasoning"`
}

type message struct {
	Role             string               `json:"role"`
	Content          core.OneOrMany[part] `json:"content"`
	Name             string               `json:"name"`
	ToolCalls        []toolCallRequest    `json:"tool_calls"`
	ToolCallID       string               `json:"tool_call_id"`
	Refusal          json.RawMessage      `json:"refusal"`
	Audio            json.RawMessage      `json:"audio"`
	Annotations      json.RawMessage      `json:"annotations"`
	FunctionCall     json.RawMessage      `json:"function_call"`
	Reasoning        string               `json:"reasoning"`         // Groq and OpenRouter
	ReasoningContent string               `json:"reasoning_content"` // vLLM and DeepSeek
	ReasoningDetails []struct {
		reasoningDetail
		ID   *string `json:"id"`
		Data string  `json:"data"`
	} `json:"reasoning_details"` // OpenRouter
}

type part struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Refusal  string `json:"refusal"`
	ImageURL *struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	} `json:"image_url"`
	InputAudio *struct {
		Data   string `json:"data"`
		Format string `json:"format"`
	} `json:"input_audio"`
	File *struct {
		FileData string `json:"file_data"`
		FileID   string `json:"file_id"`
		Filename string `json:"filename"`
	} `json:"file"`
}

type toolCallRequest struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function *struct {
		Name      string  `json:"name"`
		Arguments *string `json:"arguments"`
	} `json:"function"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  map[string]any `json:"parameters"`
		Strict      *bool          `json:"strict"`
	} `json:"function"`
}

type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Schema      map[string]any `json:"schema"`
		Strict      *bool          `json:"strict"`
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

func (c chatRequest) topLogprobs() int {
	if c.TopLogprobs == nil {
		return 0
	}
	return *c.TopLogprobs
}

func (c chatRequest) excludesReasoning() bool {
	return c.Reasoning.Exclude || (c.IncludeReasoning != nil && !*c.IncludeReasoning)
}

// prompt is all message content.
func (c chatRequest) prompt() (core.Prompt, *core.Refusal) {
	var p core.Prompt
	for i, m := range c.Messages {
		p.Message(m.Role == "user")
		p.Add(m.Content.Text)
		for k, part := range m.Content.Items {
			if refused := part.read(&p, fmt.Sprintf("messages[%d].content[%d]", i, k)); refused != nil {
				return p, refused
			}
		}
	}
	return p, nil
}

// read adds a part to the prompt.
func (c part) read(p *core.Prompt, param string) *core.Refusal {
	switch {
	case c.Type == "text":
		p.Add(c.Text)
	case c.Type == "refusal":
		p.Add(c.Refusal)
	case c.Type == "image_url" && c.ImageURL != nil:
		return readImage(p, c.ImageURL.URL, param+".image_url.url")
	case c.Type == "input_audio" && c.InputAudio != nil:
		data, err := base64.StdEncoding.DecodeString(c.InputAudio.Data)
		if err != nil || !slices.Contains([]string{"wav", "mp3"}, c.InputAudio.Format) {
			return invalid(param+".input_audio", "invalid_value", "Invalid audio: expected base64 data of format 'wav' or 'mp3'.")
		}
		p.AddBytes("audio/"+c.InputAudio.Format, data)
	case c.Type == "file" && c.File != nil:
		return readFile(p, c.File.FileData, c.File.FileID, param+".file")
	default:
		return invalid(param+".type", "invalid_value",
			"Invalid value: '%s'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'.", c.Type)
	}
	return nil
}

// readImage takes a data URL, whose bytes have to be what it says, or the URL of an image elsewhere.
func readImage(p *core.Prompt, url, param string) *core.Refusal {
	mediaType, encoded, inline := core.DataURL(url)
	switch {
	case inline:
		data, err := core.Image(mediaType, encoded)
		if err != nil {
			return invalid(param, "invalid_image_format", "You uploaded an unsupported image. Please make sure your image is valid.")
		}
		p.AddBytes(mediaType, data)
	case strings.HasPrefix(url, "http://"), strings.HasPrefix(url, "https://"):
		p.AddURL(url)
	default:
		return invalid(param, "invalid_value", "Invalid '%s'. Expected a base64-encoded data URL with an image MIME type, or a URL.", param)
	}
	return nil
}

// readFile takes a file as data URL, or by its id.
func readFile(p *core.Prompt, fileData, fileID, param string) *core.Refusal {
	if fileID != "" {
		p.AddURL("file " + fileID)
		return nil
	}
	mediaType, encoded, inline := core.DataURL(fileData)
	data, err := base64.StdEncoding.DecodeString(encoded)
	if !inline || err != nil || len(data) == 0 {
		return invalid(param+".file_data", "invalid_value", "Invalid '%s.file_data'. Expected a base64-encoded data URL with a MIME type.", param)
	}
	p.AddBytes(mediaType, data)
	return nil
}

// check applies OpenAI's rules for chat requests; the first broken one is reported.
func (c chatRequest) check() *core.Refusal {
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
	return core.InOrder(c.checkLimits, c.sampling.check, c.checkLogprobs, c.checkTools, c.checkPairs)
}

func (c chatRequest) checkLimits() *core.Refusal {
	if c.MaxTokens != nil && c.MaxCompletionTokens != nil {
		return invalid("max_tokens", "", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	if c.MaxCompletionTokens == nil {
		return nil
	}
	return integerWithin("max_completion_tokens", *c.MaxCompletionTokens, 1, 1<<30)
}

func (c chatRequest) checkLogprobs() *core.Refusal {
	if c.TopLogprobs != nil && !c.Logprobs {
		return invalid("top_logprobs", "", "'logprobs' must be set to true if 'top_logprobs' is used.")
	}
	return integerWithin("top_logprobs", c.topLogprobs(), 0, 20)
}

func (m message) check(i int) *core.Refusal {
	roles := []string{"system", "assistant", "user", "function", "tool", "developer"}
	switch {
	case m.Role == "":
		return invalid(fmt.Sprintf("messages[%d].role", i), "missing_required_parameter", "Missing required parameter: 'messages[%d].role'.", i)
	case !slices.Contains(roles, m.Role):
		return invalid(fmt.Sprintf("messages[%d].role", i), "invalid_value",
			"Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", m.Role)
	case m.Content.Null && len(m.ToolCalls) == 0:
		return invalid(fmt.Sprintf("messages.[%d].content", i), "", "Invalid value for 'content': expected a string, got null.")
	case !m.Content.Given && len(m.ToolCalls) == 0 && len(m.FunctionCall) == 0:
		return invalid(fmt.Sprintf("messages[%d].content", i), "missing_required_parameter", "Missing required parameter: 'messages[%d].content'.", i)
	}
	for k, call := range m.ToolCalls {
		if refused := call.check(fmt.Sprintf("messages[%d].tool_calls[%d]", i, k)); refused != nil {
			return refused
		}
	}
	return m.checkSeals(i)
}

func (call toolCallRequest) check(param string) *core.Refusal {
	switch {
	case call.ID == "":
		return invalid(param+".id", "missing_required_parameter", "Missing required parameter: '%s.id'.", param)
	case call.Type != "function" || call.Function == nil:
		return invalid(param+".type", "invalid_value", "Invalid value: '%s'. Supported values are: 'function' and 'custom'.", call.Type)
	case call.Function.Name == "" || call.Function.Arguments == nil:
		return invalid(param+".function", "missing_required_parameter", "Missing required parameter: '%s.function.name' or '%s.function.arguments'.", param, param)
	}
	return nil
}

// checkSeals wants thoughts that Claude signed to be as they were.
func (m message) checkSeals(i int) *core.Refusal {
	for k, d := range m.ReasoningDetails {
		if d.Type == "reasoning.text" && d.Signature != "" && d.Format == sealFormat && !core.Verify(core.SealClaude, d.Text, d.Signature) {
			return invalid(fmt.Sprintf("messages[%d].reasoning_details[%d].signature", i, k), "", "Invalid signature in reasoning_details.")
		}
	}
	return nil
}

func (c chatRequest) checkTools() *core.Refusal {
	if len(c.ToolChoice) > 0 && string(c.ToolChoice) != "null" && len(c.Tools) == 0 {
		return invalid("tool_choice", "", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	}
	for i, t := range c.Tools {
		switch {
		case t.Type != "function":
			return invalid(fmt.Sprintf("tools[%d].type", i), "invalid_value", "Invalid value: '%s'. Supported values are: 'function' and 'custom'.", t.Type)
		case t.Function.Name == "":
			return invalid(fmt.Sprintf("tools[%d].function.name", i), "missing_required_parameter", "Missing required parameter: 'tools[%d].function.name'.", i)
		}
	}
	if name := c.forcedTool(); name != "" && !slices.ContainsFunc(c.Tools, func(t tool) bool { return t.Function.Name == name }) {
		return invalid("tool_choice", "", "Invalid value for 'tool_choice': tool '%s' is not in 'tools'.", name)
	}
	if f := c.ResponseFormat; f != nil && f.Type == "json_schema" && f.JSONSchema.Name == "" {
		return invalid("response_format.json_schema.name", "missing_required_parameter", "Missing required parameter: 'response_format.json_schema.name'.")
	}
	return nil
}

// checkPairs refuses calls without results, and results without calls.
func (c chatRequest) checkPairs() *core.Refusal {
	var open []string
	for i, m := range c.Messages {
		if m.Role == "tool" {
			at := slices.Index(open, m.ToolCallID)
			if at < 0 {
				return invalid(fmt.Sprintf("messages.[%d].role", i), "",
					"Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
			}
			open = slices.Delete(open, at, at+1)
			continue
		}
		if len(open) > 0 {
			break
		}
		for _, call := range m.ToolCalls {
			open = append(open, call.ID)
		}
	}
	if len(open) > 0 {
		return invalid("messages", "", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "+
			"The following tool_call_ids did not have response messages: %s", strings.Join(open, ", "))
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
