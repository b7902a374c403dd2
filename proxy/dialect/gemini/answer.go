package gemini

import (
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxCandidates bounds the index of a candidate. Google allows eight.
const maxCandidates = 128

// The problems of an answer. They name no byte of it.
var (
	errNotUTF8     = errors.New("it is not valid UTF-8")
	errNotObject   = errors.New("it is not a JSON object")
	errTrailing    = errors.New("it goes on behind the end of the JSON object")
	errCandidates  = errors.New("it has a candidate with an impossible index")
	errNoCandidate = errors.New("it has no candidates")
	errNotVectors  = errors.New("it has no vectors")
)

// answer is a GenerateContentResponse as it stands on the wire: a whole answer, or one chunk of a stream. It keeps parts of the text it was read from.
type answer struct {
	// named tells that id, model and created were told by an earlier chunk, and need not be read again.
	named bool

	candidates []candidate
	counts     counts
	id, model  string
	created    int64
	// blocked is the blockReason of a prompt that was not answered.
	blocked string
	// failure tells that this is an error.
	failure bool
}

// candidate is one choice.
type candidate struct {
	index int
	parts []part
	// finish is the finishReason.
	finish string
	// grounding, citations and logprobs are the JSON text of "groundingMetadata", "citationMetadata" and "logprobsResult"; nil without.
	grounding, citations, logprobs []byte
}

// read takes in the JSON object that data is. What the answer held before is gone, but for its memory.
func (a *answer) read(data []byte) error {
	*a = answer{named: a.named, candidates: a.candidates[:0]}
	start := jsonscan.Space(data, 0)
	switch {
	case !utf8.Valid(data):
		return errNotUTF8
	case start == len(data) || data[start] != '{':
		return errNotObject
	}
	walk := jsonscan.WalkObject(data, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		walk.Resume(a.readMember(data, member))
	}
	end, err := walk.End()
	if err != nil {
		return err
	}
	if jsonscan.Space(data, end) != len(data) {
		return errTrailing
	}
	return nil
}

// readMember takes in one member and returns the offset behind its value.
func (a *answer) readMember(data []byte, member jsonscan.Member) (int, error) {
	at := member.Value
	switch string(member.Name(data)) {
	case "candidates":
		return a.readCandidates(data, at)
	case "usageMetadata", "usage_metadata":
		return a.counts.readUsage(data, at)
	}
	end, err := jsonscan.Value(data, at)
	if err != nil {
		return end, err
	}
	value := data[at:end]
	switch string(member.Name(data)) {
	case "promptFeedback", "prompt_feedback":
		a.blocked = blockReason(value)
	case "error":
		a.failure = isObject(value)
	default:
		if !a.named {
			a.readName(string(member.Name(data)), value)
		}
	}
	return end, nil
}

// readName takes in a member that tells who answered.
func (a *answer) readName(name string, value []byte) {
	switch name {
	case "modelVersion", "model_version":
		a.model = text(value)
	case "responseId", "response_id":
		a.id = text(value)
	case "createTime", "create_time":
		if created, err := time.Parse(time.RFC3339, text(value)); err == nil {
			a.created = created.Unix()
		}
	}
}

// blockReason is the reason in a checked "promptFeedback".
func blockReason(raw []byte) string {
	if !isObject(raw) {
		return ""
	}
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		if name := string(member.Name(raw)); name == "blockReason" || name == "block_reason" {
			return text(value)
		}
	}
	return ""
}

func (a *answer) readCandidates(data []byte, at int) (int, error) {
	if at >= len(data) || data[at] != '[' {
		return jsonscan.Value(data, at)
	}
	walk := jsonscan.WalkArray(data, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if at >= len(data) || data[at] != '{' {
			continue
		}
		if len(a.candidates) == maxCandidates {
			return at, errCandidates
		}
		walk.Resume(a.readCandidate(data, at))
	}
	return walk.End()
}

// readCandidate takes in the candidate at data[at]. It is put into the memory of an earlier one, where there is one.
func (a *answer) readCandidate(data []byte, at int) (int, error) {
	if len(a.candidates) < cap(a.candidates) {
		a.candidates = a.candidates[:len(a.candidates)+1]
	} else {
		a.candidates = append(a.candidates, candidate{})
	}
	c := &a.candidates[len(a.candidates)-1]
	*c = candidate{parts: c.parts[:0]}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if string(member.Name(data)) == "content" {
			walk.Resume(c.readContent(data, member.Value))
			continue
		}
		end := walk.Skip()
		if _, err := walk.End(); err != nil {
			break
		}
		if err := c.read(string(member.Name(data)), data[member.Value:end]); err != nil {
			return end, err
		}
	}
	return walk.End()
}

// read takes in a member of the candidate.
func (c *candidate) read(name string, value []byte) error {
	if isNull(value) {
		return nil
	}
	switch name {
	case "index":
		index, err := strconv.Atoi(string(value))
		if err != nil || index < 0 || index >= maxCandidates {
			return errCandidates
		}
		c.index = index
	case "finishReason", "finish_reason":
		c.finish = text(value)
	case "groundingMetadata", "grounding_metadata":
		c.grounding = value
	case "citationMetadata", "citation_metadata":
		c.citations = value
	case "logprobsResult", "logprobs_result":
		c.logprobs = value
	}
	return nil
}

func (c *candidate) readContent(data []byte, at int) (int, error) {
	if at >= len(data) || data[at] != '{' {
		return jsonscan.Value(data, at)
	}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if string(member.Name(data)) == "parts" {
			walk.Resume(c.readParts(data, member.Value))
		}
	}
	return walk.End()
}

func (c *candidate) readParts(data []byte, at int) (int, error) {
	if at >= len(data) || data[at] != '[' {
		return jsonscan.Value(data, at)
	}
	walk := jsonscan.WalkArray(data, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if at >= len(data) {
			continue
		}
		p, end, err := readPart(data, at)
		walk.Resume(end, err)
		if err == nil && (p.kind != "" || p.signature != "") {
			c.parts = append(c.parts, p)
		}
	}
	return walk.End()
}

// failureIn is the error that data, the JSON text of an answer or a chunk, tells.
func failureIn(data []byte) *neutral.Error {
	failure := dialect.ParseError(data)
	failure.Status, failure.Type = statusIn(data, failure)
	return &failure
}

// statusIn is the HTTP status of Google's error and its own word for it, such as "RESOURCE_EXHAUSTED".
func statusIn(data []byte, failure neutral.Error) (int, string) {
	word := failure.Type
	if start := jsonscan.Space(data, 0); start < len(data) && data[start] == '{' {
		walk := jsonscan.WalkObject(data, start)
		for member, ok := walk.Next(); ok; member, ok = walk.Next() {
			end := walk.Skip()
			if value := data[member.Value:end]; string(member.Name(data)) == "error" && isObject(value) && word == "" {
				word = statusWord(value)
			}
		}
	}
	status, err := strconv.Atoi(failure.Code)
	if err != nil || status < 400 || status > 599 {
		return failure.Status, word
	}
	return status, word
}

// statusWord is the member "status" of an error, if it is one of Google's words.
func statusWord(raw []byte) string {
	walk := jsonscan.WalkObject(raw, 0)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		value := raw[member.Value:walk.Skip()]
		if string(member.Name(raw)) != "status" {
			continue
		}
		word := text(value)
		for _, c := range []byte(word) {
			if c != '_' && (c < 'A' || c > 'Z') {
				return ""
			}
		}
		return word[:min(len(word), maxStatusWord)]
	}
	return ""
}

// maxStatusWord is longer than each of Google's words.
const maxStatusWord = 64
