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

// invoke answers a native body: of Titan's or Cohere's embeddings by the model's name, else of Claude.
func invoke(x *core.Exchange) error {
	switch {
	case strings.Contains(x.Model, "titan-embed"):
		return titan(x)
	case strings.Contains(x.Model, "cohere.embed"):
		return cohereEmbed(x)
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
