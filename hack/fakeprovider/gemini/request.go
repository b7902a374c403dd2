package gemini

import (
	"encoding/json"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// request is the body of generateContent.
type request struct {
	Model             string            `json:"model"`
	Contents          []content         `json:"contents"`
	SystemInstruction *content          `json:"systemInstruction"`
	Tools             []tool            `json:"tools"`
	ToolConfig        *toolConfig       `json:"toolConfig"`
	SafetySettings    []safetySetting   `json:"safetySettings"`
	GenerationConfig  *generationConfig `json:"generationConfig"`
	CachedContent     string            `json:"cachedContent"`
	Labels            map[string]string `json:"labels"`
}

type content struct {
	Role  string `json:"role"`
	Parts []part `json:"parts"`
}

type part struct {
	Text             *string           `json:"text,omitempty"`
	Thought          bool              `json:"thought,omitempty"`
	ThoughtSignature string            `json:"thoughtSignature,omitempty"`
	InlineData       *blob             `json:"inlineData,omitempty"`
	FileData         *fileData         `json:"fileData,omitempty"`
	FunctionCall     *functionCall     `json:"functionCall,omitempty"`
	FunctionResponse *functionResponse `json:"functionResponse,omitempty"`
	VideoMetadata    json.RawMessage   `json:"videoMetadata,omitempty"`
	MediaResolution  json.RawMessage   `json:"mediaResolution,omitempty"`
}

type blob struct {
	MimeType    string `json:"mimeType"`
	Data        string `json:"data"`
	DisplayName string `json:"displayName,omitempty"`
}

type fileData struct {
	MimeType string `json:"mimeType"`
	FileURI  string `json:"fileUri"`
}

type functionCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

type functionResponse struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Response map[string]any `json:"response"`
	Parts    []struct {
		InlineData *blob     `json:"inlineData"`
		FileData   *fileData `json:"fileData"`
	} `json:"parts"`
	WillContinue bool   `json:"willContinue"`
	Scheduling   string `json:"scheduling"`
}

type tool struct {
	FunctionDeclarations []functionDeclaration `json:"functionDeclarations"`
	GoogleSearch         json.RawMessage       `json:"googleSearch"`
	CodeExecution        json.RawMessage       `json:"codeExecution"`
	URLContext           json.RawMessage       `json:"urlContext"`
}

type functionDeclaration struct {
	Name                 string         `json:"name"`
	Description          string         `json:"description"`
	Behavior             string         `json:"behavior"`
	Parameters           *schema        `json:"parameters"`
	ParametersJSONSchema map[string]any `json:"parametersJsonSchema"`
	Response             *schema        `json:"response"`
	ResponseJSONSchema   map[string]any `json:"responseJsonSchema"`
}

// schema is Google's subset of JSON schema; what is not in it is an unknown field.
type schema struct {
	Type             string            `json:"type"`
	Format           string            `json:"format"`
	Title            string            `json:"title"`
	Description      string            `json:"description"`
	Nullable         bool              `json:"nullable"`
	Enum             []string          `json:"enum"`
	Items            *schema           `json:"items"`
	MinItems         json.RawMessage   `json:"minItems"`
	MaxItems         json.RawMessage   `json:"maxItems"`
	Properties       map[string]schema `json:"properties"`
	Required         []string          `json:"required"`
	MinProperties    json.RawMessage   `json:"minProperties"`
	MaxProperties    json.RawMessage   `json:"maxProperties"`
	MinLength        json.RawMessage   `json:"minLength"`
	MaxLength        json.RawMessage   `json:"maxLength"`
	Pattern          string            `json:"pattern"`
	Example          any               `json:"example"`
	AnyOf            []schema          `json:"anyOf"`
	PropertyOrdering []string          `json:"propertyOrdering"`
	Default          any               `json:"default"`
	Minimum          *float64          `json:"minimum"`
	Maximum          *float64          `json:"maximum"`
}

type toolConfig struct {
	FunctionCallingConfig *struct {
		Mode                 string   `json:"mode"`
		AllowedFunctionNames []string `json:"allowedFunctionNames"`
	} `json:"functionCallingConfig"`
	RetrievalConfig json.RawMessage `json:"retrievalConfig"`
}

