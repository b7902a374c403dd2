package anthropic

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Messages is POST messages.
type Messages struct{ surface }

var (
	_ dialect.Passer             = Messages{}
	_ dialect.GenerationSurface  = Messages{}
	_ dialect.GenerationUpstream = Messages{}
)

// ReadHead checks that body is one JSON object and reads its head. The error is a *dialect.RequestError.
func (Messages) ReadHead(body []byte) (dialect.Head, error) { return readHead(body) }

// headMembers are the names that the proxy reads or refuses.
func headMembers() []string { return []string{"model", "stream", "max_tokens", "fallbacks"} }

// readHead reads the head of a request of either API.
func readHead(body []byte) (dialect.Head, error) {
	head := dialect.Head{N: 1}
	err := dialect.WalkBody(body, headMembers(), func(name string, member jsonscan.Member, end int) error {
		raw := body[member.Value:end]
		var err error
		switch name {
		case "model":
			head.Model, err = dialect.ReadModel(raw)
			head.ModelAt = dialect.Patch{At: member.Value, End: end}
		case "stream":
			head.Stream, err = dialect.ReadFlag(raw, name)
			head.IncludeUsage = head.Stream
		case "max_tokens":
			head.MaxTokens = dialect.ReadCount(raw)
		case "fallbacks":
			err = refuseFallbacks(raw)
		}
		return err
	})
	switch {
	case err != nil:
		return dialect.Head{}, err
	case head.Model == "":
		return dialect.Head{}, dialect.MissingModel()
	}
	return head, nil
}

// refuseFallbacks refuses a member with which the provider would choose another model than the one that was routed, checked and priced.
func refuseFallbacks(raw []byte) error {
	if string(raw) == "null" || raw[0] == '[' && raw[jsonscan.Space(raw, 1)] == ']' {
		return nil
	}
	const message = "\"fallbacks\" is not supported: fallbacks are declared in the ModelRoute"
	return &dialect.RequestError{Code: dialect.CodeUnsupportedParameter, Param: "fallbacks", Message: message}
}

// origin is whose seals are the API's own: they stand there without a mark.
const origin = neutral.OriginAnthropic
