package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// responseRequest is the body of POST responses.
type responseRequest struct {
	Model              string               `json:"model"`
	Input              core.OneOrMany[item] `json:"input"`
	Instructions       *string              `json:"instructions"`
	MaxOutputTokens    *int                 `json:"max_output_tokens"`
	Temperature        *float64             `json:"temperature"`
	TopP               *float64             `json:"top_p"`
	Tools              []responseTool       `json:"tools"`
	ToolChoice         json.RawMessage      `json:"tool_choice"`
	ParallelToolCalls  *bool                `json:"parallel_tool_calls"`
	PreviousResponseID *string              `json:"previous_response_id"`
	Reasoning          *struct {
		Effort          *string `json:"effort"`
		Summary         *string `json:"summary"`
		GenerateSummary *string `json:"generate_summary"`
	} `json:"reasoning"`
	Store         *bool `json:"store"`
	Stream        bool  `json:"stream"`
	StreamOptions *struct {
		IncludeObfuscation *bool `json:"include_obfuscation"`
	} `json:"stream_options"`
	Text *struct {
		Format    *textFormat `json:"format"`
		Verbosity *string     `json:"verbosity"`
	} `json:"text"`
	Truncation           *string           `json:"truncation"`
	User                 *string           `json:"user"`
	Metadata             map[string]string `json:"metadata"`
	Include              []string          `json:"include"`
	TopLogprobs          *int              `json:"top_logprobs"`
	ServiceTier          *string           `json:"service_tier"`
	Background           bool              `json:"background"`
	MaxToolCalls         *int              `json:"max_tool_calls"`
	PromptCacheKey       *string           `json:"prompt_cache_key"`
	PromptCacheRetention *string           `json:"prompt_cache_retention"`
	SafetyIdentifier     *string           `json:"safety_identifier"`
}

// item is an item of input, of any type.
type item struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Status string `json:"status"`
	// Role and Content of a message.
	Role    string                       `json:"role"`
	Content core.OneOrMany[responsePart] `json:"content"`
	Phase   string                       `json:"phase"`
	// CallID, Name, Arguments and Output of a function's call and of its result.
	CallID    string                       `json:"call_id"`
	Name      string                       `json:"name"`
	Arguments *string                      `json:"arguments"`
	Output    core.OneOrMany[responsePart] `json:"output"`
	// Summary and EncryptedContent of reasoning.
	Summary          []responsePart `json:"summary"`
	EncryptedContent *string        `json:"encrypted_content"`
}

// responsePart is a part of content, of output, or of a summary.
type responsePart struct {
	Type        string          `json:"type"`
	Text        *string         `json:"text"`
	Refusal     *string         `json:"refusal"`
	Annotations json.RawMessage `json:"annotations"`
	Logprobs    json.RawMessage `json:"logprobs"`
	ImageURL    *string         `json:"image_url"`
	FileID      *string         `json:"file_id"`
	Detail      *string         `json:"detail"`
	FileData    *string         `json:"file_data"`
	FileURL     *string         `json:"file_url"`
	Filename    *string         `json:"filename"`
}

type responseTool struct {
	Type        string         `json:"type"`
	Name        string         `json:"name,omitempty"`
	Description *string        `json:"description"`
	Parameters  map[string]any `json:"parameters"`
	Strict      *bool          `json:"strict"`
}

type textFormat struct {
	Type        string         `json:"type"`
	Name        string         `json:"name,omitempty"`
	Description *string        `json:"description,omitempty"`
	Schema      map[string]any `json:"schema,omitempty"`
	Strict      *bool          `json:"strict,omitempty"`
}

// items are all of the input; a string is one message.
func (r responseRequest) items() []item {
	if !r.Input.IsText {
		return r.Input.Items
	}
	return []item{{Type: "message", Role: "user", Content: core.OneOrMany[responsePart]{IsText: true, Given: true, Text: r.Input.Text}}}
}

// stores tells whether the answer is kept, which it is unless the request says otherwise.
func (r responseRequest) stores() bool { return r.Store == nil || *r.Store }

func (r responseRequest) includes(what string) bool { return slices.Contains(r.Include, what) }

func (r responseRequest) summarises() bool {
	return r.Reasoning != nil && (r.Reasoning.Summary != nil || r.Reasoning.GenerateSummary != nil)
}

// decodeResponse reads the body strictly.
func (x *exchange) decodeResponse(out *responseRequest) *core.Refusal {
	if !isJSON(x.R.Header) {
		return invalid("", "", "Unsupported content type: 'application/octet-stream'. This API method only accepts 'application/json' requests, but you specified the header 'Content-Type: application/octet-stream'. Please try again with a supported content type.")
	}
	if refused := x.decode(fieldsOf(reflect.TypeFor[responseRequest]()), out); refused != nil {
		if name, unknown := strings.CutPrefix(refused.Body.Message, "Unrecognized request argument supplied: "); unknown {
			return invalid(name, "unknown_parameter", "Unknown parameter: '%s'.", name)
		}
		return refused
	}
	return nil
}

