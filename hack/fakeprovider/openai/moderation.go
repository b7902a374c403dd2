package openai

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// moderationRequest is the body of POST moderations.
type moderationRequest struct {
	Model string              `json:"model"`
	Input core.OneOrMany[any] `json:"input"`
}

// moderation answers POST moderations: what contains the word "violence" is flagged.
func (x *exchange) moderation() error {
	if x.Model == "" {
		x.Model = "omni-moderation-latest"
	}
	var r moderationRequest
	if refused := x.decode(fieldsOf(reflect.TypeFor[moderationRequest]()), &r); refused != nil {
		return refused
	}
	texts, refused := moderated(r.Input)
	if refused != nil {
		return refused
	}
	results := []map[string]any{}
	for _, text := range texts {
		results = append(results, verdict(strings.Contains(text, "violence")))
	}
	return x.Plain(map[string]any{"id": x.ID("modr-"), "model": x.Model, "results": results}, 0, nil)
}

// moderated are the texts to judge, each by itself; parts of one message are judged together.
func moderated(input core.OneOrMany[any]) ([]string, *core.Refusal) {
	if input.IsText {
		return []string{input.Text}, nil
	}
	var texts []string
	var message core.Prompt
	for i, one := range input.Items {
		if text, ok := one.(string); ok {
			texts = append(texts, text)
			continue
		}
		var p part
		if json.Unmarshal(core.Encode(one), &p) != nil || (p.Type != "text" && p.Type != "image_url") {
			return nil, invalid("input", "invalid_type", "Invalid type for 'input[%d]'.", i)
		}
		if refused := p.read(&message, fmt.Sprintf("input[%d]", i)); refused != nil {
			return nil, refused
		}
	}
	if message.Text() != "" {
		texts = append(texts, message.Text())
	}
	if len(texts) == 0 {
		return nil, invalid("input", "missing_required_parameter", "Missing required parameter: 'input'.")
	}
	return texts, nil
}

// verdict says yes or no to violence, and no to all else.
func verdict(violent bool) map[string]any { //nolint:revive // what is reported is a yes or no
	categories, scores, applied := map[string]bool{}, map[string]float64{}, map[string][]string{}
	for _, name := range []string{
		"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm", "self-harm/instructions",
		"self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
	} {
		categories[name], scores[name], applied[name] = false, 0.0001, []string{"text"}
	}
	if violent {
		categories["violence"], scores["violence"] = true, 0.98
	}
	return map[string]any{"flagged": violent, "categories": categories, "category_scores": scores, "category_applied_input_types": applied}
}
