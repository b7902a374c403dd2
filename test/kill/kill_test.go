// Package kill spends a Hard budget through `signalbox run`, whose process is killed again and again, and compares the ledger and the usage records with what
// the provider served.
package kill

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/file"
	"signalbox.dev/signalbox/proxy/meter"
)

const (
	key   = "sbk-kill-0123456789"
	limit = 30_000_000 // nano-dollars
	// input and output are the prices of a token in nano-dollars.
	input, output = 1_000, 2_000
	clients       = 20
	kills         = 3
	patience      = 2 * time.Minute
)

const manifests = `apiVersion: v1
kind: Secret
metadata: {name: app, labels: {signalbox.dev/access-key: "true"}}
stringData: {key: KEY}
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: own}
spec: {provider: OpenAICompatible, endpoint: "UPSTREAM/v1", auth: {none: {}}}
---
apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat}
spec:
  models: [chat]
  targets:
  - {name: own, credentialRef: {name: own}, model: small, prices: {input: "1", output: "2"}, declares: {contextTokens: 4096, maxOutputTokens: 256}}
---
apiVersion: signalbox.dev/v1alpha1
kind: SpendBudget
metadata: {name: hard}
spec: {limit: {amount: "0.03"}, window: {period: Total}, enforcement: Hard}
`

// provider answers chat completions and adds up what it charges, before it says so.
type provider struct {
	served, calls atomic.Int64
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var asked struct {
		Stream    bool  `json:"stream"`
		MaxTokens int64 `json:"max_tokens"`
	}
	if err != nil || json.Unmarshal(body, &asked) != nil || !strings.HasSuffix(r.URL.Path, "/chat/completions") {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	prompt, completion := int64(len(body)/4), 1+rand.Int64N(max(1, asked.MaxTokens))
	p.calls.Add(1)
	p.served.Add(prompt*input + completion*output)
	usage := fmt.Sprintf(`"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, prompt, completion, prompt+completion)
	if !asked.Stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"so"},"finish_reason":"stop"}],%s}`, usage)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, event := range []string{`"choices":[{"index":0,"delta":{"role":"assistant","content":"so"}}]`, `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`, `"choices":[],` + usage} {
		_, _ = io.WriteString(w, `data: {"id":"a",`+event+"}\n\n")
		_ = http.NewResponseController(w).Flush()
	}
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// proxy is the process under test, over all its lives.
type proxy struct {
	t                *testing.T
	binary, dir      string
	addr             string
	out              *os.File
	running          *exec.Cmd
	ended            chan struct{}
	paid             atomic.Int64
	whole, exhausted atomic.Int64
}

func newProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	dir := t.TempDir()
	p := &proxy{t: t, dir: dir, binary: filepath.Join(dir, "signalbox")}
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", p.binary, "../..") //nolint:gosec // The program under test.
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, text)
	}
	text := strings.NewReplacer("KEY", key, "UPSTREAM", upstream).Replace(manifests)
	if err := os.WriteFile(filepath.Join(dir, "manifests.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if p.out, err = os.Create(filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		_ = p.out.Close()
	})
	return p
}

// start starts the process and waits until it answers.
func (p *proxy) start() {
	p.t.Helper()
	args := []string{"run", filepath.Join(p.dir, "manifests.yaml"), "--addr", p.addr, "--metrics-addr", "", "--state-dir", filepath.Join(p.dir, "state")}
	p.running = exec.CommandContext(context.WithoutCancel(p.t.Context()), p.binary, args...) //nolint:gosec // The program under test.
	p.running.Stdout, p.running.Stderr = p.out, p.out
	if err := p.running.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan struct{})
	go func(running *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = running.Wait() // It is killed more often than not.
	}(p.running, p.ended)
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-p.ended:
			p.t.Fatalf("the process ended\n%s", p.output())
		case <-deadline.C:
			p.t.Fatalf("the process does not answer\n%s", p.output())
		case <-look.C:
		}
		if connection, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", p.addr); err == nil {
			_ = connection.Close()
			return
		}
	}
}

// end sends a signal and waits until the process is gone.
func (p *proxy) end(signal os.Signal) {
	if p.running == nil {
		return
	}
	_ = p.running.Process.Signal(signal)
	<-p.ended
	p.running = nil
}

func (p *proxy) output() string {
	text, err := os.ReadFile(p.out.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// spend makes calls until the context ends, or until the budget has refused one; small asks for the smallest.
func (p *proxy) spend(ctx context.Context, random *rand.Rand, tokens, words int) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		body := fmt.Sprintf(`{"model":"chat","stream":%t,"max_tokens":%d,"messages":[{"role":"user","content":%q}]}`,
			random.IntN(2) == 0, 1+random.IntN(tokens), strings.Repeat("word ", 1+random.IntN(words)))
		status, cost := p.call(ctx, client, body)
		switch {
		case status == http.StatusPaymentRequired:
			p.exhausted.Add(1)
			return
		case status == http.StatusOK && cost >= 0:
			p.whole.Add(1)
			p.paid.Add(cost)
		}
	}
}

