package provider

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"sort"
	"strings"
)

const (
	// MaxListBytes is how much of a list of models is read; a longer one is not used.
	MaxListBytes = 8 << 20
	// maxListed bounds the models of a list; what comes after them is not known.
	maxListed = 20_000
	// maxListedID bounds an id, as the API does; no target can name a longer one.
	maxListedID = 256
	// maxListedTokens bounds sizes in tokens, as the API does.
	maxListedTokens = 100_000_000
	// acceptsAnyName is who llama.cpp says that its models belong to; it serves the model that it has under any name.
	acceptsAnyName = "llamacpp"
)

// ListedModel is one model of a vendor's list.
type ListedModel struct {
	// ID that calls give.
	ID string
	// ContextTokens are the size of the context, prompt and answer together, and MaxOutputTokens those of the longest answer; 0 where the list does not say.
	ContextTokens, MaxOutputTokens int64
}

// ModelList is what one account can call, as its vendor says.
type ModelList struct {
	// Provider and Account that it is of.
	Provider string
	Account  Account
	// Models ordered by id, without repetitions.
	Models []ListedModel
	// Complete tells that all are there, so that the absence of one means something.
	Complete bool
}

// Equal tells whether two lists say the same; nil is no list.
func (l *ModelList) Equal(other *ModelList) bool {
	if l == nil || other == nil {
		return l == other
	}
	return l.Provider == other.Provider && l.Account == other.Account && l.Complete == other.Complete && slices.Equal(l.Models, other.Models)
}

// ReadList reads the answer to a call of ListURL. It is false if that is no list of models, or an empty one: a vendor without any model is more likely a
// fault than a fact.
func (p Provider) ReadList(a Account, body []byte) (ModelList, bool) {
	items, more := listItems(body)
	if items == nil {
		return ModelList{}, false
	}
	list := ModelList{Provider: p.Name, Account: a, Complete: !more}
	var aliases []ListedModel
	decoder := json.NewDecoder(bytes.NewReader(items))
	if _, err := decoder.Token(); err != nil {
		return ModelList{}, false
	}
	for decoder.More() {
		var item map[string]json.RawMessage
		if len(list.Models)+len(aliases) >= maxListed {
			list.Complete = false
			break
		}
		if decoder.Decode(&item) != nil {
			return ModelList{}, false
		}
		model := ListedModel{ID: p.List.id(item)}
		if model.ID == "" {
			continue
		}
		model.ContextTokens, model.MaxOutputTokens = sizes(item)
		list.Models = append(list.Models, model)
		aliases = append(aliases, p.List.aliases(item, model)...)
		list.Complete = list.Complete && text(item["owned_by"]) != acceptsAnyName
	}
	list.Models = append(list.Models, aliases...)
	slices.SortStableFunc(list.Models, func(a, b ListedModel) int { return cmp.Compare(a.ID, b.ID) })
	list.Models = slices.CompactFunc(list.Models, func(a, b ListedModel) bool { return a.ID == b.ID })
	return list, len(list.Models) > 0
}

// listItems finds the array in an answer, nil if there is none, and whether more pages follow: OpenAI and most have {"data": [...]}, Google and Cohere
// {"models": [...]}, Bedrock {"modelSummaries": [...]}, and Together the array alone.
func listItems(body []byte) (items json.RawMessage, more bool) {
	if len(body) > MaxListBytes || !json.Valid(body) {
		return nil, false
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); trimmed[0] == '[' {
		return trimmed, false
	}
	var answer map[string]json.RawMessage
	if json.Unmarshal(body, &answer) != nil {
		return nil, false
	}
	for _, name := range []string{"data", "models", "modelSummaries"} {
		if found := answer[name]; len(found) > 0 && found[0] == '[' {
			return found, morePages(answer)
		}
	}
	return nil, false
}

// morePages tells whether an answer is only one page of several.
func morePages(answer map[string]json.RawMessage) bool {
	var links map[string]json.RawMessage
	if json.Unmarshal(answer["links"], &links) == nil && text(links["next"]) != "" {
		return true
	}
	return string(answer["has_more"]) == "true" || text(answer["nextPageToken"]) != "" || text(answer["next_page_token"]) != ""
}

