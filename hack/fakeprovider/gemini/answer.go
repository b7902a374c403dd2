package gemini

import (
	"encoding/json"
	"fmt"
	"iter"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// answer is a GenerateContentResponse.
type answer struct {
	Candidates    []candidate    `json:"candidates"`
	UsageMetadata *usageMetadata `json:"usageMetadata,omitempty"`
	ModelVersion  string         `json:"modelVersion"`
	CreateTime    string         `json:"createTime,omitempty"`
	ResponseID    string         `json:"responseId"`
}

type candidate struct {
	Content       answerContent   `json:"content"`
	FinishReason  string          `json:"finishReason,omitempty"`
	Index         *int            `json:"index,omitempty"`
	AvgLogprobs   *float64        `json:"avgLogprobs,omitempty"`
	LogprobsTable *logprobsResult `json:"logprobsResult,omitempty"`
}

type answerContent struct {
	Parts []part `json:"parts,omitempty"`
	Role  string `json:"role"`
}

type logprobsResult struct {
	ChosenCandidates []chosen        `json:"chosenCandidates"`
	TopCandidates    []topCandidates `json:"topCandidates,omitempty"`
}

type topCandidates struct {
	Candidates []chosen `json:"candidates"`
}

type chosen struct {
	Token          string  `json:"token"`
	TokenID        int     `json:"tokenId"`
	LogProbability float64 `json:"logProbability"`
}

type usageMetadata struct {
	PromptTokenCount        int64           `json:"promptTokenCount"`
	CandidatesTokenCount    int64           `json:"candidatesTokenCount,omitempty"`
	TotalTokenCount         int64           `json:"totalTokenCount"`
	CachedContentTokenCount int64           `json:"cachedContentTokenCount,omitempty"`
	PromptTokensDetails     []modalityCount `json:"promptTokensDetails"`
	ThoughtsTokenCount      int64           `json:"thoughtsTokenCount,omitempty"`
	TrafficType             string          `json:"trafficType,omitempty"`
}

type modalityCount struct {
	Modality   string `json:"modality"`
	TokenCount int64  `json:"tokenCount"`
}

// writer puts a generation into Gemini's form.
type writer struct {
	x       *core.Exchange
	place   place
	g       core.Generation
	request request
}

// usage is usage with the output so far; candidates exclude thoughts.
func (w writer) usage(candidates, thoughts int64) *usageMetadata {
	if w.x.HidesUsage() {
		return nil
	}
	u := w.g.Usage
	out := &usageMetadata{
		PromptTokenCount: u.PromptTokens, CandidatesTokenCount: candidates, ThoughtsTokenCount: thoughts, CachedContentTokenCount: u.CachedTokens,
		TotalTokenCount: u.PromptTokens + candidates + thoughts, PromptTokensDetails: []modalityCount{{"TEXT", u.PromptTokens}},
	}
	if w.place == vertexAI {
		out.TrafficType = "ON_DEMAND"
	}
	return out
}

func (w writer) shell() answer {
	out := answer{ModelVersion: w.x.ResponseModel(), ResponseID: fmt.Sprintf("resp%020d", w.x.Sequence), Candidates: []candidate{}}
	if w.place == vertexAI {
		out.CreateTime = w.x.Started.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	return out
}

// plain is the whole answer.
func (w writer) plain() answer {
	out := w.shell()
	for i, c := range w.g.Choices {
		parts := append(w.thoughts(c.Thoughts), w.calls(i, c)...)
		if text := c.Text(); text != "" {
			parts = append(parts, part{Text: &text, ThoughtSignature: w.textSignature(c)})
		}
		one := w.candidate(i, parts)
		one.FinishReason = finishWord(c.Finish)
		if config := w.request.GenerationConfig; config != nil && config.ResponseLogprobs {
			one.LogprobsTable = logprobs(c.Tokens, config.Logprobs)
			average := -0.25
			one.AvgLogprobs = &average
		}
		out.Candidates = append(out.Candidates, one)
	}
	out.UsageMetadata = w.usage(w.g.Usage.CompletionTokens-w.g.Usage.ReasoningTokens, w.g.Usage.ReasoningTokens)
	return out
}

func (w writer) candidate(index int, parts []part) candidate {
	out := candidate{Content: answerContent{Role: "model", Parts: parts}}
	if w.place == googleAI || index > 0 {
		out.Index = &index
	}
	return out
}

func finishWord(finish core.Finish) string {
	if finish == core.FinishLength {
		return "MAX_TOKENS"
	}
	return "STOP"
}

// thoughts is the summary of what was thought, if it was asked for.
func (w writer) thoughts(tokens []string) []part {
	config := w.request.GenerationConfig
	if len(tokens) == 0 || config == nil || config.ThinkingConfig == nil || !config.ThinkingConfig.IncludeThoughts {
		return nil
	}
	text := core.Choice{Thoughts: tokens}.Thinking()
	return []part{{Text: &text, Thought: true}}
}

// calls are the calls; the first one bears the signature of the thoughts. Vertex gives no ids.
func (w writer) calls(index int, c core.Choice) []part {
	var out []part
	for k, call := range c.Calls {
		one := part{FunctionCall: &functionCall{Name: call.Name, Args: json.RawMessage(call.Arguments)}}
		if w.place == googleAI {
			one.FunctionCall.ID = fmt.Sprintf("fc%020d%02d%02d", w.x.Sequence, index, k)
		}
		if k == 0 && len(c.Thoughts) > 0 {
			one.ThoughtSignature = core.Seal(core.SealGemini, c.Thinking())
		}
		out = append(out, one)
	}
	return out
}

// textSignature is the signature on the text of an answer that was thought over.
func (w writer) textSignature(c core.Choice) string {
	if len(c.Thoughts) == 0 {
		return ""
	}
	return core.Seal(core.SealGemini, c.Thinking())
}

func logprobs(tokens []string, top *int) *logprobsResult {
	out := &logprobsResult{}
	for i, token := range tokens {
		out.ChosenCandidates = append(out.ChosenCandidates, chosen{token, i + 1, -0.25})
		if top != nil {
			var others topCandidates
			for k := range *top {
				others.Candidates = append(others.Candidates, chosen{token, i + 1 + k, -0.25 - float64(k)})
			}
			out.TopCandidates = append(out.TopCandidates, others)
		}
	}
	return out
}

// events are the chunks of the stream: thoughts, then text in pairs of tokens, calls whole; every chunk has the usage so far, the last one the finish
// reason and, of what was thought over, the signature on an empty text. The sequence can be run more than once.
func (w writer) events() iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		s := streamer{writer: w, yield: yield}
		for i, c := range w.g.Choices {
			if !s.choice(i, c) {
				return
			}
		}
	}
}