// call returns the status, 0 for no answer, and the cost of a whole one; below 0 when it is none.
func (p *proxy) call(ctx context.Context, client *http.Client, body string) (status int, cost int64) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+"/v1/chat/completions", bytes.NewBufferString(body))
	if err != nil {
		return 0, -1
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return 0, -1
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return answer.StatusCode, -1
	}
	said := answer.Header.Get("X-Signalbox-Cost") + answer.Trailer.Get("X-Signalbox-Cost")
	nano, err := meter.ParseUSD(said)
	if err != nil {
		return answer.StatusCode, -1
	}
	return answer.StatusCode, nano
}

// spendTogether lets all clients spend until the context ends or the budget has refused each.
func (p *proxy) spendTogether(ctx context.Context, tokens, words int) {
	var running sync.WaitGroup
	for number := range clients {
		running.Go(func() { p.spend(ctx, rand.New(rand.NewPCG(7, uint64(number))), tokens, words) })
	}
	running.Wait()
}

// records adds up the usage records of all lives. One that stands there twice is a failure.
func (p *proxy) records() (sum int64) {
	p.t.Helper()
	seen := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(p.output()))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Message string `json:"msg"`
			ID      string `json:"id"`
			Cost    int64  `json:"cost_nanodollars"`
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Message != "usage" || seen[line.ID] {
			continue // A kill between the line and the note that it is out repeats it, under the same id.
		}
		seen[line.ID] = true
		sum += line.Cost
	}
	if err := lines.Err(); err != nil {
		p.t.Fatal(err)
	}
	return sum
}

// TestKilled kills the process under load, three times, and spends what is left.
func TestKilled(t *testing.T) {
	upstream := &provider{}
	server := httptest.NewServer(upstream)
	defer server.Close()
	p := newProxy(t, server.URL)
	for range kills {
		p.start()
		ctx, stop := context.WithCancel(t.Context())
		began := upstream.calls.Load()
		var load sync.WaitGroup
		load.Go(func() { p.spendTogether(ctx, 100, 20) })
		awaitCalls(t, upstream, began+5)
		p.end(syscall.SIGKILL)
		stop()
		load.Wait()
	}
	p.start()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	p.spendTogether(ctx, 100, 20)
	p.spendTogether(ctx, 1, 1)
	if p.exhausted.Load() < 2*clients {
		t.Errorf("only %d clients were refused in the end\n%s", p.exhausted.Load(), p.output())
	}
	p.end(syscall.SIGTERM)
	p.check(upstream)
}

// awaitCalls waits until the provider has had so many calls.
func awaitCalls(t *testing.T, upstream *provider, calls int64) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for upstream.calls.Load() < calls {
		select {
		case <-deadline.C:
			t.Fatalf("the provider had %d calls", upstream.calls.Load())
		case <-look.C:
		}
	}
}

// check compares the books with what was served.
func (p *proxy) check(upstream *provider) {
	p.t.Helper()
	record, err := file.Read(filepath.Join(p.dir, "state", "default"), ledger.Name("hard"))
	if err != nil {
		p.t.Fatal(err)
	}
	if len(record.Windows) != 1 {
		p.t.Fatalf("the ledger has %d windows", len(record.Windows))
	}
	books := record.Windows[0].Summarize()
	served, records := upstream.served.Load(), p.records()
	p.t.Logf("limit %d: %d served in %d calls; %d spent, %d lost, %d reserved; clients saw %d whole answers for %d; records of %d",
		limit, served, upstream.calls.Load(), books.Spent, books.Lost, books.Reserved, p.whole.Load(), p.paid.Load(), records)
	switch committed := books.Spent + books.Lost; {
	case committed > limit:
		p.t.Errorf("%d of %d are committed", committed, limit)
	case served > committed:
		p.t.Errorf("%d are served, %d in the books", served, committed)
	case p.paid.Load() > books.Spent:
		p.t.Errorf("clients paid %d, of which %d are in the books", p.paid.Load(), books.Spent)
	case records != committed:
		p.t.Errorf("the records add up to %d, the books to %d", records, committed)
	case books.Reserved != 0:
		p.t.Errorf("%d are still reserved", books.Reserved)
	case committed < limit*97/100:
		p.t.Errorf("only %d of %d could be spent", committed, limit)
	}
}