// fieldsOf are the JSON names of a struct's fields.
func fieldsOf(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}

// check applies the rules; the first broken one is reported.
func (x *exchange) checkResponse(r responseRequest) *core.Refusal {
	switch {
	case !r.Input.Given:
		return invalid("input", "missing_required_parameter", "Missing required parameter: 'input'.")
	case r.MaxOutputTokens != nil && *r.MaxOutputTokens < 16:
		return invalid("max_output_tokens", "integer_below_min_value", "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got %d instead.", *r.MaxOutputTokens)
	case r.Background:
		return invalid("background", "unsupported_parameter", "Background responses are not imitated.")
	case r.StreamOptions != nil && !r.Stream:
		return invalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	if refused := decimalWithin("temperature", r.Temperature, 2); refused != nil {
		return refused
	}
	if refused := decimalWithin("top_p", r.TopP, 1); refused != nil {
		return refused
	}
	if refused := x.checkReasoning(r); refused != nil {
		return refused
	}
	return r.checkTools()
}

// checkReasoning refuses what models that do not reason refuse.
func (x *exchange) checkReasoning(r responseRequest) *core.Refusal {
	known := []string{"reasoning.encrypted_content", "message.output_text.logprobs", "message.input_image.image_url", "file_search_call.results",
		"web_search_call.action.sources", "web_search_call.results", "computer_call_output.output.image_url", "code_interpreter_call.outputs"}
	for i, include := range r.Include {
		if !slices.Contains(known, include) {
			return invalid(fmt.Sprintf("include[%d]", i), "invalid_value", "Invalid value: '%s'. Supported values are: %s.", include, "'"+strings.Join(known, "', '")+"'")
		}
	}
	if !strings.HasPrefix(x.Model, "gpt-4") && !strings.HasPrefix(x.Model, "gpt-3.5") {
		return nil
	}
	switch {
	case r.includes("reasoning.encrypted_content"):
		return invalid("include", "", "Encrypted content is not supported with this model.")
	case r.Reasoning != nil && r.Reasoning.Effort != nil:
		return invalid("reasoning.effort", "unsupported_parameter", "Unsupported parameter: 'reasoning.effort' is not supported with this model.")
	case r.Reasoning != nil && r.Reasoning.Summary != nil:
		return invalid("reasoning.summary", "unsupported_parameter", "Unsupported parameter: 'reasoning.summary' is not supported with this model.")
	}
	return nil
}

func (r responseRequest) checkTools() *core.Refusal {
	for i, t := range r.Tools {
		switch {
		case t.Type != "function":
			return invalid(fmt.Sprintf("tools[%d].type", i), "invalid_value", "Invalid value: '%s'. Only 'function' is imitated.", t.Type)
		case t.Name == "":
			return invalid(fmt.Sprintf("tools[%d].name", i), "missing_required_parameter", "Missing required parameter: 'tools[%d].name'.", i)
		}
	}
	if f := r.format(); f.Type == "json_schema" && (f.Name == "" || f.Schema == nil) {
		return invalid("text.format.name", "missing_required_parameter", "Missing required parameter: 'text.format.name'.")
	}
	word, forced := r.choice()
	switch {
	case forced != "" && !slices.ContainsFunc(r.Tools, func(t responseTool) bool { return t.Name == forced }):
		return invalid("tool_choice", "", "Tool choice '%s' not found in 'tools' parameter.", forced)
	case word == "required" && len(r.Tools) == 0:
		return invalid("tool_choice", "", "Tool choice 'required' must be specified with 'tools' parameter.")
	}
	return nil
}

func (r responseRequest) format() textFormat {
	if r.Text == nil || r.Text.Format == nil {
		return textFormat{Type: "text"}
	}
	return *r.Text.Format
}

// choice is the word of tool_choice, or the function that it names.
func (r responseRequest) choice() (word, forced string) {
	if json.Unmarshal(r.ToolChoice, &word) == nil {
		return word, ""
	}
	var named struct {
		Type string `json:"type"`
		Name string `json:"name"`
		Mode string `json:"mode"`
	}
	_ = json.Unmarshal(r.ToolChoice, &named) // absent is auto
	if named.Type == "function" {
		return "", named.Name
	}
	return named.Mode, ""
}

// responsePrompt is all that the items say; they are checked on the way.
func (x *exchange) responsePrompt(r responseRequest, items []item) (core.Prompt, *core.Refusal) {
	reader := itemReader{exchange: x, called: map[string]bool{}}
	if r.Instructions != nil {
		reader.prompt.Message(false)
		reader.prompt.Add(*r.Instructions)
	}
	before := ""
	for i, it := range items {
		if it.Type == "function_call" && before != it.Type {
			reader.prompt.Message(false)
		}
		before = it.Type
		if refused := reader.read(it, fmt.Sprintf("input[%d]", i)); refused != nil {
			return reader.prompt, refused
		}
	}
	switch {
	case len(reader.open) > 0:
		return reader.prompt, invalid("input", "", "No tool output found for function call %s.", reader.open[0])
	case before == "reasoning":
		return reader.prompt, invalid("input", "", "Item '%s' of type 'reasoning' was provided without its required following item.", items[len(items)-1].ID)
	}
	return reader.prompt, nil
}

// itemReader reads items in their order.
type itemReader struct {
	*exchange
	prompt core.Prompt
	open   []string        // calls without results yet
	called map[string]bool // all calls
}

func (r *itemReader) read(it item, at string) *core.Refusal {
	switch it.Type {
	case "message", "":
		return it.message(&r.prompt, at)
	case "function_call":
		if it.CallID == "" || it.Name == "" || it.Arguments == nil {
			return invalid(at+".call_id", "missing_required_parameter", "Missing required parameter: '%s.call_id', '%s.name' or '%s.arguments'.", at, at, at)
		}
		r.open, r.called[it.CallID] = append(r.open, it.CallID), true
		return nil
	case "function_call_output":
		if !r.called[it.CallID] {
			return invalid("input", "", "No tool call found for function call output with call_id %s.", it.CallID)
		}
		r.open = slices.DeleteFunc(r.open, func(id string) bool { return id == it.CallID })
		r.prompt.Message(false)
		return addResponseParts(&r.prompt, it.Output, at+".output", inputParts())
	case "reasoning":
		return r.checkThought(it, at)
	}
	return invalid(at+".type", "invalid_value", "Invalid value: '%s'. The items imitated are: 'message', 'function_call', 'function_call_output', and 'reasoning'.", it.Type)
}

func inputParts() []string { return []string{"input_text", "input_image", "input_file"} }

// message adds a message.
func (it item) message(p *core.Prompt, at string) *core.Refusal {
	if !slices.Contains([]string{"user", "assistant", "system", "developer"}, it.Role) {
		return invalid(at+".role", "invalid_value", "Invalid value: '%s'. Supported values are: 'assistant', 'system', 'developer', and 'user'.", it.Role)
	}
	if !it.Content.Given {
		return invalid(at+".content", "missing_required_parameter", "Missing required parameter: '%s.content'.", at)
	}
	p.Message(it.Role == "user")
	allowed := inputParts()
	if it.Role == "assistant" {
		allowed = []string{"output_text", "refusal"}
	}
	return addResponseParts(p, it.Content, at+".content", allowed)
}

// checkThought wants encrypted content of its own, or an item that was stored.
func (x *exchange) checkThought(it item, at string) *core.Refusal {
	if it.Summary == nil {
		return invalid(at+".summary", "missing_required_parameter", "Missing required parameter: '%s.summary'.", at)
	}
	if it.EncryptedContent != nil {
		if _, ok := core.Unseal(x.flavour.sealer(), *it.EncryptedContent); !ok {
			return invalid("", "invalid_encrypted_content", "The encrypted content for item %s could not be verified. Reason: Encrypted content could not be decrypted or parsed.", it.ID)
		}
		return nil
	}
	if x.Kept(it.ID) == nil {
		return &core.Refusal{Status: 404, Body: core.APIError{
			Type: "invalid_request_error", Param: orNull("input"),
			Message: fmt.Sprintf("Item with id '%s' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.", it.ID),
		}}
	}
	return nil
}

func (f flavour) sealer() core.Sealer {
	if f == azure {
		return core.SealAzure
	}
	return core.SealOpenAI
}

// addResponseParts adds text or parts of the types allowed.
func addResponseParts(p *core.Prompt, content core.OneOrMany[responsePart], at string, allowed []string) *core.Refusal {
	p.Add(content.Text)
	for i, part := range content.Items {
		path := fmt.Sprintf("%s[%d]", at, i)
		if !slices.Contains(allowed, part.Type) {
			return invalid(path, "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", part.Type, strings.Join(allowed, "', '"))
		}
		if refused := part.add(p, path); refused != nil {
			return refused
		}
	}
	return nil
}

func (c responsePart) addMedium(p *core.Prompt, path string) *core.Refusal {
	switch {
	case c.FileID != nil:
		p.AddURL("file " + *c.FileID)
		return nil
	case c.Type == "input_image":
		return readImage(p, core.Value(c.ImageURL), path+".image_url")
	case c.FileURL != nil:
		p.AddURL(*c.FileURL)
		return nil
	}
	return readFile(p, core.Value(c.FileData), "", path)
}

func (c responsePart) add(p *core.Prompt, path string) *core.Refusal {
	switch {
	case c.Type == "refusal" && c.Refusal != nil:
		p.Add(*c.Refusal)
	case c.Type == "input_image" || c.Type == "input_file":
		return c.addMedium(p, path)
	case c.Text != nil:
		p.Add(*c.Text)
	default:
		return invalid(path, "missing_required_parameter", "Missing required parameter: '%s.text'.", path)
	}
	return nil
}
