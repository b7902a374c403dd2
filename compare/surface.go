package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// surface is how one API is spoken.
type surface struct {
	// path for a model, which is escaped.
	path func(model string) string
	// request makes the body.
	request func(model string, q Question) any
	// event takes in the data of one event, and tells whether it was the last.
	event func(data []byte, a *Answer) (end bool, err error)
	// endsOpen tells that no event marks the end.
	endsOpen bool
}

// Surfaces are the names of the APIs.
func Surfaces() []string { return slices.Sorted(maps.Keys(surfaces())) }

func surfaces() map[string]surface {
	return map[string]surface{
		"chat":      {path: fixed("/v1/chat/completions"), request: chatRequest, event: chatEvent},
		"responses": {path: fixed("/v1/responses"), request: responsesRequest, event: responsesEvent},
		"messages":  {path: fixed("/v1/messages"), request: messagesRequest, event: messagesEvent},
		"gemini": {
			path:    func(model string) string { return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse" },
			request: geminiRequest, event: geminiEvent, endsOpen: true,
		},
	}
}

func fixed(path string) func(string) string { return func(string) string { return path } }

// decode reads the data of an event; its error holds nothing of the data.
func decode(data []byte, into any) error {
	if json.Unmarshal(data, into) != nil {
		return fmt.Errorf("an event of the stream is not what the API promises (%d bytes)", len(data))
	}
	return nil
}

type roleContent struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func chatRequest(model string, q Question) any {
	messages := []roleContent{}
	if q.System != "" {
		messages = append(messages, roleContent{"system", q.System})
	}
	return map[string]any{
		"model": model, "messages": append(messages, roleContent{"user", q.Prompt}), "max_completion_tokens": q.MaxTokens, "stream": true,
		"stream_options": map[string]bool{"include_usage": true},
	}
}

func chatEvent(data []byte, a *Answer) (bool, error) {
	if string(data) == "[DONE]" {
		return true, nil
	}
	var chunk struct {
		errorBody
		Choices []struct {
			Delta struct {
				Content          string `json:"content"`
				Reasoning        string `json:"reasoning"`
				ReasoningContent string `json:"reasoning_content"`
				Refusal          string `json:"refusal"`
			} `json:"delta"`
			FinishReason string `json:"finish_reason"`
		} `json:"choices"`
		Usage *struct {
			PromptTokens     int64       `json:"prompt_tokens"`
			CompletionTokens int64       `json:"completion_tokens"`
			Cost             json.Number `json:"cost"`
		} `json:"usage"`
	}
	if err := decode(data, &chunk); err != nil {
		return false, err
	}
	if chunk.Error.Message != "" {
		return false, failedWith(chunk.Error)
	}
	if chunk.Usage != nil {
		a.PromptTokens, a.CompletionTokens, a.Cost = chunk.Usage.PromptTokens, chunk.Usage.CompletionTokens, chunk.Usage.Cost.String()
	}
	if len(chunk.Choices) > 0 {
		choice := chunk.Choices[0]
		a.Text += choice.Delta.Content + choice.Delta.Refusal
		a.Reasoning += choice.Delta.Reasoning + choice.Delta.ReasoningContent
		a.finish(choice.FinishReason)
	}
	return false, nil
}

func responsesRequest(model string, q Question) any {
	request := map[string]any{"model": model, "input": q.Prompt, "max_output_tokens": q.MaxTokens, "stream": true, "store": false}
	if q.System != "" {
		request["instructions"] = q.System
	}
	return request
}

func responsesEvent(data []byte, a *Answer) (bool, error) {
	var event struct {
		Type     string          `json:"type"`
		Delta    json.RawMessage `json:"delta"`
		Message  string          `json:"message"`
		Response struct {
			Status string      `json:"status"`
			Error  errorObject `json:"error"`
			Usage  struct {
				InputTokens  int64 `json:"input_tokens"`
				OutputTokens int64 `json:"output_tokens"`
			} `json:"usage"`
		} `json:"response"`
	}
	if err := decode(data, &event); err != nil {
		return false, err
	}
	switch event.Type {
	case "response.output_text.delta", "response.refusal.delta":
		return false, appendText(&a.Text, event.Delta)
	case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		return false, appendText(&a.Reasoning, event.Delta)
	case "response.failed":
		return true, failedWith(event.Response.Error)
	case "error":
		return true, failedWith(errorObject{Message: event.Message})
	case "response.completed", "response.incomplete":
		a.finish(event.Response.Status)
		a.PromptTokens, a.CompletionTokens = event.Response.Usage.InputTokens, event.Response.Usage.OutputTokens
		return true, nil
	default:
		return false, nil
	}
}

func messagesRequest(model string, q Question) any {
	request := map[string]any{"model": model, "messages": []roleContent{{"user", q.Prompt}}, "max_tokens": q.MaxTokens, "stream": true}
	if q.System != "" {
		request["system"] = q.System
	}
	return request
}

// messagesUsage is Anthropic's: what the cache took or gave is counted apart.
type messagesUsage struct {
	InputTokens   int64 `json:"input_tokens"`
	CacheRead     int64 `json:"cache_read_input_tokens"`
	CacheCreation int64 `json:"cache_creation_input_tokens"`
	OutputTokens  int64 `json:"output_tokens"`
}

// take keeps the larger of what was said before and now: the counts of a stream only grow.
func (u messagesUsage) take(a *Answer) {
	a.PromptTokens = max(a.PromptTokens, u.InputTokens+u.CacheRead+u.CacheCreation)
	a.CompletionTokens = max(a.CompletionTokens, u.OutputTokens)
}

func messagesEvent(data []byte, a *Answer) (bool, error) {
	var event struct {
		errorBody
		Type    string `json:"type"`
		Message struct {
			Usage messagesUsage `json:"usage"`
		} `json:"message"`
		Delta struct {
			Text       string `json:"text"`
			Thinking   string `json:"thinking"`
			StopReason string `json:"stop_reason"`
		} `json:"delta"`
		Usage messagesUsage `json:"usage"`
	}
	if err := decode(data, &event); err != nil {
		return false, err
	}
	if event.Type == "error" {
		return true, failedWith(event.Error)
	}
	event.Message.Usage.take(a)
	event.Usage.take(a)
	a.Text += event.Delta.Text
	a.Reasoning += event.Delta.Thinking
	a.finish(event.Delta.StopReason)
	return event.Type == "message_stop", nil
}

func geminiRequest(_ string, q Question) any {
	content := func(text string) map[string]any { return map[string]any{"parts": []map[string]string{{"text": text}}} }
	user := content(q.Prompt)
	user["role"] = "user"
	request := map[string]any{"contents": []any{user}, "generationConfig": map[string]int{"maxOutputTokens": q.MaxTokens}}
	if q.System != "" {
		request["systemInstruction"] = content(q.System)
	}
	return request
}

func geminiEvent(data []byte, a *Answer) (bool, error) {
	var chunk struct {
		errorBody
		Candidates []struct {
			Content struct {
				Parts []struct {
					Text    string `json:"text"`
					Thought bool   `json:"thought"`
				} `json:"parts"`
			} `json:"content"`
			FinishReason string `json:"finishReason"`
		} `json:"candidates"`
		Usage *struct {
			Prompt     int64 `json:"promptTokenCount"`
			Tools      int64 `json:"toolUsePromptTokenCount"`
			Candidates int64 `json:"candidatesTokenCount"`
			Thoughts   int64 `json:"thoughtsTokenCount"`
		} `json:"usageMetadata"`
	}
	if err := decode(data, &chunk); err != nil {
		return false, err
	}
	if chunk.Error.Message != "" {
		return true, failedWith(chunk.Error)
	}
	if u := chunk.Usage; u != nil {
		a.PromptTokens, a.CompletionTokens = u.Prompt+u.Tools, u.Candidates+u.Thoughts
	}
	for _, candidate := range chunk.Candidates[:min(1, len(chunk.Candidates))] {
		for _, part := range candidate.Content.Parts {
			if part.Thought {
				a.Reasoning += part.Text
			} else {
				a.Text += part.Text
			}
		}
		a.finish(candidate.FinishReason)
	}
	return false, nil
}

// finish notes why the answer ended, once it is said.
func (a *Answer) finish(reason string) {
	if reason != "" {
		a.Finish = oneLine(reason)
	}
}

// appendText appends a delta that is a string.
func appendText(to *string, delta json.RawMessage) error {
	var text string
	if err := decode(delta, &text); err != nil {
		return err
	}
	*to += text
	return nil
}

// failedWith is the error of a stream that failed after it had begun.
func failedWith(e errorObject) error {
	message := oneLine(e.Message)
	if message == "" {
		message = "the stream failed"
	}
	if word := e.word(); word != "" {
		return fmt.Errorf("%s: %s", word, message)
	}
	return errors.New(message)
}
