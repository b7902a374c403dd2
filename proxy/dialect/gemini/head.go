package gemini

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// watched are the names that the proxy reads, in both spellings.
var watched = [...]string{"contents", "generationConfig", "generation_config", "models", "provider", "session_id"}

// ReadHead checks that body is one JSON object with contents, and reads the limits of the answer. The error is a *dialect.RequestError.
func (Generate) ReadHead(body []byte) (dialect.Head, error) {
	r := headReader{body: body, head: dialect.Head{N: 1, IncludeUsage: true}}
	if err := dialect.WalkBody(body, watched[:], r.read); err != nil {
		return dialect.Head{}, err
	}
	if !r.contents {
		return dialect.Head{}, &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: "contents", Message: "the request has no \"contents\""}
	}
	return r.head, nil
}

// headReader collects the head member by member.
type headReader struct {
	body []byte
	head dialect.Head
	// contents and config tell that these members were seen.
	contents, config bool
}

// read takes in one member of the request.
func (r *headReader) read(name string, member jsonscan.Member, end int) error {
	value := r.body[member.Value:end]
	switch name {
	case "contents":
		if value[0] != '[' && value[0] != '{' {
			return wrongType("contents", "an array")
		}
		r.contents = true
	case "generationConfig", "generation_config":
		if r.config {
			return twice("generationConfig")
		}
		r.config = true
		return r.readConfig(value)
	case "models":
		return r.head.ReadModels(value)
	case "provider":
		return r.head.ReadPreferences(value)
	case "session_id":
		r.head.ReadSession(value)
	}
	return nil
}

// readConfig reads the limits of the answer. Each must come once, in one of its spellings.
func (r *headReader) readConfig(raw []byte) error {
	var maxTokens, count bool
	return eachMember(raw, "generationConfig", func(name string, value []byte) error {
		switch name {
		case "maxOutputTokens":
			if maxTokens {
				return twice("generationConfig.maxOutputTokens")
			}
			maxTokens = true
			r.head.MaxTokens = dialect.ReadCount(unquoted(value))
		case "candidateCount":
			if count {
				return twice("generationConfig.candidateCount")
			}
			count = true
			return r.readCandidateCount(value)
		}
		return nil
	})
}

// readCandidateCount reads the number of choices. Google also takes forms such as 8e0, which nobody writes; what is charged depends on the number, so they
// are refused rather than misread.
func (r *headReader) readCandidateCount(raw []byte) error {
	count := dialect.ReadCount(unquoted(raw))
	if count == 0 {
		return badValue("generationConfig.candidateCount", "must be a positive integer")
	}
	r.head.N = count
	return nil
}

// unquoted is a number without the quotes in which Google takes it, too.
func unquoted(raw []byte) []byte {
	if raw[0] == '"' {
		return []byte(text(raw))
	}
	return raw
}

func twice(path string) error {
	return &dialect.RequestError{Code: dialect.CodeDuplicateParameter, Param: path, Message: "\"" + path + "\" is given more than once"}
}
