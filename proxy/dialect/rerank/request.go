package rerank

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// watched are the members that routing needs or that the target may have in another place.
var watched = [...]string{"model", "query", "documents", "top_n", "return_documents"}

// ReadHead checks that body is a request and reads its head.
func (Codec) ReadHead(body []byte) (dialect.Head, error) {
	head := dialect.Head{N: 1}
	var query, documents bool
	err := dialect.WalkBody(body, watched[:], func(name string, member jsonscan.Member, end int) error {
		var err error
		switch name {
		case "model":
			head.Model, err = dialect.ReadModel(body[member.Value:end])
			head.ModelAt = dialect.Patch{At: member.Value, End: end}
		case "query":
			query = true
		case "documents":
			documents = true
		}
		return err
	})
	switch {
	case err != nil:
		return dialect.Head{}, err
	case head.Model == "":
		return dialect.Head{}, dialect.MissingModel()
	case !query:
		return dialect.Head{}, missing("query")
	case !documents:
		return dialect.Head{}, missing("documents")
	}
	return head, nil
}

func missing(name string) error {
	return &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: name, Message: "the request has no \"" + name + "\""}
}

func invalid(name, message string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidValue, Param: name, Message: message}
}

// wireRequest is a request.
type wireRequest struct {
	Model           string            `json:"model"`
	Query           *string           `json:"query"`
	Documents       []json.RawMessage `json:"documents"`
	TopN            *int64            `json:"top_n"`
	ReturnDocuments *bool             `json:"return_documents"`
}

// ReadRerank reads all of a body that ReadHead accepted.
func (Codec) ReadRerank(body []byte) (*neutral.RerankRequest, error) {
	var wire wireRequest
	if err := dialect.Decode(body, "", &wire); err != nil {
		return nil, err
	}
	switch {
	case wire.Query == nil:
		return nil, missing("query")
	case len(wire.Documents) == 0:
		return nil, invalid("documents", "\"documents\" must not be empty")
	case wire.TopN != nil && *wire.TopN < 1:
		return nil, invalid("top_n", "\"top_n\" must be at least 1")
	}
	request := neutral.RerankRequest{
		Model: wire.Model, Query: *wire.Query, Documents: make([]string, len(wire.Documents)), TopN: wire.TopN,
		ReturnDocuments: wire.ReturnDocuments != nil && *wire.ReturnDocuments, Extra: dialect.ExtraMembers(body, watched[:]),
	}
	for i, raw := range wire.Documents {
		text, err := readDocument(raw, fmt.Sprintf("documents[%d]", i))
		if err != nil {
			return nil, err
		}
		request.Documents[i] = text
	}
	return &request, nil
}

// readDocument reads a text, or an object with a text.
func readDocument(raw json.RawMessage, path string) (string, error) {
	if raw[0] != '{' {
		var text *string
		if err := dialect.Decode(raw, path, &text); err != nil {
			return "", err
		}
		if text == nil {
			return "", invalid(path, "\""+path+"\" must not be null")
		}
		return *text, nil
	}
	var document struct {
		Text *string `json:"text"`
	}
	if err := dialect.Decode(raw, path, &document); err != nil {
		return "", err
	}
	if document.Text == nil {
		return "", invalid(path, "\""+path+"\" must be a text or an object with \"text\"")
	}
	return *document.Text, nil
}

// AppendPassed appends the request with the target's model, and with the members that its host wants in place of the client's own.
func (Codec) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	if !to.ModelInPath && len(to.Set) == 0 {
		model := dialect.Patch{At: h.ModelAt.At, End: h.ModelAt.End, Text: string(jsonscan.AppendQuoted(nil, to.Model))}
		return dialect.Apply(dst, body, []dialect.Patch{model}), neutral.Report{}, nil
	}
	dst = append(dst, '{')
	begin := len(dst)
	add := func(name string, value []byte) {
		if len(dst) > begin {
			dst = append(dst, ',')
		}
		dst = append(append(jsonscan.AppendQuoted(dst, name), ':'), value...)
	}
	walk := jsonscan.WalkObject(body, jsonscan.Space(body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		name, value := string(member.Name(body)), body[member.Value:walk.Skip()]
		switch {
		case slices.ContainsFunc(to.Set, func(m neutral.Member) bool { return m.Name == name }):
		case name != "model":
			add(name, bytes.TrimSpace(value))
		case !to.ModelInPath:
			add(name, jsonscan.AppendQuoted(nil, to.Model))
		}
	}
	for _, member := range to.Set {
		add(member.Name, member.Value)
	}
	return append(dst, '}'), neutral.Report{}, nil
}
