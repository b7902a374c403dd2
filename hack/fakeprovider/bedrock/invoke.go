package bedrock

import (
	"encoding/base64"
	"iter"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/anthropic"
	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// claudeVersion is the anthropic_version of Claude on Bedrock.
const claudeVersion = "bedrock-2023-05-31"

// readClaude checks a native body and generates the answer.
func readClaude(x *core.Exchange) (anthropic.Answer, *core.Refusal) {
	if refused := checkModel(x); refused != nil {
		return anthropic.Answer{}, refused
	}
	return anthropic.Platform{Version: claudeVersion, ModelInPath: true, StreamInPath: true}.Read(x)
}

// invoke answers a native body: of Titan's embeddings by the model's name, else of Claude.
func invoke(x *core.Exchange) error {
	if strings.Contains(x.Model, "titan-embed") {
		return titan(x)
	}
	a, refused := readClaude(x)
	if refused != nil {
		return refused
	}
	setCounts(x, a.Generation.Usage)
	return x.Plain(a.Plain(), a.Generation.Tokens(), &a.Generation.Usage)
}

// invokeStream answers with Claude's events, each in base64 in an event of AWS's.
func invokeStream(x *core.Exchange) error {
	a, refused := readClaude(x)
	if refused != nil {
		return refused
	}
	x.Header().Set("X-Amzn-Bedrock-Content-Type", "application/json")
	stream := core.Stream{ContentType: eventStreamType, Frame: frame, Events: chunks(a)}
	return x.Stream(stream, &a.Generation.Usage)
}

// chunks wraps the events; the last one gains Bedrock's own numbers.
func chunks(a anthropic.Answer) iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		for e := range a.Events() {
			if e.Name == "message_stop" {
				e.Data = core.Encode(map[string]any{"type": "message_stop", "amazon-bedrock-invocationMetrics": map[string]int64{
					"inputTokenCount": a.Generation.Usage.PromptTokens, "outputTokenCount": a.Generation.Usage.CompletionTokens,
					"invocationLatency": 1, "firstByteLatency": 1,
				}})
			}
			e.Name, e.Data = "chunk", core.Encode(map[string]string{"bytes": base64.StdEncoding.EncodeToString(e.Data), "p": "abcdefghijk"})
			if !yield(e) {
				return
			}
		}
	}
}

// titanRequest is the body of Titan's embeddings.
type titanRequest struct {
	InputText      string   `json:"inputText"`
	Dimensions     *int     `json:"dimensions"`
	Normalize      *bool    `json:"normalize"`
	EmbeddingTypes []string `json:"embeddingTypes"`
}

func titan(x *core.Exchange) error {
	if refused := checkModel(x); refused != nil {
		return refused
	}
	var r titanRequest
	unknown, err := core.Decode(x, &r)
	switch {
	case err != nil:
		return invalid("Malformed input request, please reformat your input and try again.")
	case unknown != "":
		return invalid("Malformed input request: #: extraneous key [%s] is not permitted, please reformat your input and try again.", unknown)
	case r.InputText == "":
		return invalid("Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again.")
	case r.Dimensions != nil && *r.Dimensions != 256 && *r.Dimensions != 512 && *r.Dimensions != 1024:
		return invalid("Malformed input request: #/dimensions: %d is not a valid enum value, please reformat your input and try again.", *r.Dimensions)
	}
	dimensions := 1024
	if r.Dimensions != nil {
		dimensions = *r.Dimensions
	}
	vector := core.VectorOf(core.SeedOf(x.Model, r.InputText), dimensions)
	usage := x.Count(core.CountTokens(r.InputText))
	setCounts(x, usage)
	return x.Plain(map[string]any{
		"embedding": vector, "embeddingsByType": map[string]any{"float": vector}, "inputTextTokenCount": usage.PromptTokens,
	}, 0, &usage)
}
