package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/table"
)

// launchLiar starts a control port at address 9 that has the right certificate and answers what the test says.
func launchLiar(t *testing.T, g *group, answer func() []byte) {
	t.Helper()
	port := control.NewServer(control.Options{
		Stats: func() control.Stats { return control.Stats{} }, Log: slog.New(slog.DiscardHandler), Answer: func([]byte) ([]byte, error) { return answer(), nil },
	})
	if err := port.Use(&table.Table{Sequence: 1, Control: g.pair}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	listener := g.network.listen(at(9))
	go func() { ended <- port.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the liar ended: %v", err)
		}
	})
}

// TestHostileAnswers: whatever comes back, the replica goes on with the others, and does not take somebody in who cannot be.
func TestHostileAnswers(t *testing.T) {
	many := strings.Repeat(`{"id":"x","addr":"10.0.0.7:8443"},`, maxMembers+1)
	cases := map[string]string{
		"nothing":            ``,
		"no JSON":            `hello`,
		"another kind":       `[1,2]`,
		"too long":           `"` + strings.Repeat("x", control.MaxExchangeBytes) + `"`,
		"nobody":             `{"addr":"10.0.0.9:8443"}`,
		"no address":         `{"from":"liar"}`,
		"no port":            `{"from":"liar","addr":"10.0.0.9:0"}`,
		"any address":        `{"from":"liar","addr":"0.0.0.0:8443"}`,
		"everybody":          `{"from":"liar","addr":"224.0.0.1:8443"}`,
		"a long id":          `{"from":"` + strings.Repeat("x", maxIDBytes+1) + `","addr":"10.0.0.9:8443"}`,
		"an id of lines":     `{"from":"a\nb","addr":"10.0.0.9:8443"}`,
		"a wrong addressee":  `{"from":"liar","addr":"10.0.0.9:8443","to":"a b"}`,
		"a long view":        `{"from":"liar","addr":"10.0.0.9:8443","view":"` + strings.Repeat("x", maxIDBytes+1) + `"}`,
		"too many replicas":  `{"from":"liar","addr":"10.0.0.9:8443","members":[` + strings.TrimSuffix(many, ",") + `]}`,
		"a broken replica":   `{"from":"liar","addr":"10.0.0.9:8443","members":[{"id":"","addr":"10.0.0.7:8443"}]}`,
		"a replica nowhere":  `{"from":"liar","addr":"10.0.0.9:8443","members":[{"id":"x","addr":""}]}`,
		"too many parts":     `{"from":"liar","addr":"10.0.0.9:8443","parts":{` + parts(maxParts+1) + `}}`,
		"a part of no JSON":  `{"from":"liar","addr":"10.0.0.9:8443","parts":{"notes":{]}}`,
		"an address of none": `{"from":"liar","addr":"localhost"}`,
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup(t)
				g.dns.set(at(1), at(2), at(9))
				launchLiar(t, g, func() []byte { return []byte(text) })
				a, b := g.start("a", 1), g.start("b", 2)
				pass(patience + time.Second)
				expect(t, "without the liar", a, b)
				if _, err := a.Answer([]byte(text)); err == nil {
					t.Error("the same was taken as a message")
				}
				expect(t, "after its message", a, b)
			})
		})
	}
}

func parts(count int) string {
	list := make([]string, 0, count)
	for i := range count {
		list = append(list, fmt.Sprintf(`"p%d":1`, i))
	}
	return strings.Join(list, ",")
}

// silent is a mesh that does not run.
func silent(t testing.TB) (*Mesh, *notebook) {
	t.Helper()
	notes := newNotebook()
	notes.write("hello")
	return New(Options{
		Self: "m", Addr: at(9), Parts: map[string]Part{"notes": notes}, Observer: &tally{}, Log: slog.New(slog.DiscardHandler),
		Identity: func() *control.Identity { return nil },
	}), notes
}

