package upstream

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// diary is a Watcher, and a connection, that note when something was told to them.
type diary struct {
	net.Conn
	began time.Time
	notes []string
}

func (d *diary) note(what string) {
	d.notes = append(d.notes, what+" "+time.Since(d.began).String())
}

func (d *diary) Lost()  { d.note("lost") }
func (d *diary) Found() { d.note("found") }

func (d *diary) Close() error {
	d.note("closed")
	return nil
}

// watched is a request that is looked after, over a connection that acknowledges nothing from one moment to another.
type watched struct {
	*diary
	*vigil
	mutedAt, heardAt time.Duration
	// blink is a moment at which something is under way, for the first time after a second.
	blink time.Duration
}

func (w *watched) unacknowledged(net.Conn) time.Duration {
	now := time.Since(w.began)
	switch {
	case w.blink > 0 && now == w.blink:
		return w.blink - time.Second
	case now < w.mutedAt || now >= w.heardAt:
		return 0
	case w.mutedAt == 0:
		return time.Hour // for it was idle before the request
	}
	return now - w.mutedAt
}

// connect gives the request its connection.
func (w *watched) connect() {
	w.connected(w.diary, poolKey{host: "provider"})
}

// pass lets simulated time pass.
func pass(d time.Duration) { <-time.After(d) }

// TestVigil: a request is told to be lost when it gets no connection, or when nothing of it is acknowledged, and never because the answer takes its time.
func TestVigil(t *testing.T) {
	const never = time.Duration(1 << 62)
	cases := map[string]struct {
		muted, heard time.Duration // when the connection acknowledges nothing any more, and again
		blink        time.Duration
		live         func(w *watched)
		err          error
		want         string
	}{
		"answered at once":       {muted: never, live: func(w *watched) { w.connect(); w.wrote(); pass(time.Second) }},
		"answered after an hour": {muted: never, live: func(w *watched) { w.connect(); w.wrote(); pass(time.Hour) }},
		"no connection":          {muted: never, live: func(*watched) { pass(6 * time.Second) }, err: errors.New("timeout"), want: "lost 2s"},
		"one connection after the other": {
			muted: never, live: func(w *watched) {
				pass(time.Second)
				w.connecting()
				pass(1500 * time.Millisecond)
				w.connect()
			}, want: "lost 2s, found 2.5s",
		},
		"nothing is acknowledged": {heard: never, live: func(w *watched) { w.connect(); w.wrote(); pass(8 * time.Second) }, err: net.ErrClosed, want: "lost 2s, closed 7s"},
		"it is, after a while":    {heard: 4 * time.Second, live: func(w *watched) { w.connect(); w.wrote(); pass(time.Minute) }, want: "lost 2s, found 4s"},
		"an upload that pauses":   {muted: never, blink: 30 * time.Second, live: func(w *watched) { w.connect(); pass(time.Minute) }},
		"half of an upload is":    {muted: 30 * time.Second, heard: never, live: func(w *watched) { w.connect(); pass(33 * time.Second) }, want: "lost 32s, found 33s"},
		"answered all the same":   {heard: never, live: func(w *watched) { w.connect(); pass(3 * time.Second) }, want: "lost 2s, found 3s"},
		"on a fresh connection": {heard: 5 * time.Second, live: func(w *watched) {
			w.connect()
			pass(time.Second)
			w.connecting()
			pass(time.Second)
			w.connect()
			pass(3 * time.Second)
		}, want: "lost 4s, found 5s"},
		"the second connection too": {heard: never, live: func(w *watched) {
			w.connect()
			pass(8 * time.Second)
			w.connecting()
			pass(3 * time.Second)
		}, err: net.ErrClosed, want: "lost 2s, closed 7s"},
		"a client that hangs up first": {heard: never, live: func(w *watched) { w.connect(); pass(3 * time.Second) }, err: context.Canceled, want: "lost 2s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &watched{diary: &diary{began: time.Now()}, mutedAt: tc.muted, heardAt: tc.heard, blink: tc.blink}
				equal := &conn{key: poolKey{host: "provider"}, raw: &diary{began: w.began}}
				idle := newPool(1, 2*time.Hour)
				idle.put(equal)
				defer idle.closeIdle()
				how := vigilant()
				how.unacknowledged = w.unacknowledged
				w.vigil = newVigil(WithWatcher(t.Context(), w.diary), &how, idle)
				tc.live(w)
				var failed error
				if tc.err != nil {
					failed = &Error{Kind: SentNoResponse, Err: tc.err}
				}
				err := w.end(t.Context(), failed)
				pass(time.Minute) // in which nothing may be told
				if got := strings.Join(w.notes, ", "); got != tc.want {
					t.Errorf("told %q, want %q", got, tc.want)
				}
				if emptied := idle.pop(equal.key) == nil; emptied != (tc.heard > 0) {
					t.Errorf("its equals are given up: %t", emptied)
				}
				if gone := strings.HasSuffix(tc.want, "closed 7s") && name != "the second connection too"; errors.Is(err, errVanished) != gone {
					t.Errorf("it ends with %v", err)
				}
			})
		})
	}
}
