package fakes

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox.dev/signalbox/hack/fakeprovider"
)

// prompt is what every library asks, and model whom; answers to them are the same words in all dialects.
const (
	prompt  = "hello there"
	model   = "fake-model"
	thinker = "fake-thinking-model"
	key     = "sk-fake"
)

// onePixel is a PNG.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// fake is a fake provider on a listener.
type fake struct {
	*fakeprovider.Server
	url     string
	control string
	secure  *httptest.Server // the same over TLS, for libraries that send keys no other way
}

// start serves every model, with streams written byte by byte in pieces that split runes.
func start(t *testing.T) fake {
	t.Helper()
	settings := fakeprovider.DefaultSettings()
	settings.Models = []string{model, thinker, "*"}
	settings.WriteBytes = 7
	server, err := fakeprovider.New(fakeprovider.Options{Settings: &settings})
	if err != nil {
		t.Fatal(err)
	}
	data, control := httptest.NewServer(server.Data()), httptest.NewServer(server.Control())
	secure := httptest.NewTLSServer(server.Data())
	for _, listener := range []*httptest.Server{data, control, secure} {
		t.Cleanup(listener.Close)
	}
	return fake{server, data.URL, control.URL, secure}
}

// at serves one provider without the prefix of its paths, for libraries that want it at the root. The request line stays as it was signed.
func (f fake) at(t *testing.T, prefix string) string {
	t.Helper()
	data := f.Data()
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawPath = prefix + r.URL.EscapedPath()
		r.URL.Path = prefix + r.URL.Path
		data.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	return listener.URL
}

// refuse makes the next request fail.
func (f fake) refuse(t *testing.T, status int) {
	t.Helper()
	if err := f.AddFaults(fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: status}); err != nil {
		t.Fatal(err)
	}
}

// words is the answer to prompt by model: sixteen words, the same in all dialects.
func words(t *testing.T, f fake) string {
	t.Helper()
	text := plainChat(t, f)
	if n := len(strings.Fields(text)); n != 16 {
		t.Fatalf("got %d words: %q", n, text)
	}
	return text
}

func pixel(t *testing.T) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(onePixel)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// weather is the schema of the one tool that tests offer, and example what the fake calls it with.
func weather() map[string]any {
	return map[string]any{
		"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}}, "required": []string{"city"},
	}
}

const example = `{"city":"junction","days":7}`
