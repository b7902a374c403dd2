package openai

import (
	"bytes"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// defaultModeration is what OpenAI takes when a moderation names no model.
const defaultModeration = "omni-moderation-latest"

// watched are the names that the proxy reads or refuses.
var watched = [...]string{
	"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "models", "preset", "stream_format", "provider", "session_id",
	"prompt_cache_key", "user", "safety_identifier",
}

// readHead checks that body is one JSON object and reads its head. The error is a *dialect.RequestError.
func readHead(body []byte, api neutral.API) (dialect.Head, error) {
	r := headReader{body: body, api: api, head: dialect.Head{N: 1}}
	if err := dialect.WalkMembers(body, watched[:], r.read, r.other); err != nil {
		return dialect.Head{}, err
	}
	return r.finish()
}

// headReader collects the head member by member.
type headReader struct {
	body []byte
	api  neutral.API
	head dialect.Head
	// maxTokens is the value of max_tokens, the older name.
	maxTokens int64
	// models and cacheKey are the values of "models" and "prompt_cache_key"; nil without.
	models, cacheKey []byte
}

// other takes in the name of a member that is not watched.
func (r *headReader) other(name []byte) {
	r.head.Special = r.head.Special || isSpecial(name)
}

// read takes in one member of the request.
func (r *headReader) read(name string, member jsonscan.Member, end int) error {
	at := member.Value
	var err error
	switch name {
	case "model":
		err = r.head.ReadModel(r.body, at, end)
	case "stream":
		var stream bool
		stream, err = dialect.ReadFlag(r.body[at:end], name)
		r.head.Stream = r.head.Stream || stream
	case "stream_format":
		r.head.Stream = r.head.Stream || r.api == neutral.Speech && string(r.body[at:end]) == `"sse"`
	case "stream_options":
		r.head.OptionsAt = memberPatch(r.body, member.Start, end)
		return r.readStreamOptions(at, end)
	case "max_tokens":
		r.maxTokens = dialect.ReadCount(r.body[at:end])
	case "max_completion_tokens":
		r.head.MaxTokens = dialect.ReadCount(r.body[at:end])
	case "n":
		r.head.N = max(1, dialect.ReadCount(r.body[at:end]))
	default:
		err = r.readSteering(name, r.body[at:end])
	}
	return err
}

// readSteering takes in what the choice of a target depends on. What is for the proxy alone makes the request a special one, so that it is taken out.
func (r *headReader) readSteering(name string, value []byte) error {
	switch name {
	case "models":
		r.models, r.head.Special = value, true
	case "preset":
		return refusePreset(value)
	case "provider":
		r.head.Special = true
		return r.head.ReadPreferences(value)
	case "session_id":
		r.head.Special = true
		r.head.ReadSession(value)
	case "prompt_cache_key":
		r.cacheKey = value
	case "user":
		r.head.ReadUser(value)
	case "safety_identifier":
		r.head.ReadSafetyIdentifier(value)
	}
	return nil
}

func (r *headReader) readStreamOptions(at, end int) error {
	const name, on = "include_usage", `"include_usage":true`
	switch {
	case string(r.body[at:end]) == "null":
		r.head.UsageAt = dialect.Patch{At: at, End: end, Text: "{" + on + "}"}
		return nil
	case r.body[at] != '{':
		return &dialect.RequestError{Code: dialect.CodeInvalidType, Param: "stream_options", Message: "\"stream_options\" must be an object"}
	}
	r.head.UsageAt = dialect.Patch{At: at + 1, End: at + 1, Text: on}
	walk := jsonscan.WalkObject(r.body, at)
	found := false
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		valueEnd := walk.Skip()
		if !dialect.LooksLike(member.Name(r.body), name) {
			continue
		}
		if found || string(member.Name(r.body)) != name {
			return &dialect.RequestError{Code: dialect.CodeDuplicateParameter, Param: "stream_options." + name, Message: "\"include_usage\" must be given once, in lower case"}
		}
		found = true
		var err error
		if r.head.IncludeUsage, err = dialect.ReadFlag(r.body[member.Value:valueEnd], "stream_options."+name); err != nil {
			return err
		}
		r.head.UsageAt = dialect.Patch{At: member.Value, End: valueEnd, Text: "true"}
	}
	if !found && r.body[jsonscan.Space(r.body, at+1)] != '}' {
		r.head.UsageAt.Text += ","
	}
	return nil
}

// memberPatch takes a member out, and a comma with it: the one behind it, or the one before it where it is the last one.
func memberPatch(body []byte, start, end int) dialect.Patch {
	if next := jsonscan.Space(body, end); opens(body, next, ',') {
		return dialect.Patch{At: start, End: next + 1}
	}
	before := bytes.TrimRight(body[:start], " \t\r\n")
	return dialect.Patch{At: len(bytes.TrimSuffix(before, []byte(","))), End: end}
}

// finish checks what only the whole body shows.
func (r *headReader) finish() (dialect.Head, error) {
	if err := r.head.ReadModels(r.models); err != nil {
		return dialect.Head{}, err
	}
	if r.cacheKey != nil {
		r.head.ReadSession(r.cacheKey)
	}
	head := r.head
	if head.Model == "" && r.api == neutral.Moderations {
		at := jsonscan.Space(r.body, 0) + 1
		head.Model, head.ModelAt = defaultModeration, dialect.Patch{At: at, End: at}
	}
	if head.Model == "" {
		return dialect.Head{}, dialect.MissingModel()
	}
	if head.Stream && r.api == neutral.Embeddings {
		return dialect.Head{}, &dialect.RequestError{Code: dialect.CodeUnsupportedParameter, Param: "stream", Message: "embeddings cannot be streamed"}
	}
	if head.MaxTokens == 0 {
		head.MaxTokens = r.maxTokens
	}
	if head.UsageAt.Text == "" {
		head.UsageAt = dialect.Patch{At: head.ModelAt.End, End: head.ModelAt.End, Text: `,"stream_options":{"include_usage":true}`}
	}
	return head, nil
}

// refusePreset refuses a member with which an upstream would choose another model than the one that was routed, checked and priced.
func refusePreset(raw []byte) error {
	if string(raw) == "null" || raw[0] == '[' && raw[jsonscan.Space(raw, 1)] == ']' {
		return nil
	}
	return &dialect.RequestError{Code: dialect.CodeUnsupportedParameter, Param: "preset", Message: "\"preset\" is not supported: presets are not kept; declare a ModelRoute"}
}
