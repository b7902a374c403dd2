package control_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/control/controltest"
	"signalbox.dev/signalbox/proxy/table"
)

// knowing starts a server that knows some requests.
func knowing(t *testing.T, pair table.Control, known map[string]string) string {
	t.Helper()
	server, addr := serve(t, control.Options{Generation: func(id string) ([]byte, bool) {
		text, found := known[id]
		return []byte(text), found
	}})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestGeneration(t *testing.T) {
	pair := controltest.NewPair(t)
	longest := strings.Repeat("x", control.MaxGenerationBytes)
	addr := knowing(t, pair, map[string]string{"gen-1": `{"cost":1}`, "long": longest, "longer": longest + "x"})
	var opened atomic.Int64
	caller := &control.Caller{Dial: dials(&opened)}
	defer caller.Close()
	as := identity(t, pair)
	cases := map[string]struct {
		id, want string
		missing  bool
		fails    bool
	}{
		"known":              {id: "gen-1", want: `{"cost":1}`},
		"not known":          {id: "gen-2", missing: true},
		"as long as may be":  {id: "long", want: longest},
		"too long an answer": {id: "longer", fails: true},
		"no id":              {id: "", missing: true},
		"too long an id":     {id: strings.Repeat("x", 129), missing: true},
		"another path":       {id: "../reports", missing: true},
		"a query":            {id: "gen-1?x=y", missing: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := caller.Generation(t.Context(), addr, as, tc.id)
			if string(got) != tc.want || errors.Is(err, control.ErrNoGeneration) != tc.missing || (err != nil) != (tc.missing || tc.fails) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
	if got := opened.Load(); got != 1 {
		t.Errorf("%d connections for all questions", got)
	}
}

// TestGenerationIsForReplicasOnly: nobody without the namespace's certificate learns anything, nor does one whose certificate is no longer accepted.
func TestGenerationIsForReplicasOnly(t *testing.T) {
	pair := controltest.NewPair(t)
	addr := knowing(t, pair, map[string]string{"gen-1": "x"})
	stranger := &control.Caller{}
	defer stranger.Close()
	if _, err := stranger.Generation(t.Context(), addr, identity(t, controltest.NewPair(t)), "gen-1"); err == nil {
		t.Error("a stranger was answered")
	}
	// The one before the previous one is accepted no longer, also on a connection that was opened with it.
	server, used := serve(t, control.Options{Generation: func(string) ([]byte, bool) { return []byte("x"), true }})
	use := func(next table.Control) {
		t.Helper()
		if err := server.Use(&table.Table{Sequence: 1, Control: next}); err != nil {
			t.Fatal(err)
		}
	}
	use(pair)
	caller, old := &control.Caller{}, identity(t, pair)
	defer caller.Close()
	if _, err := caller.Generation(t.Context(), used, old, "gen-1"); err != nil {
		t.Fatal(err)
	}
	second := controltest.Renew(t, pair)
	use(second)
	use(controltest.Renew(t, second))
	if _, err := caller.Generation(t.Context(), used, old, "gen-1"); err == nil {
		t.Error("an old certificate was answered")
	}
}

// TestTooManyGenerationsAreRefused: questions that hang take no more than their share, and none of the exchanges'.
func TestTooManyGenerationsAreRefused(t *testing.T) {
	pair := controltest.NewPair(t)
	hold, begun := make(chan struct{}), make(chan struct{}, 1000)
	server, addr := serve(t, control.Options{Answer: echo, Generation: func(string) ([]byte, bool) {
		begun <- struct{}{}
		<-hold
		return nil, false
	}})
	if err := server.Use(&table.Table{Sequence: 1, Control: pair}); err != nil {
		t.Fatal(err)
	}
	as := identity(t, pair)
	const most = 64
	results := make(chan error, most)
	for range most {
		go func() {
			caller := &control.Caller{}
			defer caller.Close()
			_, err := caller.Generation(t.Context(), addr, as, "gen-1")
			results <- err
		}()
		receive(t, begun)
	}
	caller := &control.Caller{}
	defer caller.Close()
	if _, err := caller.Generation(t.Context(), addr, as, "gen-1"); err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("one too many: %v", err)
	}
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err != nil {
		t.Errorf("an exchange beside them: %v", err)
	}
	close(hold)
	for range most {
		if err := <-results; err == nil {
			t.Error("a question was answered with something")
		}
	}
}
