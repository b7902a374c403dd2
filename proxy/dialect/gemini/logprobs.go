package gemini

import (
	"encoding/json"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// logprobsResult is Google's form of log probabilities.
type logprobsResult struct {
	Chosen []tokenProbability `json:"chosenCandidates"`
	Top    []topProbabilities `json:"topCandidates,omitempty"`
}

// topProbabilities are the alternatives at one place, best first.
type topProbabilities struct {
	Candidates []tokenProbability `json:"candidates,omitempty"`
}

// tokenProbability is one token's.
type tokenProbability struct {
	Token string      `json:"token"`
	Log   json.Number `json:"logProbability"`
}

// openAILogprobs is OpenAI's form.
type openAILogprobs struct {
	Content []openAIToken `json:"content"`
	Refusal *struct{}     `json:"refusal"`
}

// openAIToken is one token's, with its alternatives.
type openAIToken struct {
	openAIAlternative
	Top []openAIAlternative `json:"top_logprobs"`
}

// openAIAlternative is a token with its bytes, as numbers.
type openAIAlternative struct {
	Token string      `json:"token"`
	Log   json.Number `json:"logprob"`
	Bytes []int       `json:"bytes"`
}

// logProbsOf turns Google's log probabilities into OpenAI's object; nil when they cannot be read.
func logProbsOf(raw []byte) []byte {
	var result logprobsResult
	if raw == nil || json.Unmarshal(raw, &result) != nil || len(result.Chosen) == 0 {
		return nil
	}
	object := openAILogprobs{Content: make([]openAIToken, len(result.Chosen))}
	for i, chosen := range result.Chosen {
		object.Content[i] = openAIToken{openAIAlternative: chosen.openAI(), Top: []openAIAlternative{}}
		if i >= len(result.Top) {
			continue
		}
		for _, other := range result.Top[i].Candidates {
			object.Content[i].Top = append(object.Content[i].Top, other.openAI())
		}
	}
	written, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	return written
}

func (t tokenProbability) openAI() openAIAlternative {
	bytes := make([]int, len(t.Token))
	for i := range len(t.Token) {
		bytes[i] = int(t.Token[i])
	}
	return openAIAlternative{Token: t.Token, Log: number(t.Log), Bytes: bytes}
}

// number is a number that was left out because it is zero, too.
func number(n json.Number) json.Number {
	if n == "" {
		return "0"
	}
	return n
}

// resultOf turns OpenAI's object into Google's; nil when it holds no tokens.
func resultOf(raw []byte) *logprobsResult {
	var object openAILogprobs
	if len(raw) == 0 || json.Unmarshal(raw, &object) != nil || len(object.Content) == 0 {
		return nil
	}
	var result logprobsResult
	for _, token := range object.Content {
		result.Chosen = append(result.Chosen, tokenProbability{Token: token.Token, Log: number(token.Log)})
		var top topProbabilities
		for _, other := range token.Top {
			top.Candidates = append(top.Candidates, tokenProbability{Token: other.Token, Log: number(other.Log)})
		}
		result.Top = append(result.Top, top)
	}
	return &result
}

// setLogProbs puts the log probabilities of a chunk to its last piece of text.
func setLogProbs(events []neutral.Event, raw []byte) {
	for i := len(events) - 1; i >= 0; i-- {
		if e := &events[i]; e.Kind == neutral.EventPartDelta && e.Delta.Text != "" {
			e.Delta.LogProbs = logProbsOf(raw)
			return
		}
	}
}
