package bedrock

import (
	"encoding/json"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// request is the body of Converse and ConverseStream.
type request struct {
	Messages                          []message          `json:"messages"`
	System                            []block            `json:"system"`
	InferenceConfig                   *inferenceConfig   `json:"inferenceConfig"`
	ToolConfig                        *toolConfig        `json:"toolConfig"`
	OutputConfig                      *outputConfig      `json:"outputConfig"`
	AdditionalModelRequestFields      map[string]any     `json:"additionalModelRequestFields"`
	AdditionalModelResponseFieldPaths []string           `json:"additionalModelResponseFieldPaths"`
	RequestMetadata                   map[string]string  `json:"requestMetadata"`
	PerformanceConfig                 *performanceConfig `json:"performanceConfig"`
	ServiceTier                       *typed             `json:"serviceTier"`
	PromptVariables                   map[string]any     `json:"promptVariables"`
	GuardrailConfig                   *map[string]any    `json:"guardrailConfig"`
}

type typed struct {
	Type string `json:"type"`
}

type performanceConfig struct {
	Latency string `json:"latency"`
}

type message struct {
	Role    string  `json:"role"`
	Content []block `json:"content"`
}

// block is one of the union's members: exactly one is set.
type block struct {
	Text             *string           `json:"text,omitempty"`
	JSON             json.RawMessage   `json:"json,omitempty"` // in a tool's result
	Image            *image            `json:"image,omitempty"`
	Document         *document         `json:"document,omitempty"`
	ToolUse          *toolUse          `json:"toolUse,omitempty"`
	ToolResult       *toolResult       `json:"toolResult,omitempty"`
	ReasoningContent *reasoningContent `json:"reasoningContent,omitempty"`
	CachePoint       *cachePoint       `json:"cachePoint,omitempty"`
	GuardContent     *guardContent     `json:"guardContent,omitempty"`
}

type image struct {
	Format string `json:"format"`
	Source source `json:"source"`
}

type document struct {
	Format    string          `json:"format"`
	Name      string          `json:"name"`
	Source    source          `json:"source"`
	Context   string          `json:"context"`
	Citations json.RawMessage `json:"citations"`
}

type source struct {
	Bytes      *string `json:"bytes"`
	Text       *string `json:"text"`
	Content    []block `json:"content"`
	S3Location *struct {
		URI         string `json:"uri"`
		BucketOwner string `json:"bucketOwner"`
	} `json:"s3Location"`
}

type toolUse struct {
	ToolUseID string          `json:"toolUseId"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
}

type toolResult struct {
	ToolUseID string  `json:"toolUseId"`
	Content   []block `json:"content"`
	Status    string  `json:"status"`
}

type reasoningContent struct {
	ReasoningText   *reasoningText `json:"reasoningText,omitempty"`
	RedactedContent *string        `json:"redactedContent,omitempty"`
}

type reasoningText struct {
	Text      string `json:"text"`
	Signature string `json:"signature,omitempty"`
}

type cachePoint struct {
	Type string `json:"type"`
	TTL  string `json:"ttl,omitempty"`
}

type guardContent struct {
	Text *struct {
		Text       string   `json:"text"`
		Qualifiers []string `json:"qualifiers"`
	} `json:"text"`
}

type inferenceConfig struct {
	MaxTokens     *int     `json:"maxTokens"`
	Temperature   *float64 `json:"temperature"`
	TopP          *float64 `json:"topP"`
	StopSequences []string `json:"stopSequences"`
}

type toolConfig struct {
	Tools []struct {
		ToolSpec   *toolSpec   `json:"toolSpec"`
		CachePoint *cachePoint `json:"cachePoint"`
	} `json:"tools"`
	ToolChoice *struct {
		Auto *struct{} `json:"auto"`
		Any  *struct{} `json:"any"`
		Tool *struct {
			Name string `json:"name"`
		} `json:"tool"`
	} `json:"toolChoice"`
}

type toolSpec struct {
	Name        string  `json:"name"`
	Description *string `json:"description"`
	InputSchema struct {
		JSON map[string]any `json:"json"`
	} `json:"inputSchema"`
	Strict *bool `json:"strict"`
}

type outputConfig struct {
	Effort     string `json:"effort"`
	TextFormat *struct {
		Type      string `json:"type"`
		Structure struct {
			JSONSchema struct {
				Schema      string `json:"schema"` // JSON in a string
				Name        string `json:"name"`
				Description string `json:"description"`
			} `json:"jsonSchema"`
		} `json:"structure"`
	} `json:"textFormat"`
}

// thinking is what additionalModelRequestFields say to Claude.
func (r request) thinking() (enabled bool, budget float64) {
	config, _ := r.AdditionalModelRequestFields["thinking"].(map[string]any)
	budget, _ = config["budget_tokens"].(float64)
	return config["type"] == "enabled" || config["type"] == "adaptive", budget
}

// ask is what the answer depends on. The request has been checked.
func (r request) ask() (core.Ask, *core.Refusal) {
	prompt, refused := r.prompt()
	if refused != nil {
		return core.Ask{}, refused
	}
	ask := core.Ask{Prompt: prompt}
	ask.Think, _ = r.thinking()
	if c := r.InferenceConfig; c != nil {
		ask.Stop = c.StopSequences
		if c.MaxTokens != nil {
			ask.Limit = *c.MaxTokens
		}
	}
	r.ToolConfig.offer(&ask)
	if c := r.OutputConfig; c != nil && c.TextFormat != nil {
		if err := json.Unmarshal([]byte(c.TextFormat.Structure.JSONSchema.Schema), &ask.Schema); err != nil {
			return ask, invalid("The JSON schema in outputConfig.textFormat is not valid JSON.")
		}
		ask.JSON = true
	}
	return ask, nil
}

// offer adds the tools and who chooses among them.
func (c *toolConfig) offer(ask *core.Ask) {
	if c == nil {
		return
	}
	for _, t := range c.Tools {
		if t.ToolSpec != nil {
			ask.Tools = append(ask.Tools, core.Tool{Name: t.ToolSpec.Name, Schema: t.ToolSpec.InputSchema.JSON})
		}
	}
	switch choice := c.ToolChoice; {
	case choice == nil:
	case choice.Any != nil:
		ask.Calls = core.CallsRequired
	case choice.Tool != nil:
		ask.Forced = choice.Tool.Name
	}
}