// streamer writes one stream.
type streamer struct {
	writer
	yield                func(core.Event) bool
	candidates, thinking int64
	pending              int64 // tokens of thoughts that are not shown
}

func (s *streamer) choice(index int, c core.Choice) bool {
	for _, thought := range c.Thoughts {
		s.thinking++
		shown := s.thoughts([]string{thought})
		if shown == nil {
			s.pending++
			continue
		}
		if !s.chunk(s.candidate(index, shown), 1, nil) {
			return false
		}
	}
	for _, token := range c.Tokens {
		s.candidates++
		if !s.chunk(s.candidate(index, []part{{Text: &token}}), 1, nil) {
			return false
		}
	}
	last := s.candidate(index, s.calls(index, c))
	last.FinishReason = finishWord(c.Finish)
	if c.Calls == nil {
		empty := ""
		last.Content.Parts = []part{{Text: &empty, ThoughtSignature: s.textSignature(c)}}
	}
	tokens := c.Count() - int64(len(c.Thoughts)+len(c.Tokens))
	s.candidates += tokens
	if index < len(s.g.Choices)-1 {
		return s.chunk(last, tokens, nil)
	}
	return s.chunk(last, tokens, &s.g.Usage)
}

// chunk sends a chunk; the last one reports usage for good, overrides included.
func (s *streamer) chunk(c candidate, tokens int64, usage *core.Usage) bool {
	out := s.shell()
	out.Candidates = []candidate{c}
	out.UsageMetadata = s.usage(s.candidates, s.thinking)
	e := core.Event{Tokens: tokens + s.pending}
	s.pending = 0
	if usage != nil {
		out.UsageMetadata = s.usage(usage.CompletionTokens-usage.ReasoningTokens, usage.ReasoningTokens)
		e.Usage = usage
	}
	e.Data = core.Encode(out)
	return s.yield(e)
}