type safetySetting struct {
	Category  string `json:"category"`
	Threshold string `json:"threshold"`
	Method    string `json:"method"`
}

type generationConfig struct {
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"topP"`
	TopK               *float64        `json:"topK"`
	CandidateCount     *int            `json:"candidateCount"`
	MaxOutputTokens    *int            `json:"maxOutputTokens"`
	StopSequences      []string        `json:"stopSequences"`
	ResponseMimeType   string          `json:"responseMimeType"`
	ResponseSchema     *schema         `json:"responseSchema"`
	ResponseJSONSchema map[string]any  `json:"responseJsonSchema"`
	PresencePenalty    *float64        `json:"presencePenalty"`
	FrequencyPenalty   *float64        `json:"frequencyPenalty"`
	Seed               *int32          `json:"seed"`
	ResponseLogprobs   bool            `json:"responseLogprobs"`
	Logprobs           *int            `json:"logprobs"`
	ResponseModalities []string        `json:"responseModalities"`
	MediaResolution    string          `json:"mediaResolution"`
	SpeechConfig       json.RawMessage `json:"speechConfig"`
	AudioTimestamp     bool            `json:"audioTimestamp"`
	ThinkingConfig     *thinkingConfig `json:"thinkingConfig"`
}

type thinkingConfig struct {
	IncludeThoughts bool   `json:"includeThoughts"`
	ThinkingBudget  *int   `json:"thinkingBudget"`
	ThinkingLevel   string `json:"thinkingLevel"`
}

// plain is the schema as a map.
func (s *schema) plain() map[string]any {
	if s == nil {
		return nil
	}
	out := map[string]any{"type": s.Type}
	if len(s.Enum) > 0 {
		enum := make([]any, 0, len(s.Enum))
		for _, value := range s.Enum {
			enum = append(enum, value)
		}
		out["enum"] = enum
	}
	if s.Items != nil {
		out["items"] = s.Items.plain()
	}
	properties := map[string]any{}
	for name, property := range s.Properties {
		properties[name] = property.plain()
	}
	out["properties"] = properties
	return out
}

// thinks tells whether the answer is thought over: by a model whose name says so, or where a budget or level asks for it.
func (r request) thinks(model string) bool {
	c := r.GenerationConfig
	if c == nil || c.ThinkingConfig == nil {
		return core.Thinks(model)
	}
	if budget := c.ThinkingConfig.ThinkingBudget; budget != nil {
		return *budget != 0
	}
	return core.Thinks(model) || c.ThinkingConfig.ThinkingLevel != "" || c.ThinkingConfig.IncludeThoughts
}

// ask is what the answer depends on. The request has been checked.
func (r request) ask(model string) (core.Ask, *core.Refusal) {
	prompt, refused := r.prompt()
	if refused != nil {
		return core.Ask{}, refused
	}
	ask := core.Ask{Prompt: prompt, Think: r.thinks(model)}
	for _, t := range r.Tools {
		for _, f := range t.FunctionDeclarations {
			declared := core.Tool{Name: f.Name, Schema: f.ParametersJSONSchema}
			if declared.Schema == nil {
				declared.Schema = f.Parameters.plain()
			}
			ask.Tools = append(ask.Tools, declared)
		}
	}
	if c := r.ToolConfig; c != nil && c.FunctionCallingConfig != nil {
		switch c.FunctionCallingConfig.Mode {
		case "NONE":
			ask.Calls = core.CallsNever
		case "ANY":
			ask.Calls = core.CallsRequired
			if names := c.FunctionCallingConfig.AllowedFunctionNames; len(names) > 0 {
				ask.Forced = names[0]
			}
		}
	}
	r.GenerationConfig.shape(&ask)
	return ask, nil
}

// shape applies the limits and the form of the answer.
func (c *generationConfig) shape(ask *core.Ask) {
	if c == nil {
		return
	}
	ask.Stop = c.StopSequences
	if c.MaxOutputTokens != nil {
		ask.Limit = *c.MaxOutputTokens
	}
	if c.CandidateCount != nil {
		ask.N = *c.CandidateCount
	}
	if c.ResponseMimeType == "application/json" {
		ask.JSON, ask.Schema = true, c.ResponseJSONSchema
		if c.ResponseSchema != nil {
			ask.Schema = c.ResponseSchema.plain()
		}
	}
}
