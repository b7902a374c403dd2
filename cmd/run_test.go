package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds how long a test waits for what must come.
const patience = 20 * time.Second

// printed collects what a command prints while it runs.
type printed struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(text)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// eventually polls a condition.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline:
			t.Fatalf("not seen: %s", what)
		case <-tick.C:
		}
	}
}

// provider answers chat completions and tells which key and model it was sent.
func provider(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Model string }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/v1/chat/completions" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		answer := map[string]any{
			"id": "c1", "object": "chat.completion", "model": request.Model,
			"choices": []any{map[string]any{
				"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": "with " + r.Header.Get("Authorization")},
			}},
			"usage": map[string]any{"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func runManifests(endpoint, model, key string) string {
	return fmt.Sprintf(`apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: local}
spec:
  provider: OpenAICompatible
  endpoint: %s/v1
  auth: {keys: [{name: primary, secretKeyRef: {name: local, key: api-key}}]}
  prices: [{model: llama, input: "0.50", output: "1.00"}]
---
apiVersion: v1
kind: Secret
metadata: {name: local, labels: {signalbox.dev/provider-key: "true"}}
stringData: {api-key: %s}
---
apiVersion: v1
kind: Secret
metadata: {name: laptop, labels: {signalbox.dev/access-key: "true"}}
stringData: {key: access-very-secret}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  models: [%s]
  targets: [{name: only, credentialRef: {name: local}, model: llama}]
---
apiVersion: signalbox.dev/v1alpha1
kind: SpendBudget
metadata: {name: total}
spec: {limit: {amount: "0.0025"}, window: {period: Total}}
`, endpoint, key, model)
}

// started is a `signalbox run` in this process.
type started struct {
	out, err *printed
	base     string
	stop     func() error
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{out: &printed{}, err: &printed{}}
	command := NewRun()
	command.SetOut(s.out)
	command.SetErr(s.err)
	command.SetArgs(append(args, "--addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"))
	command.SilenceUsage, command.SilenceErrors = true, true
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- command.ExecuteContext(ctx) }()
	var once sync.Once
	s.stop = func() (err error) {
		once.Do(func() {
			cancel()
			err = <-ended
		})
		return err
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	address := regexp.MustCompile(`on (http://127\.0\.0\.1:\d+)/v1`)
	eventually(t, "the address", func() bool { return address.MatchString(s.out.String()) || len(ended) > 0 })
	found := address.FindStringSubmatch(s.out.String())
	if found == nil {
		t.Fatalf("it ended at once: %v\n%s", <-ended, s.err)
	}
	s.base = found[1]
	eventually(t, "the first table", func() bool {
		status, _ := s.get(t, "/v1/models")
		return status == http.StatusOK
	})
	return s
}

func (s *started) do(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer access-very-secret")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (s *started) get(t *testing.T, path string) (int, string) {
	t.Helper()
	return s.do(t, http.MethodGet, path, "")
}

func (s *started) chat(t *testing.T, model string) (int, string) {
	t.Helper()
	return s.do(t, http.MethodPost, "/v1/chat/completions", fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"very-secret-prompt"}]}`, model))
}

// replace puts a file in the place of another at once, as editors do.
func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+"~", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

// expectChat calls and compares the status and a part of the answer.
func (s *started) expectChat(t *testing.T, model string, want int, part string) {
	t.Helper()
	if status, answer := s.chat(t, model); status != want || !strings.Contains(answer, part) {
		t.Fatalf("calling %s: status %d, want %d with %q: %s", model, status, want, part, answer)
	}
}

func TestRunServesAndReloads(t *testing.T) {
	upstream := provider(t)
	path := filepath.Join(t.TempDir(), "all.yaml")
	state := filepath.Join(t.TempDir(), "state")
	save := func(content string) { replace(t, path, content) }
	save(runManifests(upstream.URL, "chat", "sk-very-secret-1"))
	s := start(t, path, "--state-dir", state)

	s.expectChat(t, "chat", http.StatusOK, "with Bearer sk-very-secret-1")
	save(runManifests(upstream.URL, "renamed", "sk-very-secret-2"))
	eventually(t, "the reloaded route", func() bool { _, models := s.get(t, "/v1/models"); return strings.Contains(models, `"renamed"`) })
	s.expectChat(t, "renamed", http.StatusOK, "with Bearer sk-very-secret-2")
	s.expectChat(t, "chat", http.StatusNotFound, "model_not_found")

	save("apiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: chat}\nspec: {models: []}\n")
	eventually(t, "the findings", func() bool { return strings.Contains(s.err.String(), "the manifests in use stay") })
	// Two calls at 0.001 USD are spent and 0.0025 is the limit: the third still goes through, and the fourth does not.
	s.expectChat(t, "renamed", http.StatusOK, "with Bearer sk-very-secret-2")
	s.expectChat(t, "renamed", http.StatusPaymentRequired, "total")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	// Three calls reached the provider.
	if got := strings.Count(s.out.String(), `"msg":"usage"`); got != 3 {
		t.Errorf("%d usage records were printed:\n%s", got, s.out.String())
	}
	journals, err := filepath.Glob(filepath.Join(state, "*", "journal", "*"))
	if err != nil || len(journals) == 0 {
		t.Errorf("there is no journal in the state directory: %v", err)
	}
	for _, text := range []string{s.out.String(), s.err.String()} {
		if strings.Contains(text, "very-secret") {
			t.Errorf("a key or prompt was printed:\n%s", text)
		}
	}

	save(runManifests(upstream.URL, "chat", "sk-very-secret-3"))
	again := start(t, path, "--state-dir", state)
	eventually(t, "the money spent before", func() bool { status, _ := again.chat(t, "chat"); return status == http.StatusPaymentRequired })
}

func TestRunRefusesErrorsAtStart(t *testing.T) {
	got, err := execute(NewRun(), "apiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: chat}\nspec: {models: [chat]}\n", "-", "--state-dir", t.TempDir())
	if err == nil || !strings.Contains(got, "stdin:4: ModelRoute/chat: spec.targets: Required value") {
		t.Errorf("error %v\n%s", err, got)
	}
}

func TestRunRefusesAStateDirInUse(t *testing.T) {
	upstream := provider(t)
	dir := t.TempDir()
	manifests := runManifests(upstream.URL, "chat", "sk-1")
	path := filepath.Join(dir, "all.yaml")
	if err := os.WriteFile(path, []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, path, "--state-dir", dir)
	if _, err := execute(NewRun(), "", path, "--state-dir", dir, "--addr", "127.0.0.1:0", "--metrics-addr", ""); err == nil {
		t.Error("two processes share a ledger")
	}
}
