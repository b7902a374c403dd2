package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

func TestStream(t *testing.T) {
	withCost := strings.Replace(usageEvent, `"total_tokens":15}`, `"total_tokens":15,"cost":0.00002}`, 1)
	hidden := strings.NewReplacer(`,"usage":null`, "", usageEvent, "").Replace
	cases := map[string]struct {
		events []string
		body   string
		want   string
	}{
		"usage hidden":             {[]string{roleEvent, tokenEvent, finishEvent, usageEvent, doneEvent}, streamBody, hidden(goodStream)},
		"usage shown, with cost":   {[]string{goodStream}, usageBody, strings.Replace(goodStream, usageEvent, withCost, 1)},
		"early comments dropped":   {[]string{": keep-alive\n\n", goodStream}, usageBody, strings.Replace(goodStream, usageEvent, withCost, 1)},
		"late comments passed":     {[]string{tokenEvent, ": keep-alive\n\n", finishEvent, usageEvent, doneEvent}, streamBody, hidden(tokenEvent) + ": keep-alive\n\n" + hidden(finishEvent) + doneEvent},
		"no [DONE] after a finish": {[]string{tokenEvent, finishEvent, usageEvent}, streamBody, hidden(tokenEvent + finishEvent)},
		"nothing but [DONE]":       {[]string{usageEvent, doneEvent}, streamBody, doneEvent},
		"an event of 10 MB": {
			[]string{`data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 10<<20) + `"}}]}` + "\n\n", finishEvent, usageEvent, doneEvent}, streamBody,
			`data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 10<<20) + `"}}]}` + "\n\n" + hidden(finishEvent) + doneEvent,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got seen
			h := newHarness(t, []http.HandlerFunc{got.then(streams(tc.events...))}, withTable(budgeted))
			answer := h.send(ask{body: tc.body, id: "r"})
			if answer.body != tc.want || answer.status != http.StatusOK || answer.header.Get("Content-Type") != "text/event-stream" {
				t.Errorf("%d %v\n%.500s\nwant\n%.500s", answer.status, answer.header, answer.body, tc.want)
			}
			if h.spent() != goodCost {
				t.Errorf("spent %d, want %d", h.spent(), goodCost)
			}
			if !strings.Contains(got.body, `"include_usage":true`) {
				t.Errorf("usage is not asked for: %s", got.body)
			}
			line := h.log.request(t, "r")
			if line["code"] != "ok" || line["stream"] != true || line["estimated"] != false {
				t.Errorf("logged %v", line)
			}
		})
	}
}

// TestEventsAreForwardedAtOnce: the upstream sends the next event only when the client has the one before it.
func TestEventsAreForwardedAtOnce(t *testing.T) {
	received := make(chan struct{})
	upstream := func(w http.ResponseWriter, r *http.Request) {
		streams(roleEvent)(w, r)
		for i := range 20 {
			_, _ = fmt.Fprintf(w, `data: {"choices":[{"index":0,"delta":{"content":"word %d"}}]}`+"\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-received:
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, finishEvent+usageEvent+doneEvent)
	}
	h := newHarness(t, []http.HandlerFunc{upstream})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	response := h.open(ctx, ask{body: streamBody})
	defer func() { _ = response.Body.Close() }()
	events := readEvents(response.Body)
	if first := events.next(); !strings.Contains(first, "assistant") {
		t.Fatalf("first event %q", first)
	}
	for i := range 20 {
		if event := events.next(); !strings.Contains(event, fmt.Sprintf("word %d", i)) {
			t.Fatalf("event %d is %q", i, event)
		}
		received <- struct{}{}
	}
	if events.next() == "" || !strings.Contains(events.next(), "[DONE]") {
		t.Error("the stream has no end")
	}
}

// TestNothingIsSentBeforeTheFirstToken: status and headers too wait for it, for another target could still answer.
func TestNothingIsSentBeforeTheFirstToken(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	first := func(w http.ResponseWriter, r *http.Request) {
		streams(": hello\n\n", roleEvent)(w, r)
		close(begun)
		<-goOn
		panic(http.ErrAbortHandler)
	}
	h := newHarness(t, []http.HandlerFunc{first, streams(goodStream)})
	answered := make(chan reply)
	go func() { answered <- h.send(ask{body: streamBody}) }()
	<-begun
	select {
	case got := <-answered:
		t.Fatalf("answered before the first token: %v", got)
	default:
	}
	close(goOn)
	if got := <-answered; got.header.Get("X-Signalbox-Target") != "t1" || strings.Count(got.body, "assistant") != 1 {
		t.Errorf("%v %s", got.header, got.body)
	}
}

func TestStreamsThatBreakAfterTheFirstToken(t *testing.T) {
	hang := func(events ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { streams(events...)(w, r); <-r.Context().Done() }
	}
	idle := withTable(func(tb *table.Table) { tb.Routes[0].Idle = 100 * time.Millisecond })
	total := withTable(func(tb *table.Table) { tb.Routes[0].Total = 300 * time.Millisecond })
	cases := map[string]struct {
		upstream http.HandlerFunc
		setups   []setup
		code     Code
		text     string
	}{
		"closed":      {cuts(tokenEvent), nil, CodeUpstreamBroken, "broke off"},
		"ended":       {streams(tokenEvent), nil, CodeUpstreamBroken, "ended before its end"},
		"silent":      {hang(tokenEvent), []setup{idle}, CodeUpstreamTimeout, "silent for timeouts.idle, 100ms"},
		"too long":    {hang(tokenEvent), []setup{total}, CodeUpstreamTimeout, "timeouts.total, 300ms"},
		"error event": {streams(tokenEvent, `data: {"error":{"message":"out of memory","code":500}}`+"\n\n"), nil, CodeUpstreamUnavailable, "out of memory"},
		"nonsense":    {streams(tokenEvent, "data: nonsense\n\n"), nil, CodeUpstreamInvalidAnswer, "cannot be read"},
		"not UTF-8":   {streams(tokenEvent, "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n"), nil, CodeUpstreamInvalidAnswer, "cannot be read"},
		"huge event":  {streams(tokenEvent, "data: "+strings.Repeat("x", 2<<20)), []setup{withLimits(Limits{EventBytes: 1 << 20})}, CodeUpstreamInvalidAnswer, "larger"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			second := func(http.ResponseWriter, *http.Request) { t.Error("another target is tried after the first token") }
			h := newHarness(t, []http.HandlerFunc{tc.upstream, second}, append(tc.setups, withTable(budgeted))...)
			got := h.send(ask{body: streamBody, id: "r"})
			if got.status != http.StatusOK || strings.Contains(got.body, "[DONE]") {
				t.Errorf("%d %s", got.status, got.body)
			}
			events := strings.Split(strings.TrimSuffix(got.body, "\n\n"), "\n\n")
			last := errorOf(t, strings.TrimPrefix(events[len(events)-1], "data: "))
			if len(events) != 2 || last.Code != string(tc.code) || !strings.Contains(last.Message, tc.text) {
				t.Errorf("events %q, last %+v", events, last)
			}
			if line := h.log.request(t, "r"); line["code"] != string(tc.code) || line["status"] != 200. || line["estimated"] != true {
				t.Errorf("logged %v", line)
			}
			if h.spent() <= 0 {
				t.Error("what was streamed is free")
			}
		})
	}
}

