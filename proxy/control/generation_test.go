package control_test

import (
	"context"
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

// askUntilHeld asks until so many questions have begun, and returns how each ends. A question ends after a second; a busy machine may take that long to begin with it.
// Then it is asked again.
func askUntilHeld(t *testing.T, most int, ask func() error, begun <-chan struct{}) []<-chan error {
	t.Helper()
	var held []<-chan error
	for len(held) < most {
		ended := make(chan error, 1)
		go func() { ended <- ask() }()
		select {
		case <-begun:
			held = append(held, ended)
		case err := <-ended:
			if err == nil || strings.Contains(err.Error(), "status") {
				t.Fatalf("%d questions are held, and one more ends with %v", len(held), err)
			}
		}
	}
	return held
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
	caller := &control.Caller{}
	defer caller.Close()
	ask := func() error {
		one := &control.Caller{}
		defer one.Close()
		_, err := one.Generation(t.Context(), addr, as, "gen-1")
		return err
	}
	held := askUntilHeld(t, most, ask, begun)
	err := ask()
	for errors.Is(err, context.DeadlineExceeded) {
		err = ask()
	}
	if err == nil || !strings.Contains(err.Error(), "status 503") || len(begun) > 0 {
		t.Errorf("one too many, %d of them begun: %v", len(begun), err)
	}
	if _, err := caller.Exchange(t.Context(), addr, as, []byte("x")); err != nil {
		t.Errorf("an exchange beside them: %v", err)
	}
	close(hold)
	for _, ended := range held {
		if err := <-ended; err == nil {
			t.Error("a question was answered with something")
		}
	}
}