// say hands a message to a mesh and returns its answer.
func say(t *testing.T, m *Mesh, said message) message {
	t.Helper()
	text, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	answered, err := m.Answer(text)
	if err != nil {
		t.Fatal(err)
	}
	read, err := decode(answered)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// word is something for a notebook.
func word(said string) map[string]json.RawMessage {
	return map[string]json.RawMessage{"notes": json.RawMessage(`{"word":"` + said + `"}`)}
}

// TestWhatIsTold: parts speak to those who are known by name, members are told to those who have another view, and little to all others.
func TestWhatIsTold(t *testing.T) {
	m, notes := silent(t)
	view := digest(member{ID: "m", Addr: at(9)}, []member{{ID: "a", Addr: at(1)}})
	steps := []struct {
		name  string
		said  message
		want  message
		heard string
	}{
		{
			"who knocks", message{From: "a", Addr: at(1), Parts: word("too early")},
			message{View: view, Members: []member{{ID: "a", Addr: at(1)}}, Parts: notes.saysTo("a")}, "",
		},
		{"who has the same view", message{From: "a", Addr: at(1), To: "m", View: view, Parts: word("hi")}, message{View: view, Parts: notes.saysTo("a")}, "hi"},
		{
			"who has an old view", message{From: "b", Addr: at(2), To: "m", View: view},
			message{
				View:    digest(member{ID: "m", Addr: at(9)}, []member{{ID: "a", Addr: at(1)}, {ID: "b", Addr: at(2)}}),
				Members: []member{{ID: "a", Addr: at(1)}, {ID: "b", Addr: at(2)}}, Parts: notes.saysTo("b"),
			}, "hi",
		},
		{"itself", message{From: "m", Addr: at(8), To: "m", Parts: word("to myself")}, message{}, "hi"},
		{"who leaves", message{From: "a", Addr: at(1), To: "m", Leaving: true, Parts: word("the end")}, message{}, "hi"},
		{"who is gone", message{From: "a", Addr: at(1), To: "m", Parts: word("late")}, message{}, "hi"},
	}
	for _, tc := range steps {
		tc.want.From, tc.want.Addr, tc.want.To = "m", at(9), tc.said.From
		got := say(t, m, tc.said)
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(member{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s is answered (-want +got):\n%s", tc.name, diff)
		}
		if heard := notes.lastWord("a") + notes.lastWord("m"); heard != tc.heard {
			t.Errorf("after %s it heard %q, want %q", tc.name, heard, tc.heard)
		}
	}
}

// saysTo is what the parts of a mesh with one notebook say.
func (n *notebook) saysTo(id string) map[string]json.RawMessage {
	return map[string]json.RawMessage{"notes": n.Say(id)}
}

// TestKnockingSaysNothing: a replica that is not known by name is told nothing by the parts, and learns the rest when its name is known.
func TestKnockingSaysNothing(t *testing.T) {
	m, _ := silent(t)
	if knock := m.compose("", ""); knock.Parts != nil || knock.To != "" || knock.View == "" {
		t.Errorf("knocking says %+v", knock)
	}
	if named := m.compose("a", ""); len(named.Parts) != 1 || named.To != "a" {
		t.Errorf("by name it says %+v", named)
	}
	m.Goodbye(t.Context())
	if last := m.compose("a", ""); !last.Leaving || last.Parts != nil || last.Members != nil {
		t.Errorf("leaving says %+v", last)
	}
}

// TestKnockingIsNoMeeting: who calls without knowing who is here may not know of this replica yet; who calls it by name does.
func TestKnockingIsNoMeeting(t *testing.T) {
	m, _ := silent(t)
	say(t, m, message{From: "a", Addr: at(1)})
	if m.roster.members["a"].met {
		t.Error("who knocked was met")
	}
	say(t, m, message{From: "a", Addr: at(1), To: "m"})
	if !m.roster.members["a"].met {
		t.Error("who called by name was not met")
	}
}

// TestSameViewSameDigest: replicas that know each other have one digest, whoever makes it.
func TestSameViewSameDigest(t *testing.T) {
	a, b, c := member{ID: "a", Addr: at(1)}, member{ID: "b", Addr: at(2)}, member{ID: "c", Addr: at(3)}
	want := digest(a, []member{b, c})
	if digest(b, []member{a, c}) != want || digest(c, []member{a, b}) != want {
		t.Error("the digests differ")
	}
	moved := member{ID: "c", Addr: at(4)}
	for _, other := range []string{digest(a, []member{b}), digest(a, []member{b, moved}), digest(a, nil)} {
		if other == want {
			t.Error("another view has the same digest")
		}
	}
}

// FuzzAnswer feeds bytes to a replica as another one's message. What it answers can always be read, and what it takes in stays bounded.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"from":"a","addr":"10.0.0.1:8443","to":"m","view":"v","members":[{"id":"b","addr":"10.0.0.2:8443"}],"parts":{"notes":{"word":"x"}}}`))
	f.Add([]byte(`{"from":"a","addr":"10.0.0.1:8443","leaving":true}`))
	f.Add([]byte(`{"from":"m","addr":"10.0.0.9:8443"}`))
	f.Add([]byte(`{"from":"a","addr":"[::1%eth0]:1"}`))
	f.Add([]byte(`{"from":"a","from":"b","addr":"10.0.0.9:8443","parts":{"notes":null}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, said []byte) {
		m, _ := silent(t)
		text, err := m.Answer(said)
		if err != nil {
			return
		}
		answer, err := decode(text)
		if err != nil {
			t.Fatalf("the answer cannot be read: %v", err)
		}
		if answer.From != "m" || !validID(answer.To) {
			t.Errorf("the answer is from %q to %q", answer.From, answer.To)
		}
		if known := m.roster.known(); len(known) > maxMembers {
			t.Errorf("%d members", len(known))
		}
	})
}

// TestMalformedIsTyped: a message that is JSON and makes no sense can be told from one that is none.
func TestMalformedIsTyped(t *testing.T) {
	if _, err := decode([]byte(`{}`)); !errors.Is(err, errMalformed) {
		t.Errorf("error %v", err)
	}
}
