package openai

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// MaxModelBytes is the longest model name that a request may have.
const MaxModelBytes = 256

// maxCountDigits keeps counts of a request inside an int64.
const maxCountDigits = 18

// Kind is the operation that a request asks for.
type Kind int

// The kinds.
const (
	// ChatCompletions is POST chat/completions.
	ChatCompletions Kind = iota
	// Completions is POST completions.
	Completions
	// Embeddings is POST embeddings.
	Embeddings
)

// Head is what the proxy needs to know of a request.
type Head struct {
	// Model that the client asks for; 1 to MaxModelBytes printable bytes.
	Model string
	// Stream tells whether the answer is to be streamed.
	Stream bool
	// IncludeUsage tells whether the client asked for usage in the stream.
	IncludeUsage bool
	// MaxTokens is max_completion_tokens, or else max_tokens; 0 when there is neither or it makes no sense.
	MaxTokens int64
	// N is the number of choices, at least 1.
	N int64

	// model is where the value of "model" stands.
	model patch
	// usage turns stream_options.include_usage on.
	usage patch
	// options takes stream_options out, with one of its commas; it is empty when there are none.
	options patch
}

// ReadHead checks that body is one JSON object and reads its head. Names that differ from those of the head only by upper and lower case are refused, for
// some upstreams would take them for the same and do something else than was routed and accounted. The error is a *RequestError.
func ReadHead(body []byte, kind Kind) (Head, error) {
	if !utf8.Valid(body) {
		return Head{}, invalidJSON("the request body is not valid UTF-8")
	}
	start := jsonscan.Space(body, 0)
	if start == len(body) || body[start] != '{' {
		return Head{}, invalidJSON("the request body must be one JSON object, without a byte order mark")
	}
	r := headReader{body: body, kind: kind, head: Head{N: 1}}
	walk := jsonscan.WalkObject(body, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if _, err := walk.End(); err != nil {
			break
		}
		if err := r.read(member, end); err != nil {
			return Head{}, err
		}
	}
	end, err := walk.End()
	if err != nil {
		return Head{}, syntax(err)
	}
	if jsonscan.Space(body, end) != len(body) {
		return Head{}, invalidJSON("the request body goes on behind the end of the JSON object")
	}
	return r.finish()
}

// headReader collects the head member by member.
type headReader struct {
	body []byte
	kind Kind
	head Head
	// seen are the watched names that came already.
	seen      [8]string
	seenCount int
	// maxTokens is the value of max_tokens, the older name.
	maxTokens int64
}

// watched are the names that the proxy reads or refuses.
func watched() [8]string {
	return [8]string{"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n", "models", "preset"}
}

// read takes in one member of the request.
func (r *headReader) read(member jsonscan.Member, end int) error {
	name, err := r.match(member.Name(r.body))
	if err != nil || name == "" {
		return err
	}
	at := member.Value
	switch name {
	case "model":
		return r.readModel(at, end)
	case "stream":
		r.head.Stream, err = readFlag(r.body[at:end], name)
	case "stream_options":
		r.head.options = memberPatch(r.body, member.Start, end)
		return r.readStreamOptions(at, end)
	case "max_tokens":
		r.maxTokens = readCount(r.body[at:end])
	case "max_completion_tokens":
		r.head.MaxTokens = readCount(r.body[at:end])
	case "n":
		r.head.N = max(1, readCount(r.body[at:end]))
	case "models", "preset":
		err = refuseChoice(r.body[at:end], name)
	}
	return err
}

// match returns which watched name this is, "" for none.
func (r *headReader) match(name []byte) (string, error) {
	for _, watch := range watched() {
		if string(name) == watch {
			return watch, r.see(watch)
		}
		if looksLike(name, watch) {
			return "", &RequestError{Code: CodeInvalidValue, Param: watch, Message: "the name of \"" + watch + "\" must be written in lower case"}
		}
	}
	return "", nil
}

// looksLike tells whether name differs from watch only by case. A letter of ASCII has at most two bytes more in a form of another case.
func looksLike(name []byte, watch string) bool {
	return len(name) >= len(watch) && len(name) <= len(watch)+8 && strings.EqualFold(string(name), watch)
}

func (r *headReader) see(name string) error {
	for _, before := range r.seen[:r.seenCount] {
		if before == name {
			return &RequestError{Code: CodeDuplicateParameter, Param: name, Message: "\"" + name + "\" is given more than once"}
		}
	}
	r.seen[r.seenCount] = name
	r.seenCount++
	return nil
}

