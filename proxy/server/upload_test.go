package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

const formTypeOfTests = "multipart/form-data; boundary=" + testBoundary

// TestUploadOfTwoModels: a provider that takes the last of two models never gets the form to its end.
func TestUploadOfTwoModels(t *testing.T) {
	whole := make(chan bool, 1)
	hears := func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		whole <- err == nil
		answers(http.StatusOK, "text/plain", "hello")(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{hears})
	sound := strings.Repeat("x", 1<<20)
	body := formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.wav", sound}, formPart{name: "model", value: "dearer"})
	got := h.send(ask{path: "/v1/audio/transcriptions", contentType: formTypeOfTests, body: body, id: "r"})
	if failure := errorOf(t, got.body); got.status != http.StatusBadRequest || failure.Param != "model" || !strings.Contains(failure.Message, "more than once") {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if <-whole {
		t.Error("the provider got the whole form")
	}
	if line := h.log.request(t, "r"); line["code"] != string(CodeInvalidRequest) {
		t.Errorf("logged %v", line)
	}
}

// TestBoundaryOfProviders: what names the parts' boundary for the proxy names it for the provider.
func TestBoundaryOfProviders(t *testing.T) {
	got := make(chan string, 1)
	hears := func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Content-Type")
		answers(http.StatusOK, "text/plain", "hello")(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{hears})
	body := formText(t, formPart{name: "model", value: "chat"})
	contentType := "multipart/form-data; boundary=other; boundary*=UTF-8''" + testBoundary
	if answer := h.send(ask{path: "/v1/audio/transcriptions", contentType: contentType, body: body}); answer.status != http.StatusOK {
		t.Fatalf("status %d: %s", answer.status, answer.body)
	}
	if contentType := <-got; contentType != formTypeOfTests {
		t.Errorf("the provider got %q", contentType)
	}
}

// TestSlowProviderOfAnUpload: the time that a provider takes is not the client's.
func TestSlowProviderOfAnUpload(t *testing.T) {
	const grace = 600 * time.Millisecond
	slow := func(w http.ResponseWriter, r *http.Request) {
		// What the connection does not take stays with the client for longer than it has for all of its form.
		<-time.After(2 * grace)
		answers(http.StatusOK, "text/plain", "hello")(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{slow}, withLimits(Limits{BodyGrace: grace, BodyBytesPerSecond: 1 << 40}))
	body := formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.wav", strings.Repeat("x", 24<<20)})
	got := h.send(ask{path: "/v1/audio/transcriptions", contentType: formTypeOfTests, body: body})
	if got.status != http.StatusOK || got.body != "hello" {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

// TestUploadThatHangs: a client that stops in its form, or leaves, ends the provider's request, however much it has sent before.
func TestUploadThatHangs(t *testing.T) {
	sent := formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.wav", strings.Repeat("x", 1<<20)})[:1<<20]
	for name, tc := range map[string]struct {
		limits Limits
		total  time.Duration
		leave  bool
		code   Code
	}{
		"stops":                 {limits: Limits{BodyGrace: 300 * time.Millisecond, BodyBytesPerSecond: 1 << 40}, code: CodeRequestTimeout},
		"stops, with much time": {limits: Limits{BodyBytesPerSecond: 1, WriteStall: 300 * time.Millisecond}, code: CodeRequestTimeout},
		"outlasts the call":     {limits: Limits{BodyBytesPerSecond: 1}, total: time.Second, code: CodeRequestTimeout},
		"leaves":                {leave: true, code: CodeRequestIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			begun, over := make(chan struct{}), make(chan struct{})
			hears := func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.CopyN(io.Discard, r.Body, 1000)
				close(begun)
				_, _ = io.Copy(io.Discard, r.Body)
				close(over)
			}
			h := newHarness(t, []http.HandlerFunc{hears}, withLimits(tc.limits), withTable(func(tb *table.Table) {
				if tc.total > 0 {
					tb.Routes[0].Total = tc.total
				}
			}))
			conn := h.dial()
			_, _ = fmt.Fprintf(conn, "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nX-Request-Id: r\r\nContent-Length: %d\r\n\r\n%s",
				appKey, formTypeOfTests, 2<<20, sent)
			<-begun
			if tc.leave {
				_ = conn.Close()
			}
			select {
			case <-over:
			case <-time.After(patience):
				t.Fatal("the provider's request goes on")
			}
			if line := h.log.request(t, "r"); line["code"] != string(tc.code) {
				t.Errorf("logged %v, want %s", line, tc.code)
			}
			if held := h.server.spooled.held.Load(); held != 0 {
				t.Errorf("%d bytes on disk", held)
			}
		})
	}
}

// TestUnaskedStreamIsWatched: a stream that the request's head does not ask for has the same timeouts, and its connection does not outlive it.
func TestUnaskedStreamIsWatched(t *testing.T) {
	const event = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"x\"}\n\n"
	ended := make(chan struct{})
	hangs := func(w http.ResponseWriter, r *http.Request) {
		streams(event)(w, r)
		<-r.Context().Done()
		close(ended)
	}
	h := newHarness(t, []http.HandlerFunc{hangs}, withTable(func(tb *table.Table) { tb.Routes[0].Idle = 100 * time.Millisecond }))
	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	body := formText(t, formPart{name: "model", value: "chat"}, formPart{name: "stream", value: "true"})
	response := h.open(ctx, ask{path: "/v1/audio/transcriptions", contentType: formTypeOfTests, body: body})
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(string(text), event) || !strings.Contains(string(text), "silent for timeouts.idle") {
		t.Errorf("%v: %s", err, text)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the provider's request goes on")
	}
}

// TestClientLeavesSound: a client that leaves after its form, or in the middle of sound, ends the provider's request.
func TestClientLeavesSound(t *testing.T) {
	form := formText(t, formPart{name: "model", value: "chat"}, formPart{"file", "a.wav", strings.Repeat("x", 1<<20)})
	for name, tc := range map[string]struct {
		ask   ask
		sound bool
	}{
		"after its form":     {ask: ask{path: "/v1/audio/transcriptions", contentType: formTypeOfTests, body: form}},
		"in an answer":       {ask: ask{path: "/v1/audio/speech", body: `{"model":"chat","input":"x","voice":"alloy"}`}, sound: true},
		"in a form's answer": {ask: ask{path: "/v1/audio/translations", contentType: formTypeOfTests, body: form}, sound: true},
	} {
		t.Run(name, func(t *testing.T) {
			asked, cancelled := make(chan struct{}), make(chan time.Time, 1)
			upstream := func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if tc.sound {
					answers(http.StatusOK, "audio/mpeg", "sound")(w, r)
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				<-r.Context().Done()
				cancelled <- time.Now()
			}
			h := newHarness(t, []http.HandlerFunc{upstream}, withTable(budgeted))
			ctx, leave := context.WithCancel(t.Context())
			tc.ask.id = "r"
			var client sync.WaitGroup
			client.Go(func() {
				response, err := h.front.Client().Do(h.request(ctx, tc.ask))
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the client got %v", err)
				}
			})
			<-asked
			left := time.Now()
			leave()
			select {
			case at := <-cancelled:
				t.Logf("cancelled after %v", at.Sub(left))
			case <-time.After(patience):
				t.Fatal("the upstream was not cancelled")
			}
			client.Wait()
			if line := h.log.request(t, "r"); line["code"] != string(CodeClientClosed) || h.spent() <= 0 {
				t.Errorf("spent %d, logged %v", h.spent(), line)
			}
		})
	}
}

// TestSoundInPlaceOfEvents: a provider that knows no events of sound is not asked in vain.
func TestSoundInPlaceOfEvents(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{answers(http.StatusOK, "audio/mpeg", "sound")})
	got := h.send(ask{path: "/v1/audio/speech", body: `{"model":"chat","input":"x","voice":"alloy","stream_format":"sse"}`})
	if got.status != http.StatusOK || got.body != "sound" || got.header.Get("Content-Type") != "audio/mpeg" {
		t.Errorf("status %d, header %v: %s", got.status, got.header, got.body)
	}
}