// text reads a JSON text; anything else is empty.
func text(raw json.RawMessage) string {
	var value string
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return value
}

func (l List) id(item map[string]json.RawMessage) string {
	return l.bounded(text(item[cmp.Or(l.ID, "id")]))
}

// bounded takes off the prefix, and leaves out what no target can name.
func (l List) bounded(id string) string {
	if id = strings.TrimPrefix(id, l.Prefix); len(id) > maxListedID {
		return ""
	}
	return id
}

func (l List) aliases(item map[string]json.RawMessage, model ListedModel) []ListedModel {
	var found []ListedModel
	for _, member := range l.Aliases {
		names := []string{text(item[member])}
		if many := []string(nil); json.Unmarshal(item[member], &many) == nil {
			names = many
		}
		for _, name := range names {
			if name = l.bounded(name); name != "" {
				model.ID = name
				found = append(found, model)
			}
		}
	}
	return found
}

// sizes reads the size of a model's context and of its longest answer. Each vendor has names of its own for them, and gateways pass on those of others:
// context_window (Groq, DeepSeek), context_length (OpenRouter, Together, Cohere, xAI), max_context_length (Mistral), max_model_len (vLLM, SGLang),
// contextLength (Fireworks). Anthropic and Google bound prompts and answers apart, so their context is the sum.
func sizes(item map[string]json.RawMessage) (contextTokens, output int64) {
	var top map[string]json.RawMessage
	_ = json.Unmarshal(item["top_provider"], &top)
	output = cmp.Or(
		tokens(item["max_completion_tokens"]), tokens(item["max_output_tokens"]), tokens(item["outputTokenLimit"]), tokens(top["max_completion_tokens"]),
	)
	input := cmp.Or(tokens(item["inputTokenLimit"]), tokens(item["max_input_tokens"]))
	if output == 0 && input > 0 {
		output = tokens(item["max_tokens"])
	}
	contextTokens = cmp.Or(
		tokens(item["context_window"]), tokens(item["context_length"]), tokens(item["max_context_length"]), tokens(item["max_model_len"]),
		tokens(item["contextLength"]),
	)
	if contextTokens == 0 && input > 0 && output > 0 {
		contextTokens = input + output
	}
	return min(contextTokens, maxListedTokens), output
}

// tokens reads a number of tokens; what cannot be one is 0.
func tokens(raw json.RawMessage) int64 {
	var number float64
	if json.Unmarshal(raw, &number) != nil || number < 1 || number > maxListedTokens || number != math.Trunc(number) {
		return 0
	}
	return int64(number)
}

func (l *ModelList) lookup(id string) (ListedModel, bool) {
	at, found := sort.Find(len(l.Models), func(i int) int { return cmp.Compare(id, l.Models[i].ID) })
	if !found {
		return ListedModel{}, false
	}
	return l.Models[at], true
}

// from are the models whose ids begin with a text.
func (l *ModelList) from(prefix string) []ListedModel {
	start := sort.Search(len(l.Models), func(i int) bool { return l.Models[i].ID >= prefix })
	end := start
	for end < len(l.Models) && strings.HasPrefix(l.Models[end].ID, prefix) {
		end++
	}
	return l.Models[start:end]
}

// dated finds the latest model whose id is this one and a date.
func (l *ModelList) dated(id string) (ListedModel, Listing) {
	for _, model := range slices.Backward(l.from(id + "-")) {
		if end := model.ID[len(id):]; endsInDate(end) && len(end) <= len("-20250929") {
			model.ID = id
			return model, Listed
		}
	}
	return ListedModel{}, ListingUnknown
}

// matchesPattern tells whether a gateway lists a pattern, such as "groq/*", that takes in an id.
func (l *ModelList) matchesPattern(id string) bool {
	return slices.ContainsFunc(l.Models, func(m ListedModel) bool { return strings.HasSuffix(m.ID, "*") && matches(m.ID, id) })
}

// knowsOwner tells whether the list has any model of an id's owner.
func (l *ModelList) knowsOwner(id, mark string) bool {
	owner, _, owned := strings.Cut(id, mark)
	return owned && len(l.from(owner+mark)) > 0
}
