package openai

import (
	"fmt"
	"net/http"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// modelsSince is the creation time given for every model.
const modelsSince = 1686935002

// models answers GET models.
func (x *exchange) models() error {
	list := struct {
		Object string        `json:"object,omitempty"`
		Data   []modelObject `json:"data"`
	}{Object: "list", Data: []modelObject{}}
	if x.flavour == openRouter {
		list.Object = ""
	}
	for _, id := range x.Listed() {
		list.Data = append(list.Data, x.flavour.modelObject(id))
	}
	return x.Plain(list, 0, nil)
}

// model answers GET models/{id}; an id may contain slashes.
func (x *exchange) model() error {
	id := x.R.PathValue("id")
	if !x.Serves(id) {
		return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{
			Message: fmt.Sprintf("The model '%s' does not exist", id), Type: "invalid_request_error", Param: orNull("model"), Code: orNull("model_not_found"),
		}}
	}
	return x.Plain(x.flavour.modelObject(id), 0, nil)
}

// modelObject is a model as the provider lists it.
func (f flavour) modelObject(id string) modelObject {
	object := modelObject{ID: id, Object: "model", Created: modelsSince, OwnedBy: "system"}
	switch f {
	case groq:
		active := true
		object.Active, object.ContextWindow = &active, 131072
	case openRouter:
		name := id[strings.LastIndexByte(id, '/')+1:]
		return modelObject{
			ID: id, Created: modelsSince, Name: name, ContextLength: 131072, Pricing: &pricingObject{Prompt: "0.00000015", Completion: "0.0000006"},
			Architecture: &architecture{Modality: "text+image+file->text", InputModalities: []string{"text", "image", "file"}, OutputModalities: []string{"text"}, Tokenizer: "Other"},
			Supported:    routed(),
		}
	case openAI, azure, compatible:
	}
	return object
}

// routed are the parameters that OpenRouter says a model supports.
func routed() []string {
	return []string{
		"frequency_penalty", "include_reasoning", "logit_bias", "logprobs", "max_tokens", "presence_penalty", "reasoning", "response_format", "seed", "stop",
		"structured_outputs", "temperature", "tool_choice", "tools", "top_logprobs", "top_p",
	}
}

// key answers OpenRouter's GET key; the key was checked before.
func (x *exchange) key() error {
	type rateLimit struct {
		Requests int64  `json:"requests"`
		Interval string `json:"interval"`
		Note     string `json:"note"`
	}
	type data struct {
		Label          string    `json:"label"`
		Limit          *float64  `json:"limit"`
		LimitRemaining *float64  `json:"limit_remaining"`
		Usage          float64   `json:"usage"`
		IsFreeTier     bool      `json:"is_free_tier"`
		RateLimit      rateLimit `json:"rate_limit"`
	}
	return x.Plain(map[string]data{"data": {Label: "sk-or-v1-fake", RateLimit: rateLimit{-1, "10s", "deprecated"}}}, 0, nil)
}
