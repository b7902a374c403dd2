package cmd

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// comparedProxy streams an answer of chat completions, and knows no model "gone".
func comparedProxy(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			t.Error(err)
		case r.Header.Get("Authorization") != "Bearer sk-very-secret":
			http.Error(w, `{"error":{"message":"no","code":"invalid_credentials"}}`, http.StatusUnauthorized)
		case strings.Contains(string(body), `"gone"`):
			http.Error(w, `{"error":{"message":"no route serves it","code":"model_not_found"}}`, http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"All clear\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestCompare(t *testing.T) {
	server := comparedProxy(t)
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("sk-very-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		args   []string
		prompt string
		want   []string
		fails  string
	}{
		"text":        {args: []string{"--models", "a,b"}, prompt: "Where?", want: []string{"== a\nAll clear\n", "== b\nAll clear\n", `"a" answered after`}},
		"JSON":        {args: []string{"--models", "a", "--output", "json"}, prompt: "Where?", want: []string{`"text": "All clear"`}},
		"a failure":   {args: []string{"--models", "a,gone"}, prompt: "Where?", want: []string{"All clear", "error: status 404, model_not_found: no route serves it"}, fails: "1 of 2 models gave no whole answer"},
		"no prompt":   {args: []string{"--models", "a"}, prompt: " \n", fails: "the prompt is empty"},
		"long prompt": {args: []string{"--models", "a"}, prompt: strings.Repeat("x", maxPrompt+1), fails: "has more than"},
		"no models":   {prompt: "Where?", fails: "0 models are named"},
		"output":      {args: []string{"--models", "a", "--output", "xml"}, prompt: "Where?", fails: "--output is text or json"},
		"no tokens":   {args: []string{"--models", "a", "--max-tokens", "0"}, prompt: "Where?", fails: "must be greater than zero"},
		"surface":     {args: []string{"--models", "a", "--surface", "smoke"}, prompt: "Where?", fails: "there is no surface"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := execute(NewCompare(), tc.prompt, append([]string{"--url", server.URL, "--key-file", keyFile, "-"}, tc.args...)...)
			problem := ""
			if err != nil {
				problem = err.Error()
			}
			if !strings.Contains(problem, tc.fails) || tc.fails == "" && problem != "" {
				t.Fatalf("error %q, want %q\n%s", problem, tc.fails, got)
			}
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in:\n%s", want, got)
				}
			}
			if strings.Contains(got+problem, "very-secret") {
				t.Errorf("the key was printed:\n%s", got)
			}
		})
	}
}

func TestCompareFindsTheKey(t *testing.T) {
	server := comparedProxy(t)
	t.Setenv(urlVariable, server.URL)
	if _, err := execute(NewCompare(), "Where?", "--models", "a", "-"); err == nil || !strings.Contains(err.Error(), "there is no access key") {
		t.Errorf("without a key: %v", err)
	}
	t.Setenv(keyVariable, "sk-very-secret")
	if got, err := execute(NewCompare(), "Where?", "--models", "a", "-"); err != nil {
		t.Errorf("from the environment: %v\n%s", err, got)
	}
	if _, err := execute(NewCompare(), "Where?", "--models", "a", "--key-file", "/does/not/exist", "-"); err == nil || !strings.Contains(err.Error(), "reading the access key") {
		t.Errorf("from no file: %v", err)
	}
}