// TestClientLeaves: the upstream is cancelled at once and what it did is charged.
func TestClientLeaves(t *testing.T) {
	cases := map[string]string{"in a stream": streamBody, "before an answer": goodBody}
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			asked, cancelled := make(chan struct{}), make(chan time.Time, 1)
			upstream := func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if body == streamBody {
					streams(tokenEvent)(w, r)
				}
				close(asked)
				<-r.Context().Done()
				cancelled <- time.Now()
			}
			h := newHarness(t, []http.HandlerFunc{upstream}, withTable(budgeted))
			ctx, leave := context.WithCancel(t.Context())
			var client sync.WaitGroup
			client.Go(func() {
				response, err := h.front.Client().Do(h.request(ctx, ask{body: body, id: "r"}))
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
			line := h.log.request(t, "r")
			if line["code"] != "client_closed" || line["estimated"] != true || h.spent() <= 0 {
				t.Errorf("spent %d, logged %v", h.spent(), line)
			}
		})
	}
}

// TestStalledReaderIsCut: the client sends its request and never reads.
func TestStalledReaderIsCut(t *testing.T) {
	flood := func(w http.ResponseWriter, r *http.Request) {
		event := `data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("x", 64<<10) + `"}}]}` + "\n\n"
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, event)
		}
	}
	h := newHarness(t, []http.HandlerFunc{flood}, withTable(budgeted), withLimits(Limits{WriteStall: 200 * time.Millisecond}))
	conn := h.dial()
	_, _ = fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nX-Request-Id: r\r\nContent-Length: %d\r\n\r\n%s",
		appKey, len(streamBody), streamBody)
	line := h.log.request(t, "r")
	if line["code"] != "client_closed" || h.spent() <= 0 {
		t.Errorf("spent %d, logged %v", h.spent(), line)
	}
}

// TestManyStreams runs 50 streams at a time and compares the books with the sum of what the upstream reported.
func TestManyStreams(t *testing.T) {
	const clients, rounds = 50, 10
	h := newHarness(t, []http.HandlerFunc{streams(goodStream), streams(goodStream)}, withTable(budgeted), withTable(func(tb *table.Table) {
		tb.Routes[0].Targets[1].Priority = 0
	}))
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range rounds {
				if got := h.send(ask{body: streamBody}); got.status != http.StatusOK || !strings.HasSuffix(got.body, doneEvent) {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
		})
	}
	group.Wait()
	if want := int64(clients * rounds * goodCost); h.spent() != want {
		t.Errorf("spent %d, want %d", h.spent(), want)
	}
}

func TestStreamTellsItsCostInTheTrailer(t *testing.T) {
	for name, tc := range map[string]struct {
		events []string
		want   string
	}{
		"whole":  {[]string{goodStream}, meter.FormatUSD(goodCost)},
		"failed": {[]string{tokenEvent, usageEvent, `data: {"error":{"message":"oops","code":500}}` + "\n\n"}, meter.FormatUSD(goodCost)},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{streams(tc.events...)})
			response := h.open(t.Context(), ask{body: streamBody})
			defer func() { _ = response.Body.Close() }()
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			if got := response.Trailer.Get("X-Signalbox-Cost"); got != tc.want {
				t.Errorf("trailer %q, want %q", got, tc.want)
			}
		})
	}
}
