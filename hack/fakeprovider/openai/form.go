package openai

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"sort"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// maxFormMemory is how much of a form is held in memory; all of it, for the body is held anyway.
const maxFormMemory = 128 << 20

// form is a multipart body.
type form struct {
	*multipart.Form
}

// readForm reads a multipart body whose fields are all known.
func (x *exchange) readForm(known ...string) (form, *core.Refusal) {
	mediaType, params, err := mime.ParseMediaType(x.R.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return form{}, invalid("", "", "Invalid Content-Type header: expected multipart/form-data.")
	}
	read, err := multipart.NewReader(bytes.NewReader(x.Body), params["boundary"]).ReadForm(maxFormMemory)
	if err != nil {
		return form{}, invalid("", "", "Could not parse multipart form")
	}
	f := form{read}
	if x.Settings.UnknownParameters == core.UnknownRejected {
		for _, name := range f.names() {
			if !slices.Contains(known, name) {
				return f, invalid("", "", "Unrecognized request argument supplied: %s", name)
			}
		}
	}
	if x.Model == "" {
		return f, invalid("", "", "you must provide a model parameter")
	}
	return f, x.checkModel()
}

// names are the fields given, without the brackets of lists.
func (f form) names() []string {
	var out []string
	for name := range f.Value {
		out = append(out, strings.TrimSuffix(name, "[]"))
	}
	for name := range f.File {
		out = append(out, strings.TrimSuffix(name, "[]"))
	}
	sort.Strings(out)
	return out
}

// value is the first value of a field.
func (f form) value(name string) string { return first(f.Value[name]) }

// files are the contents of a file field, which may be a list.
func (f form) files(name string) ([][]byte, *core.Refusal) {
	var out [][]byte
	for _, header := range slices.Concat(f.File[name], f.File[name+"[]"]) {
		file, err := header.Open()
		if err != nil {
			return nil, invalid(name, "", "Could not read the file '%s'.", name)
		}
		data, err := io.ReadAll(file)
		if err != nil || file.Close() != nil || len(data) == 0 {
			return nil, invalid(name, "invalid_value", "The file '%s' is empty or could not be read.", name)
		}
		out = append(out, data)
	}
	if len(out) == 0 {
		return nil, invalid(name, "missing_required_parameter", "Missing required parameter: '%s'.", name)
	}
	return out, nil
}
