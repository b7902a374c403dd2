package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

// mirroring makes the last upstream the mirror of the route.
func mirroring(change func(*table.Mirror)) setup {
	return withTable(func(t *table.Table) {
		last := len(t.Routes[0].Targets) - 1
		mirror := &table.Mirror{Target: t.Routes[0].Targets[last], Percent: 100, MaxConcurrency: 4}
		mirror.Target.Name = "shadow"
		t.Routes[0].Targets = t.Routes[0].Targets[:last]
		t.Routes[0].Mirror = mirror
		change(mirror)
	})
}

func isMirror(line map[string]any) bool { return line["mirror"] == true }

func TestMirror(t *testing.T) {
	for name, request := range map[string]string{"whole": goodBody, "stream": streamBody} {
		t.Run(name, func(t *testing.T) {
			upstream := good
			if name == "stream" {
				upstream = streams(goodStream)
			}
			h := newHarness(t, []http.HandlerFunc{upstream, upstream}, mirroring(func(*table.Mirror) {}), withTable(budgeted))
			got := h.send(ask{body: request, id: "mirrored"})
			line := h.log.wait(t, isMirror)
			if got.status != http.StatusOK || got.header.Get("X-Signalbox-Target") != "t0" || got.header.Get("X-Signalbox-Attempts") != "1" {
				t.Errorf("the client got %d of %q", got.status, got.header.Get("X-Signalbox-Target"))
			}
			if line["target"] != "shadow" || line["request_id"] != "mirrored" || line["cost_nanodollars"] != float64(goodCost) || line["code"] != "ok" {
				t.Errorf("logged %v", line)
			}
			if spent := h.spent(); spent != 2*goodCost {
				t.Errorf("the budget counts %d, want %d for call and copy", spent, 2*goodCost)
			}
		})
	}
}

func TestMirrorNeverFailsACall(t *testing.T) {
	for name, shadow := range map[string]http.HandlerFunc{"fails": refuses(500, "", "oops"), "hangs": silent} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, []http.HandlerFunc{good, shadow}, mirroring(func(*table.Mirror) {}))
			for range 10 {
				if got := h.send(ask{}); got.status != http.StatusOK {
					t.Fatalf("status %d\n%s", got.status, got.body)
				}
			}
			h.server.Drain()
			if err := h.server.AwaitMirrors(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMirrorIsBounded(t *testing.T) {
	cases := map[string]struct {
		change func(*table.Mirror)
		want   int64
	}{
		"by concurrency": {func(m *table.Mirror) { m.MaxConcurrency = 2 }, 2},
		"by cost":        {func(m *table.Mirror) { m.MaxCostPerHour = 1 }, 1},
		"by percent":     {func(m *table.Mirror) { m.Percent = 0 }, 0},
		"no price": {func(m *table.Mirror) {
			m.MaxCostPerHour = 1
			m.Target.Prices = nil
		}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			leave := make(chan struct{})
			shadow := func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if name == "by concurrency" {
					<-leave
				}
				good(w, r)
			}
			h := newHarness(t, []http.HandlerFunc{good, shadow}, mirroring(tc.change))
			for i := range 6 {
				h.send(ask{})
				if i == 0 && tc.want == 1 {
					// The bound on the cost counts what was spent, so the first copy has to end.
					h.log.wait(t, isMirror)
				}
			}
			close(leave)
			if err := h.server.AwaitMirrors(t.Context()); err != nil {
				t.Fatal(err)
			}
			if calls.Load() != tc.want {
				t.Errorf("%d copies were made, want %d", calls.Load(), tc.want)
			}
		})
	}
}

// TestMirrorsTogether has many streams and their copies share buffers.
func TestMirrorsTogether(t *testing.T) {
	upstream := func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		if !bytes.Contains(sent, []byte("hello")) || !json.Valid(sent) {
			t.Errorf("the provider got %q", sent)
		}
		streams(goodStream)(w, r)
	}
	h := newHarness(t, []http.HandlerFunc{upstream, upstream}, mirroring(func(m *table.Mirror) { m.MaxConcurrency = 100 }))
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 20 {
				if got := h.send(ask{body: streamBody}); got.status != http.StatusOK {
					t.Errorf("status %d", got.status)
				}
			}
		})
	}
	calls.Wait()
	if err := h.server.AwaitMirrors(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMirrorKeepsToWhatTheRequestAllows(t *testing.T) {
	cases := map[string]struct {
		provider string
		declared table.DataPolicy
		want     int64
	}{
		"asks for nothing":        {`{}`, table.DataPolicy{}, 1},
		"sorts":                   {`{"sort":"price"}`, table.DataPolicy{}, 1},
		"no collection":           {`{"data_collection":"deny"}`, table.DataPolicy{}, 0},
		"no collection, declared": {`{"data_collection":"deny"}`, table.DataPolicy{NoCollection: true}, 1},
		"only its target":         {`{"only":["t0"]}`, table.DataPolicy{}, 0},
		"only by its order":       {`{"order":["t0"],"allow_fallbacks":false}`, table.DataPolicy{}, 0},
		"by order":                {`{"order":["t0"]}`, table.DataPolicy{}, 1},
		"not another":             {`{"ignore":["t9"]}`, table.DataPolicy{}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			h := newHarness(t, []http.HandlerFunc{good, counted(&calls, good)},
				mirroring(func(m *table.Mirror) { m.Target.Declared.DataPolicy = tc.declared }),
				withTable(func(t *table.Table) { t.Routes[0].Targets[0].Declared.DataPolicy.NoCollection = true }))
			if got := h.send(ask{body: body(`"model":"chat","provider":` + tc.provider)}); got.status != http.StatusOK {
				t.Fatalf("status %d\n%s", got.status, got.body)
			}
			if err := h.server.AwaitMirrors(t.Context()); err != nil {
				t.Fatal(err)
			}
			if calls.Load() != tc.want {
				t.Errorf("%d copies, want %d", calls.Load(), tc.want)
			}
		})
	}
}

// TestARefusedCopyIsTheMirrors: what a budget says to the copy is no failure of the route's own calls.
func TestARefusedCopyIsTheMirrors(t *testing.T) {
	h := newHarness(t, []http.HandlerFunc{good, good}, mirroring(func(*table.Mirror) {}), withTable(func(t *table.Table) {
		budgeted(t)
		t.Budgets[0].Limit = 1
	}))
	if got := h.send(ask{}); got.status != http.StatusOK {
		t.Fatalf("status %d\n%s", got.status, got.body)
	}
	if line := h.log.wait(t, isMirror); line["target"] != "shadow" || line["code"] != "budget_exceeded" {
		t.Errorf("logged %v", line)
	}
}
