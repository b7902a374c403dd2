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

// known are the members that routing needs or that the target may have in another place.
var known = [...]string{"model", "query", "documents", "top_n", "return_documents", "models", "provider", "route", "session_id"}

// watched are the members that the proxy reads.
var watched = [...]string{"model", "query", "documents", "models", "provider", "session_id", "user"}

// ReadHead checks that body is a request and reads its head.
func (Codec) ReadHead(body []byte) (dialect.Head, error) {
	r := headReader{body: body, head: dialect.Head{N: 1}}
	if err := dialect.WalkBody(body, watched[:], r.read); err != nil {
		return dialect.Head{}, err
	}
	if err := r.head.ReadModels(r.models); err != nil {
		return dialect.Head{}, err
	}
	switch {
	case r.head.Model == "":
		return dialect.Head{}, dialect.MissingModel()
	case !r.query:
		return dialect.Head{}, missing("query")
	case !r.documents:
		return dialect.Head{}, missing("documents")
	}
	return r.head, nil
}

// headReader collects the head member by member.
type headReader struct {
	body []byte
	head dialect.Head
	// models is the value of "models"; nil without.
	models []byte
	// query and documents tell that these members were seen.
	query, documents bool
}

// read takes in one member of the request.
func (r *headReader) read(name string, member jsonscan.Member, end int) error {
	raw := r.body[member.Value:end]
	var err error
	switch name {
	case "model":
		err = r.head.ReadModel(r.body, member.Value, end)
	case "query":
		r.query = true
	case "documents":
		r.documents = true
	case "models":
		r.models, r.head.Special = raw, true
	case "provider":
		r.head.Special = true
		err = r.head.ReadPreferences(raw)
	case "session_id":
		r.head.Special = true
		r.head.ReadSession(raw)
	case "user":
		r.head.ReadUser(raw)
	}
	return err
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
		ReturnDocuments: wire.ReturnDocuments != nil && *wire.ReturnDocuments, Extra: dialect.ExtraMembers(body, known[:]),
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

// AppendPassed appends the request with the target's model, without what is for the proxy, and with the members that its host wants in place of the client's
// own.
func (Codec) AppendPassed(dst, body []byte, h dialect.Head, to dialect.Target) ([]byte, neutral.Report, error) {
	if !h.Special && !to.ModelInPath && len(to.Set) == 0 {
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
	if !to.ModelInPath {
		add("model", jsonscan.AppendQuoted(nil, to.Model))
	}
	walk := jsonscan.WalkObject(body, jsonscan.Space(body, 0))
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		name, value := string(member.Name(body)), body[member.Value:walk.Skip()]
		set := slices.ContainsFunc(to.Set, func(m neutral.Member) bool { return m.Name == name })
		if !set && name != "model" && !dialect.Steers(name, to.Provider) {
			add(name, bytes.TrimSpace(value))
		}
	}
	for _, member := range to.Set {
		add(member.Name, member.Value)
	}
	return append(dst, '}'), neutral.Report{}, nil
}
