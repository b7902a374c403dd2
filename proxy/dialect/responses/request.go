package responses

import (
	"encoding/json"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The values of "include" that have a place in the neutral form.
const (
	includeEncrypted = "reasoning.encrypted_content"
	includeLogProbs  = "message.output_text.logprobs"
)

// wireRequest is a request's body. Numbers are kept as they are written.
type wireRequest struct {
	Model             string            `json:"model"`
	Input             json.RawMessage   `json:"input"`
	Instructions      *string           `json:"instructions"`
	Tools             []json.RawMessage `json:"tools"`
	ToolChoice        json.RawMessage   `json:"tool_choice"`
	ParallelToolCalls *bool             `json:"parallel_tool_calls"`
	Text              json.RawMessage   `json:"text"`
	Reasoning         json.RawMessage   `json:"reasoning"`
	Include           []string          `json:"include"`
	MaxOutputTokens   *int64            `json:"max_output_tokens"`
	Temperature       json.Number       `json:"temperature"`
	TopP              json.Number       `json:"top_p"`
	TopK              json.Number       `json:"top_k"`
	FrequencyPenalty  json.Number       `json:"frequency_penalty"`
	PresencePenalty   json.Number       `json:"presence_penalty"`
	TopLogProbs       *int64            `json:"top_logprobs"`
	User              string            `json:"user"`
	Metadata          map[string]string `json:"metadata"`
	ServiceTier       string            `json:"service_tier"`
	PromptCacheKey    string            `json:"prompt_cache_key"`
}

// knownMembers are the members of a request that have a place in the neutral form, or that ReadHead allows in one value only.
var knownMembers = []string{
	"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "include", "max_output_tokens", "temperature",
	"top_p", "top_k", "frequency_penalty", "presence_penalty", "top_logprobs", "user", "metadata", "service_tier", "prompt_cache_key", "stream", "store",
	"background", "previous_response_id", "conversation", "prompt", "models", "preset",
	"provider", "route", "session_id",
}

// ReadRequest reads all of a body that ReadHead accepted. The error is a *dialect.RequestError.
func (Codec) ReadRequest(body []byte, h dialect.Head) (*neutral.Request, error) {
	var w wireRequest
	if err := dialect.Decode(body, "", &w); err != nil {
		return nil, err
	}
	r := &neutral.Request{
		Model: h.Model, N: 1, Source: neutral.Responses, Stream: h.Stream, IncludeUsage: h.IncludeUsage,
		ParallelToolCalls: w.ParallelToolCalls, MaxTokens: w.MaxOutputTokens, TopLogProbs: w.TopLogProbs,
		Temperature: neutral.Number(w.Temperature), TopP: neutral.Number(w.TopP), TopK: neutral.Number(w.TopK),
		FrequencyPenalty: neutral.Number(w.FrequencyPenalty), PresencePenalty: neutral.Number(w.PresencePenalty),
		User: w.User, Metadata: w.Metadata, ServiceTier: w.ServiceTier, PromptCacheKey: w.PromptCacheKey,
		Extra: slices.DeleteFunc(dialect.ExtraMembers(body, knownMembers), asksForNothing),
	}
	if w.Instructions != nil {
		r.Messages = append(r.Messages, instructions(*w.Instructions))
	}
	for _, read := range []func(*neutral.Request, *wireRequest) error{readInput, readTools, readToolChoice, readText, readReasoning} {
		if err := read(r, &w); err != nil {
			return nil, err
		}
	}
	readInclude(r, w.Include)
	return r, nil
}

func asksForNothing(m neutral.Member) bool {
	return m.Name != "stream_options" && asksNothing(m.Name, m.Value)
}

// readText reads the format of the answer.
func readText(r *neutral.Request, w *wireRequest) error {
	if !isObject(w.Text) {
		return absent(w.Text, "text")
	}
	var text struct {
		Format    json.RawMessage `json:"format"`
		Verbosity string          `json:"verbosity"`
	}
	if err := dialect.Decode(w.Text, "text", &text); err != nil {
		return err
	}
	r.Verbosity = text.Verbosity
	r.Extra = append(r.Extra, subMembers("text", w.Text, "format", "verbosity")...)
	if !isObject(text.Format) {
		return absent(text.Format, "text.format")
	}
	var format struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Schema      json.RawMessage `json:"schema"`
		Strict      *bool           `json:"strict"`
	}
	if err := dialect.Decode(text.Format, "text.format", &format); err != nil {
		return err
	}
	switch format.Type {
	case "text":
	case "json_object":
		r.Format.Kind = neutral.FormatJSONObject
	case "json_schema":
		if !isObject(format.Schema) {
			return invalid("text.format.schema", "must be a JSON schema")
		}
		r.Format = neutral.Format{
			Kind: neutral.FormatJSONSchema, Name: format.Name, Description: format.Description, Schema: format.Schema, Strict: format.Strict,
		}
	case "":
		return invalid("text.format.type", "is missing")
	default:
		r.Format = neutral.Format{Kind: neutral.FormatOther, Raw: text.Format}
	}
	return nil
}

