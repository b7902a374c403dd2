package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/catalogue"
)

// litellmFile is the price list in the wheel of litellm.
const litellmFile = "litellm/model_prices_and_context_window_backup.json"

// facts is what litellm says of one model.
type facts map[string]any

// origin tells whose models a group of litellm's list are.
type origin struct {
	provider string
	// prefix that litellm puts before the provider's ids, and whether ids without it are the provider's, too.
	prefix string
	bare   bool
}

// origins are the groups of litellm's list that are taken.
func origins() map[string]origin {
	return map[string]origin{
		"openai":                        {"OpenAI", "openai/", true},
		"text-completion-openai":        {"OpenAI", "openai/", true},
		"anthropic":                     {"Anthropic", "anthropic/", true},
		"groq":                          {"Groq", "groq/", false},
		"gemini":                        {"GoogleAI", "gemini/", false},
		"bedrock":                       {"AWSBedrock", "bedrock/", true},
		"bedrock_converse":              {"AWSBedrock", "bedrock/", true},
		"azure":                         {"AzureOpenAI", "azure/", false},
		"mistral":                       {"Mistral", "mistral/", false},
		"deepseek":                      {"DeepSeek", "deepseek/", true},
		"xai":                           {"XAI", "xai/", false},
		"together_ai":                   {"Together", "together_ai/", false},
		"fireworks_ai":                  {"Fireworks", "fireworks_ai/", false},
		"fireworks_ai-embedding-models": {"Fireworks", "fireworks_ai/", false},
		"cerebras":                      {"Cerebras", "cerebras/", false},
		"cohere":                        {"Cohere", "cohere/", true},
		"cohere_chat":                   {"Cohere", "cohere/", true},
	}
}

// originOf finds the group of a model; the many of Vertex AI are one.
func originOf(group string) (origin, bool) {
	if strings.HasPrefix(group, "vertex_ai") {
		return origin{"VertexAI", "vertex_ai/", true}, true
	}
	found, known := origins()[group]
	return found, known
}

// modes are the kinds of models that can be called through a proxy.
func modes() []string {
	return []string{"chat", "completion", "responses", "embedding", "image_generation", "image_edit", "audio_transcription", "audio_speech", "rerank", "moderation"}
}

// readLitellm returns the entries of litellm's list by provider and key, and what it leaves out with the reason.
func readLitellm(content []byte, from pin) (listing, []string, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var models map[string]facts
	if err := decoder.Decode(&models); err != nil {
		return nil, nil, fmt.Errorf("decoding the list of litellm: %w", err)
	}
	read := listing{}
	var left []string
	for _, name := range slices.Sorted(maps.Keys(models)) {
		model := models[name]
		group, _ := model["litellm_provider"].(string)
		place, wanted := originOf(group)
		if !wanted {
			continue
		}
		key, problem := place.key(name)
		if problem == "" && !slices.Contains(modes(), model.word("mode")) {
			problem = "it cannot be called: " + model.word("mode")
		}
		var entry *catalogue.Entry
		if problem == "" {
			var err error
			if entry, problem, err = model.entry(key, from); err != nil {
				return nil, nil, fmt.Errorf("litellm's %s: %w", name, err)
			}
		}
		if problem != "" {
			left = append(left, fmt.Sprintf("left out: litellm %s: %s", name, problem))
			continue
		}
		if _, twice := read.of(place.provider)[key]; twice && !strings.HasPrefix(name, place.prefix) {
			continue
		}
		read.of(place.provider)[key] = entry
	}
	return read, left, nil
}

// key is the provider's id of a model that litellm names so.
func (o origin) key(name string) (key, problem string) {
	if sized(name) {
		return "", "its price is of one size"
	}
	key, prefixed := strings.CutPrefix(name, o.prefix)
	switch {
	case !prefixed && !o.bare:
		return "", "it is no id of a model"
	case strings.Contains(key, "*"), strings.Contains(key, "month-commitment"):
		return "", "it is a commitment"
	}
	return key, ""
}

// sized tells whether a name has the size or quality of an image before it.
func sized(name string) bool {
	first, _, many := strings.Cut(name, "/")
	return many && (strings.Contains(name, "-x-") || slices.Contains([]string{"low", "medium", "high", "standard", "hd"}, first))
}

// word is a text of the facts.
func (f facts) word(name string) string {
	text, _ := f[name].(string)
	return text
}

// entry makes the entry of a model, or says why there can be none.
func (f facts) entry(key string, from pin) (entry *catalogue.Entry, problem string, err error) {
	list, err := f.prices()
	if err != nil {
		return nil, "", err
	}
	if list.problem != "" {
		return nil, list.problem, nil
	}
	entry = &catalogue.Entry{
		Key:          key,
		Prices:       list.prices,
		Capabilities: f.capabilities(),
		Deprecated:   f.word("deprecation_date"),
		Uplifts:      list.uplifts,
		Package:      from.name + " " + from.version,
		URL:          f.word("source"),
		Notes:        list.notes,
	}
	if f.word("litellm_provider") == "openai" {
		renamed(&entry.Prices, "priority", "fast")
	}
	entry.ContextTokens, entry.MaxOutputTokens, err = f.limits()
	return entry, "", err
}

// limits are the sizes of context and answer. litellm's max_input_tokens is the context of most models, but of OpenAI's newer ones, and where the
// answer can be longer than it, it is what is left of the context beside the longest answer.
func (f facts) limits() (contextTokens, answer int64, err error) {
	if f.word("mode") != "chat" && f.word("mode") != "responses" && f.word("mode") != "completion" {
		return 0, 0, nil
	}
	if contextTokens, err = f.count("max_input_tokens"); err != nil {
		return 0, 0, err
	}
	if answer, err = f.count("max_output_tokens"); err != nil {
		return 0, 0, err
	}
	if contextTokens == 272_000 || contextTokens == 922_000 || contextTokens < answer {
		contextTokens += answer
	}
	return contextTokens, answer, nil
}

// count is a whole number of tokens; 0 when it is not there.
func (f facts) count(name string) (int64, error) {
	number, isNumber := f[name].(json.Number)
	if !isNumber {
		return 0, nil
	}
	value, err := rational(number.String())
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	if !value.IsInt() || !value.Num().IsInt64() {
		return 0, fmt.Errorf("%s: %s is not a number of tokens", name, number)
	}
	return value.Num().Int64(), nil
}

// capabilities are those that litellm says a model has.
func (f facts) capabilities() []string {
	var has []string
	for _, capability := range []struct{ fact, name string }{
		{"supports_function_calling", "Tools"}, {"supports_vision", "Vision"}, {"supports_pdf_input", "Files"}, {"supports_audio_input", "Audio"},
		{"supports_response_schema", "StructuredOutput"}, {"supports_reasoning", "Reasoning"},
	} {
		if f[capability.fact] == true {
			has = append(has, capability.name)
		}
	}
	return has
}
