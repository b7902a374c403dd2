package anthropic

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Messages is POST messages.
type Messages struct{ surface }

var (
	_ dialect.Annotator          = Messages{}
	_ dialect.Demander           = Messages{}
	_ dialect.Inspector          = Messages{}
	_ dialect.Passer             = Messages{}
	_ dialect.GenerationSurface  = Messages{}
	_ dialect.GenerationUpstream = Messages{}
)

// ReadHead checks that body is one JSON object and reads its head. The error is a *dialect.RequestError.
func (Messages) ReadHead(body []byte) (dialect.Head, error) { return readHead(body) }

// headMembers are the names that the proxy reads or refuses.
func headMembers() []string {
	return []string{"model", "stream", "max_tokens", "fallbacks", "models", "provider", "session_id", "metadata"}
}

// readHead reads the head of a request of either API.
func readHead(body []byte) (dialect.Head, error) {
	r := headReader{body: body, head: dialect.Head{N: 1}}
	if err := dialect.WalkBody(body, headMembers(), r.read); err != nil {
		return dialect.Head{}, err
	}
	return r.finish()
}

// headReader collects the head member by member.
type headReader struct {
	body []byte
	head dialect.Head
	// models and fallbacks are the values of these members; nil without.
	models, fallbacks []byte
}

// read takes in one member of the request.
func (r *headReader) read(name string, member jsonscan.Member, end int) error {
	raw := r.body[member.Value:end]
	var err error
	switch name {
	case "model":
		err = r.head.ReadModel(r.body, member.Value, end)
	case "stream":
		r.head.Stream, err = dialect.ReadFlag(raw, name)
		r.head.IncludeUsage = r.head.Stream
	case "max_tokens":
		r.head.MaxTokens = dialect.ReadCount(raw)
	case "fallbacks":
		r.fallbacks = raw
	case "models":
		r.models = raw
	case "provider":
		err = r.head.ReadPreferences(raw)
	case "session_id":
		r.head.ReadSession(raw)
	case "metadata":
		if user := jsonscan.Lookup(raw, "user_id"); user != nil {
			r.head.ReadUser(user)
		}
	}
	return err
}

// finish checks what only the whole body shows. Alternatives have the order: those in "model", "models", "fallbacks".
func (r *headReader) finish() (dialect.Head, error) {
	if err := r.head.ReadModels(r.models); err != nil {
		return dialect.Head{}, err
	}
	if err := r.head.ReadFallbacks(r.fallbacks); err != nil {
		return dialect.Head{}, err
	}
	if r.head.Model == "" {
		return dialect.Head{}, dialect.MissingModel()
	}
	return r.head, nil
}

// origin is whose seals are the API's own: they stand there without a mark.
const origin = neutral.OriginAnthropic