// readReasoning reads how the model may think. OpenRouter bounds it in tokens, too.
func readReasoning(r *neutral.Request, w *wireRequest) error {
	if !isObject(w.Reasoning) {
		return absent(w.Reasoning, "reasoning")
	}
	var reasoning struct {
		Effort          string `json:"effort"`
		Summary         string `json:"summary"`
		GenerateSummary string `json:"generate_summary"`
		MaxTokens       *int64 `json:"max_tokens"`
		Enabled         *bool  `json:"enabled"`
		Exclude         bool   `json:"exclude"`
	}
	if err := dialect.Decode(w.Reasoning, "reasoning", &reasoning); err != nil {
		return err
	}
	r.Extra = append(r.Extra, subMembers("reasoning", w.Reasoning, "effort", "summary", "generate_summary", "max_tokens", "enabled", "exclude")...)
	if reasoning.Summary == "" {
		reasoning.Summary = reasoning.GenerateSummary
	}
	r.Reasoning = &neutral.Reasoning{
		Effort: reasoning.Effort, Summary: reasoning.Summary, MaxTokens: reasoning.MaxTokens, Enabled: reasoning.Enabled, Exclude: reasoning.Exclude,
	}
	return nil
}

// readInclude reads what the answer is to hold beyond the usual.
func readInclude(r *neutral.Request, include []string) {
	rest := make([]string, 0, len(include))
	for _, name := range include {
		switch name {
		case includeEncrypted:
			if r.Reasoning == nil {
				r.Reasoning = &neutral.Reasoning{}
			}
			r.Reasoning.Encrypted = true
		case includeLogProbs:
			r.LogProbs = true
		default:
			rest = append(rest, name)
		}
	}
	if len(rest) > 0 {
		r.Extra = append(r.Extra, neutral.Member{Name: "include", Value: dialect.AppendJSON(nil, rest)})
	}
}

// subMembers are the members of an object of the request that the neutral form has no place for, with the object's name before theirs.
func subMembers(parent string, object json.RawMessage, known ...string) []neutral.Member {
	extra := dialect.ExtraMembers(object, known)
	for i := range extra {
		extra[i].Name = parent + "." + extra[i].Name
	}
	return extra
}

// isObject tells whether raw, which is valid JSON or empty, is an object.
func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// isString tells whether raw, which is valid JSON or empty, is a string.
func isString(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '"' }

// isNull tells whether raw, which is valid JSON, is absent.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// absent is the error of a member that is there and no object.
func absent(raw json.RawMessage, path string) error {
	if isNull(raw) {
		return nil
	}
	return wrongType(path, "an object")
}

func wrongType(path, want string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidType, Param: path, Message: "\"" + path + "\" must be " + want}
}
