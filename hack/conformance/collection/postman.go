package collection

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// schema of the file, version 2.1.
const schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

type pair struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
}

type formField struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value string `json:"value,omitempty"`
	Src   string `json:"src,omitempty"`
}

type requestBody struct {
	Mode     string         `json:"mode"`
	Raw      string         `json:"raw,omitempty"`
	FormData []formField    `json:"formdata,omitempty"`
	Options  map[string]any `json:"options,omitempty"`
}

type address struct {
	Raw   string   `json:"raw"`
	Host  []string `json:"host"`
	Path  []string `json:"path"`
	Query []pair   `json:"query,omitempty"`
}

type auth struct {
	Type   string `json:"type"`
	Bearer []pair `json:"bearer,omitempty"`
	APIKey []pair `json:"apikey,omitempty"`
}

type request struct {
	Method string       `json:"method"`
	Header []pair       `json:"header"`
	Auth   *auth        `json:"auth,omitempty"`
	URL    address      `json:"url"`
	Body   *requestBody `json:"body,omitempty"`
}

type script struct {
	Type string   `json:"type"`
	Exec []string `json:"exec"`
}

type event struct {
	Listen string `json:"listen"`
	Script script `json:"script"`
}

type item struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Event       []event  `json:"event,omitempty"`
	Request     *request `json:"request,omitempty"`
	Item        []item   `json:"item,omitempty"`
}

// Postman is the collection as a file that Postman imports.
func Postman() ([]byte, error) {
	file := struct {
		Info     map[string]string `json:"info"`
		Auth     auth              `json:"auth"`
		Variable []pair            `json:"variable"`
		Item     []item            `json:"item"`
	}{
		Info: map[string]string{
			"name": "Signalbox", "schema": schema, "_postman_id": "5a1b0c6e-0000-4000-8000-5167a1b0c001",
			"description": "Calls to every API that the proxy serves. Set the variables \"url\", \"key\" and the models first.",
		},
		Auth: auth{Type: "bearer", Bearer: []pair{{Key: "token", Value: "{{key}}", Type: "string"}}},
	}
	for _, v := range Variables() {
		file.Variable = append(file.Variable, pair{Key: v.Name, Value: v.Value, Type: "string", Description: v.About})
	}
	for _, folder := range Folders() {
		group := item{Name: folder.Name, Description: folder.About}
		for _, call := range folder.Calls {
			group.Item = append(group.Item, itemOf(call))
		}
		file.Item = append(file.Item, group)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		return nil, fmt.Errorf("encoding the collection: %w", err)
	}
	return out.Bytes(), nil
}

func itemOf(call Call) item {
	r := &request{Method: call.Method, Header: []pair{}, URL: addressOf(call.Path)}
	for _, h := range call.Header {
		r.Header = append(r.Header, pair{Key: h.Name, Value: h.Value})
	}
	if call.KeyHeader != "" {
		r.Auth = &auth{Type: "apikey", APIKey: []pair{
			{Key: "key", Value: call.KeyHeader, Type: "string"}, {Key: "value", Value: "{{key}}", Type: "string"}, {Key: "in", Value: "header", Type: "string"},
		}}
	}
	switch {
	case call.Body != "":
		r.Header = append(r.Header, pair{Key: "Content-Type", Value: "application/json"})
		r.Body = &requestBody{Mode: "raw", Raw: call.Body, Options: map[string]any{"raw": map[string]string{"language": "json"}}}
	case len(call.Form) > 0:
		r.Body = &requestBody{Mode: "formdata"}
		for _, f := range call.Form {
			field := formField{Key: f.Name, Type: "text", Value: f.Value}
			if f.File != "" {
				field = formField{Key: f.Name, Type: "file", Src: f.File}
			}
			r.Body.FormData = append(r.Body.FormData, field)
		}
	}
	return item{Name: call.Name, Request: r, Event: []event{{Listen: "test", Script: script{Type: "text/javascript", Exec: testsOf(call)}}}}
}

// testsOf are the checks as Postman runs them. JSON is read only where a check wants it, for a stream is none.
func testsOf(call Call) []string {
	lines := []string{"const text = pm.response.text();"}
	all := strings.Join(call.Checks, " ")
	if strings.Contains(all, "json.") {
		lines = append(lines, "const json = pm.response.json();")
	}
	if !strings.Contains(all, "pm.response.code") {
		lines = append(lines, `pm.test("status is 200", () => pm.response.to.have.status(200));`)
	}
	for _, check := range call.Checks {
		lines = append(lines, fmt.Sprintf("pm.test(%s, () => pm.expect(%s).to.be.true);", quote(check), check))
	}
	return lines
}

func quote(text string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string can always be encoded
	return strings.TrimSpace(out.String())
}

// addressOf takes a path apart.
func addressOf(path string) address {
	before, query, _ := strings.Cut(path, "?")
	a := address{Raw: "{{url}}" + path, Host: []string{"{{url}}"}, Path: strings.Split(strings.TrimPrefix(before, "/"), "/")}
	if name, value, found := strings.Cut(query, "="); found {
		a.Query = []pair{{Key: name, Value: value}}
	}
	return a
}
