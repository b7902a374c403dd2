package dialect

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/table"
)

// MaxModelBytes is the longest model name that a request may have.
const MaxModelBytes = 256

// maxCountDigits keeps counts of a request inside an int64.
const maxCountDigits = 18

// Head is what routing and metering need to know of a request.
type Head struct {
	// Model that the client asks for; 1 to MaxModelBytes printable bytes.
	Model string
	// Stream tells whether the answer is to be streamed.
	Stream bool
	// IncludeUsage tells whether the client asked for usage in the stream.
	IncludeUsage bool
	// MaxTokens bounds the answer; 0 when there is no bound or it makes no sense.
	MaxTokens int64
	// N is the number of choices, at least 1.
	N int64
	// Array tells that a stream is wanted as one JSON array in place of events (Gemini).
	Array bool

	// Alternatives are further models to try after Model, in order: "models" of OpenRouter, what follows the first comma in "model", "fallbacks" of Anthropic's
	// surface. They differ from Model and from each other.
	Alternatives []string
	// Preferences is the JSON text of OpenRouter's "provider"; nil without it. It is part of the body.
	Preferences []byte
	// Session names what the request belongs to: "session_id", else "prompt_cache_key"; empty without. User is the end user that it names.
	Session, User string

	// Special tells that there are members that only some providers of the API understand, or that are for the proxy, so that passing the request on takes a
	// closer look (OpenAI, reranking).
	Special bool

	// ModelAt is where the value of "model" stands; empty where the model is no part of the body.
	ModelAt Patch
	// UsageAt is the patch that makes a stream report its usage, and OptionsAt the one that takes "stream_options" out (OpenAI).
	UsageAt, OptionsAt Patch
}

// Inspector is a Surface that can tell more of a request than its head. That costs a walk over the whole body, so it is asked only where it matters.
type Inspector interface {
	// Inspect goes over a body that ReadHead accepted. What it does not understand it leaves out.
	Inspect(body []byte, h Head) Traits
}

// Traits are what the choice of a target may depend on.
type Traits struct {
	// Needs are the capabilities without which a target cannot do what is asked. Thinking is among them only where a client demands it ("enabled": true): an
	// effort or a budget is no more than a measure of it, which is left out, and reported, where a model does not think.
	Needs table.Capabilities
	// PromptBytes is how much text the prompt has, tools included, without images, sound and files.
	PromptBytes int64
	// Media is how many images, sounds and files the prompt has.
	Media int
	// Prefix is a hash of the stable beginning of the prompt, which stays the same from turn to turn of a conversation: system prompt, tools and all up to the
	// end of the first message of the user. 0 when there is no prompt.
	Prefix uint64
}

// ReadModel reads a model's name from its JSON text.
func ReadModel(raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", &RequestError{Code: CodeInvalidType, Param: "model", Message: "\"model\" must be a string"}
	}
	name, whole := jsonscan.Unquote(nil, raw)
	if !whole {
		return "", unprintable("model")
	}
	return string(name), CheckModel(string(name))
}

// CheckModel checks a model's name.
func CheckModel(name string) error { return checkModel(name, "model") }

// checkModel checks a model's name that a parameter gave.
func checkModel(name, param string) error {
	switch {
	case name == "":
		return &RequestError{Code: CodeInvalidValue, Param: param, Message: "\"" + param + "\" must not be empty"}
	case len(name) > MaxModelBytes:
		return &RequestError{Code: CodeInvalidValue, Param: param, Message: "\"" + param + "\" must name models with at most " + strconv.Itoa(MaxModelBytes) + " bytes"}
	case strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return unprintable(param)
	}
	return nil
}

func unprintable(param string) error {
	return &RequestError{Code: CodeInvalidValue, Param: param, Message: "\"" + param + "\" must consist of printable characters"}
}

// MissingModel is the error of a request without a model.
func MissingModel() error {
	return &RequestError{Code: CodeMissingParameter, Param: "model", Message: "the request has no \"model\""}
}

// ReadFlag reads true, false or null, which is false.
func ReadFlag(raw []byte, name string) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false", "null":
		return false, nil
	}
	return false, &RequestError{Code: CodeInvalidType, Param: name, Message: "\"" + name + "\" must be true or false"}
}

// IsCount tells whether a number is written the way that everybody reads as the same whole one.
func IsCount(raw []byte) bool {
	return len(raw) <= maxCountDigits && !bytes.ContainsFunc(raw, func(c rune) bool { return c < '0' || c > '9' })
}

// ReadCount reads a positive integer, and 0 from all else: what it means is left to the upstream to judge.
func ReadCount(raw []byte) int64 {
	if len(raw) > maxCountDigits {
		return 0
	}
	count, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0
	}
	return max(count, 0)
}