// TestArrayStreamThatBreaks: a stream that is one JSON array is one with its error, too.
func TestArrayStreamThatBreaks(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{cuts(roleEvent, tokenEvent)})
	got := h.send(ask{path: "/v1beta/models/chat:streamGenerateContent", body: geminiBody})
	var last struct {
		Error struct{ Status string }
	}
	var chunks []json.RawMessage
	if err := json.Unmarshal([]byte(got.body), &chunks); err != nil || len(chunks) == 0 {
		t.Fatalf("%v: %s", err, got.body)
	}
	if err := json.Unmarshal(chunks[len(chunks)-1], &last); err != nil || last.Error.Status == "" {
		t.Errorf("%v: %s", err, got.body)
	}
}

// TestConnectionAfterAPartlyReadForm: the next request on a connection is not taken for the rest of a form.
func TestConnectionAfterAPartlyReadForm(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good})
	body := formText(t, formPart{name: "model", value: "none"}, formPart{"file", "a.wav", strings.Repeat("x", 100<<10)})
	conn := h.dial()
	reader := bufio.NewReader(conn)
	for range 2 {
		_, _ = fmt.Fprintf(conn, "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			appKey, formTypeOfTests, len(body), body)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusNotFound || errorOf(t, string(text)).Code != string(CodeModelNotFound) {
			t.Fatalf("status %d, %v: %s", response.StatusCode, err, text)
		}
	}
}
