package responses

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// watched are the names that the proxy reads or refuses.
var watched = [...]string{
	"model", "stream", "max_output_tokens", "store", "background", "previous_response_id", "conversation", "prompt", "models", "preset",
	"provider", "session_id", "prompt_cache_key", "user", "safety_identifier",
}

// ReadHead checks that a body is a request of this API and reads its head. What needs state is refused. The error is a *dialect.RequestError.
func (Codec) ReadHead(body []byte) (dialect.Head, error) {
	r := headReader{body: body, head: dialect.Head{N: 1}}
	if err := dialect.WalkBody(body, watched[:], r.read); err != nil {
		return dialect.Head{}, err
	}
	if err := r.head.ReadModels(r.models); err != nil {
		return dialect.Head{}, err
	}
	if r.cacheKey != nil {
		r.head.ReadSession(r.cacheKey)
	}
	if r.head.Model == "" {
		return dialect.Head{}, dialect.MissingModel()
	}
	r.head.IncludeUsage = r.head.Stream
	return r.head, nil
}

// headReader collects the head member by member.
type headReader struct {
	body []byte
	head dialect.Head
	// models and cacheKey are the values of "models" and "prompt_cache_key"; nil without.
	models, cacheKey []byte
}

func (r *headReader) read(name string, member jsonscan.Member, end int) error {
	raw := r.body[member.Value:end]
	var err error
	switch name {
	case "model":
		err = r.head.ReadModel(r.body, member.Value, end)
	case "stream":
		r.head.Stream, err = dialect.ReadFlag(raw, name)
	case "max_output_tokens":
		r.head.MaxTokens = dialect.ReadCount(raw)
	case "models":
		r.models = raw
	case "provider":
		err = r.head.ReadPreferences(raw)
	case "session_id":
		r.head.ReadSession(raw)
	case "prompt_cache_key":
		r.cacheKey = raw
	case "user":
		r.head.ReadUser(raw)
	case "safety_identifier":
		r.head.ReadSafetyIdentifier(raw)
	default:
		err = refuseState(name, raw)
	}
	return err
}

// refuseState refuses what only a provider that keeps the conversation can do, and what would choose another model than the one that was routed.
func refuseState(name string, raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	switch name {
	case "store", "background":
		set, err := dialect.ReadFlag(raw, name)
		if err != nil || !set {
			return err
		}
		if name == "store" {
			return unsupported(name, "\"store\" must be false: responses are not kept; send the whole conversation in \"input\" with every request")
		}
		return unsupported(name, "\"background\" is not supported: responses are not kept; wait for the answer, or stream it")
	case "previous_response_id", "conversation":
		return unsupported(name, "\""+name+"\" is not supported: conversations are not kept; send all earlier items in \"input\" and \"store\": false")
	case "prompt":
		return unsupported(name, "\"prompt\" is not supported: prompt templates are not kept; send \"instructions\" and \"input\"")
	}
	if raw[0] == '[' && raw[jsonscan.Space(raw, 1)] == ']' {
		return nil
	}
	return unsupported(name, "\""+name+"\" is not supported: presets are not kept; declare a ModelRoute")
}

func unsupported(param, message string) error {
	return &dialect.RequestError{Code: dialect.CodeUnsupportedParameter, Param: param, Message: message}
}

func invalid(param, message string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidValue, Param: param, Message: "\"" + param + "\" " + message}
}
