package anthropic

import (
	"encoding/json"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// wireRequest are the members of a request that the neutral form has a place for.
type wireRequest struct {
	MaxTokens     *int64            `json:"max_tokens"`
	System        json.RawMessage   `json:"system"`
	Messages      []json.RawMessage `json:"messages"`
	Tools         []json.RawMessage `json:"tools"`
	ToolChoice    json.RawMessage   `json:"tool_choice"`
	StopSequences []string          `json:"stop_sequences"`
	Temperature   json.Number       `json:"temperature"`
	TopP          json.Number       `json:"top_p"`
	TopK          json.Number       `json:"top_k"`
	Thinking      json.RawMessage   `json:"thinking"`
	OutputConfig  json.RawMessage   `json:"output_config"`
	OutputFormat  json.RawMessage   `json:"output_format"`
	Metadata      json.RawMessage   `json:"metadata"`
	ServiceTier   string            `json:"service_tier"`
	CacheControl  *wireCache        `json:"cache_control"`
}

// requestMembers are the names of wireRequest and those of the head.
func requestMembers() []string {
	return []string{
		"model", "stream", "max_tokens", "system", "messages", "tools", "tool_choice", "stop_sequences", "temperature", "top_p", "top_k",
		"thinking", "output_config", "output_format", "metadata", "service_tier", "cache_control", "fallbacks",
		"models", "provider", "route", "session_id",
	}
}

// ReadRequest reads all of a body that ReadHead accepted. The error is a *dialect.RequestError.
func (Messages) ReadRequest(body []byte, h dialect.Head) (*neutral.Request, error) {
	var wire wireRequest
	if err := dialect.Decode(body, "", &wire); err != nil {
		return nil, err
	}
	r := requestReader{request: &neutral.Request{
		Model: h.Model, N: 1, Stream: h.Stream, IncludeUsage: h.Stream, Source: neutral.Messages,
		MaxTokens: wire.MaxTokens, Stop: wire.StopSequences, ServiceTier: wire.ServiceTier, Cache: wire.CacheControl.mark(),
		Temperature: neutral.Number(wire.Temperature), TopP: neutral.Number(wire.TopP), TopK: neutral.Number(wire.TopK),
	}, names: map[string]string{}}
	steps := [...]func(*wireRequest) error{r.readSystem, r.readMessages, r.readTools, r.readToolChoice, r.readThinking, r.readOutput, r.readMetadata}
	for _, step := range steps {
		if err := step(&wire); err != nil {
			return nil, err
		}
	}
	r.request.Extra = append(r.request.Extra, dialect.ExtraMembers(body, requestMembers())...)
	return r.request, nil
}

// requestReader builds a request.
type requestReader struct {
	request *neutral.Request
	// names are the names of the functions called so far, by the id of the call.
	names map[string]string
}

// wireCache is a mark that the prompt up to here is worth caching.
type wireCache struct {
	TTL string `json:"ttl"`
}

func (c *wireCache) mark() *neutral.CacheMark {
	if c == nil {
		return nil
	}
	return &neutral.CacheMark{TTL: c.TTL}
}

// absent tells that a member was not given, or is null.
func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// keepRest keeps the unknown members of an object of the request as an extra member of its name, for writers of this API.
func (r *requestReader) keepRest(name string, object json.RawMessage, known ...string) {
	rest := dialect.ExtraMembers(object, known)
	if len(rest) == 0 {
		return
	}
	r.request.Extra = append(r.request.Extra, neutral.Member{Name: name, Value: append(appendMembers([]byte{'{'}, rest), '}')})
}

func (r *requestReader) readSystem(wire *wireRequest) error {
	if absent(wire.System) {
		return nil
	}
	message := neutral.Message{Role: neutral.System}
	if err := readContent(&message, wire.System, "system"); err != nil {
		return err
	}
	r.request.Messages = append(r.request.Messages, message)
	return nil
}

func (r *requestReader) readMessages(wire *wireRequest) error {
	if len(wire.Messages) == 0 {
		return &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: "messages", Message: "the request has no \"messages\""}
	}
	for i, raw := range wire.Messages {
		if err := r.readMessage(raw, "messages["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

func (r *requestReader) readMessage(raw json.RawMessage, path string) error {
	var wire struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	}
	if err := dialect.Decode(raw, path, &wire); err != nil {
		return err
	}
	message := neutral.Message{Role: neutral.Role(wire.Role), Extra: dialect.ExtraMembers(raw, []string{"role", "content"})}
	switch message.Role {
	case neutral.User, neutral.Assistant, neutral.System:
	default:
		return unknownRole(path)
	}
	if err := readContent(&message, wire.Content, path+".content"); err != nil {
		return err
	}
	r.addMessage(message)
	return nil
}

func unknownRole(path string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidValue, Param: path + ".role", Message: "the role must be \"user\" or \"assistant\""}
}

// addMessage adds a message, with the results in it as a message of their own before the rest.
func (r *requestReader) addMessage(message neutral.Message) {
	var results []neutral.Part
	for i := range message.Parts {
		switch part := &message.Parts[i]; {
		case part.Call != nil:
			r.names[part.Call.ID] = part.Call.Name
		case part.Result != nil:
			part.Result.Name = r.names[part.Result.CallID]
			results = append(results, *part)
		}
	}
	if len(results) > 0 {
		r.request.Messages = append(r.request.Messages, neutral.Message{Role: neutral.ToolRole, Parts: results})
		message.Parts = slices.DeleteFunc(message.Parts, func(p neutral.Part) bool { return p.Result != nil })
		if len(message.Parts) == 0 {
			return
		}
	}
	r.request.Messages = append(r.request.Messages, message)
}

func (r *requestReader) readMetadata(wire *wireRequest) error {
	if absent(wire.Metadata) {
		return nil
	}
	var metadata struct {
		UserID string `json:"user_id"`
	}
	if err := dialect.Decode(wire.Metadata, "metadata", &metadata); err != nil {
		return err
	}
	r.request.User = metadata.UserID
	r.keepRest("metadata", wire.Metadata, "user_id")
	return nil
}

// readThinking reads how to think. "between_tools" switches thinking off but for notes between calls.
func (r *requestReader) readThinking(wire *wireRequest) error {
	if absent(wire.Thinking) {
		return nil
	}
	var thinking struct {
		Type    string `json:"type"`
		Budget  *int64 `json:"budget_tokens"`
		Display string `json:"display"`
	}
	if err := dialect.Decode(wire.Thinking, "thinking", &thinking); err != nil {
		return err
	}
	reasoning := &neutral.Reasoning{Exclude: thinking.Display == displayOmitted}
	if thinking.Display == displaySummarized {
		reasoning.Summary = "auto"
	}
	on, off, known := true, false, []string{"type", "budget_tokens", "display"}
	switch thinking.Type {
	case thinkingEnabled:
		reasoning.Enabled, reasoning.MaxTokens = &on, thinking.Budget
	case thinkingAdaptive:
		reasoning.Enabled, reasoning.Adaptive = &on, true
	case thinkingDisabled:
		reasoning.Enabled = &off
	case thinkingBetweenTools:
		reasoning.Enabled, known = &off, nil
	default:
		reasoning, known = nil, nil
	}
	r.request.Reasoning = reasoning
	r.keepRest("thinking", wire.Thinking, known...)
	return nil
}

// readOutput reads effort and format of the answer; "output_format" is the format's older place.
func (r *requestReader) readOutput(wire *wireRequest) error {
	var config struct {
		Effort string          `json:"effort"`
		Format json.RawMessage `json:"format"`
	}
	if !absent(wire.OutputConfig) {
		if err := dialect.Decode(wire.OutputConfig, "output_config", &config); err != nil {
			return err
		}
		r.keepRest("output_config", wire.OutputConfig, "effort", "format")
	}
	if config.Effort != "" {
		if r.request.Reasoning == nil {
			r.request.Reasoning = &neutral.Reasoning{}
		}
		r.request.Reasoning.Effort = config.Effort
	}
	if !absent(config.Format) {
		return r.readFormat(config.Format, "output_config.format")
	}
	if !absent(wire.OutputFormat) {
		return r.readFormat(wire.OutputFormat, "output_format")
	}
	return nil
}

func (r *requestReader) readFormat(raw json.RawMessage, path string) error {
	var format struct {
		Type   string          `json:"type"`
		Schema json.RawMessage `json:"schema"`
	}
	if err := dialect.Decode(raw, path, &format); err != nil {
		return err
	}
	if format.Type == "json_schema" {
		if absent(format.Schema) {
			return &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: path + ".schema", Message: "a format of the type \"json_schema\" needs a \"schema\""}
		}
		r.request.Format = neutral.Format{Kind: neutral.FormatJSONSchema, Schema: format.Schema}
	} else {
		r.request.Format = neutral.Format{Kind: neutral.FormatOther, Raw: raw}
	}
	return nil
}