func (r *headReader) readModel(at, end int) error {
	if r.body[at] != '"' {
		return &RequestError{Code: CodeInvalidType, Param: "model", Message: "\"model\" must be a string"}
	}
	name, whole := jsonscan.Unquote(nil, r.body[at:end])
	switch {
	case len(name) == 0:
		return &RequestError{Code: CodeInvalidValue, Param: "model", Message: "\"model\" must not be empty"}
	case len(name) > MaxModelBytes:
		return &RequestError{Code: CodeInvalidValue, Param: "model", Message: "\"model\" must have at most " + strconv.Itoa(MaxModelBytes) + " bytes"}
	}
	r.head.Model = string(name)
	if !whole || strings.ContainsFunc(r.head.Model, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return &RequestError{Code: CodeInvalidValue, Param: "model", Message: "\"model\" must consist of printable characters"}
	}
	r.head.model = patch{at: at, end: end}
	return nil
}

func (r *headReader) readStreamOptions(at, end int) error {
	const name, on = "include_usage", `"include_usage":true`
	switch {
	case string(r.body[at:end]) == "null":
		r.head.usage = patch{at: at, end: end, text: "{" + on + "}"}
		return nil
	case r.body[at] != '{':
		return &RequestError{Code: CodeInvalidType, Param: "stream_options", Message: "\"stream_options\" must be an object"}
	}
	r.head.usage = patch{at: at + 1, end: at + 1, text: on}
	walk := jsonscan.WalkObject(r.body, at)
	found := false
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		valueEnd := walk.Skip()
		if !looksLike(member.Name(r.body), name) {
			continue
		}
		if found || string(member.Name(r.body)) != name {
			return &RequestError{Code: CodeDuplicateParameter, Param: "stream_options." + name, Message: "\"include_usage\" must be given once, in lower case"}
		}
		found = true
		var err error
		if r.head.IncludeUsage, err = readFlag(r.body[member.Value:valueEnd], "stream_options."+name); err != nil {
			return err
		}
		r.head.usage = patch{at: member.Value, end: valueEnd, text: "true"}
	}
	if !found && r.body[jsonscan.Space(r.body, at+1)] != '}' {
		r.head.usage.text += ","
	}
	return nil
}

// memberPatch takes a member out, and a comma with it: the one behind it, or the one before it where it is the last one.
func memberPatch(body []byte, start, end int) patch {
	if next := jsonscan.Space(body, end); opens(body, next, ',') {
		return patch{at: start, end: next + 1}
	}
	before := bytes.TrimRight(body[:start], " \t\r\n")
	return patch{at: len(bytes.TrimSuffix(before, []byte(","))), end: end}
}

// finish checks what only the whole body shows.
func (r *headReader) finish() (Head, error) {
	head := r.head
	if head.Model == "" {
		return Head{}, &RequestError{Code: CodeMissingParameter, Param: "model", Message: "the request has no \"model\""}
	}
	if head.Stream && r.kind == Embeddings {
		return Head{}, &RequestError{Code: CodeUnsupportedParameter, Param: "stream", Message: "embeddings cannot be streamed"}
	}
	if head.MaxTokens == 0 {
		head.MaxTokens = r.maxTokens
	}
	if head.usage.text == "" {
		head.usage = patch{at: head.model.end, end: head.model.end, text: `,"stream_options":{"include_usage":true}`}
	}
	return head, nil
}

// readFlag reads true, false or null, which is false.
func readFlag(raw []byte, name string) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false", "null":
		return false, nil
	}
	return false, &RequestError{Code: CodeInvalidType, Param: name, Message: "\"" + name + "\" must be true or false"}
}

// readCount reads a positive integer, and 0 from all else: what it means is left to the upstream to judge.
func readCount(raw []byte) int64 {
	if len(raw) > maxCountDigits {
		return 0
	}
	count, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0
	}
	return max(count, 0)
}

// refuseChoice refuses members with which an upstream would choose another model than the one that was routed, checked and priced.
func refuseChoice(raw []byte, name string) error {
	if string(raw) == "null" || raw[0] == '[' && raw[jsonscan.Space(raw, 1)] == ']' {
		return nil
	}
	return &RequestError{Code: CodeUnsupportedParameter, Param: name, Message: "\"" + name + "\" is not supported: fallbacks are declared in the ModelRoute"}
}
