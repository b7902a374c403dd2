package peers

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// story is what happens to a roster of replica "m" at address 9, step by step.
type story struct {
	*roster
	now time.Time
}

// step is one thing that happens.
type step func(*story)

func newStory() *story {
	s := &story{roster: newRoster("m", at(9)), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	s.begin(s.now)
	return s
}

func (s *story) play(steps []step) {
	for _, next := range steps {
		next(s)
		s.sweep(s.now)
		s.settle(s.now)
	}
}

// after lets time pass.
func after(d time.Duration) step { return func(s *story) { s.now = s.now.Add(d) } }

// lists lets the Service answer at once.
func lists(machines ...byte) step { return listedAgo(0, machines...) }

// listedAgo lets the answer come to a question that was asked a while ago.
func listedAgo(ago time.Duration, machines ...byte) step {
	return func(s *story) {
		addrs := make([]netip.AddrPort, 0, len(machines))
		for _, machine := range machines {
			addrs = append(addrs, at(machine))
		}
		s.listed(addrs, s.now.Add(-ago), s.now)
	}
}

// speaks lets a replica say something to this one by its name.
func speaks(id string, machine byte) step {
	return func(s *story) { s.heard(member{ID: id, Addr: at(machine), met: true}, s.now) }
}

// knocks lets a replica at address 1 call without knowing who is here.
func knocks(id string) step {
	return func(s *story) { s.heard(member{ID: id, Addr: at(1)}, s.now) }
}

// answers lets a replica answer at an address.
func answers(id string, machine byte) step {
	return func(s *story) {
		s.answered(at(machine), id, s.now)
		if id != s.self.ID {
			s.heard(member{ID: id, Addr: at(machine), met: true}, s.now)
		}
	}
}

// tells lets a replica tell of another one.
func tells(id string, machine byte) step {
	return func(s *story) { s.told([]member{{ID: id, Addr: at(machine)}}, s.now) }
}

func leaves(id string) step { return func(s *story) { s.left(id, s.now) } }

// refuses tells that nobody listens at address 1.
func refuses(s *story) { s.refused(at(1), s.now) }

// stalls tells that a call of address 1 came to nothing.
func stalls(s *story) { s.unanswered(at(1)) }

func (s *story) ids() []string {
	ids := []string{}
	for _, other := range s.known() {
		ids = append(ids, other.ID)
	}
	return ids
}

func TestWhoIsAMember(t *testing.T) {
	cases := map[string]struct {
		steps []step
		want  []string
	}{
		"who speaks is known":                      {[]step{speaks("a", 1), speaks("b", 2)}, []string{"a", "b"}},
		"who knocks is known":                      {[]step{knocks("k")}, []string{"k"}},
		"who is told of is known":                  {[]step{tells("a", 1)}, []string{"a"}},
		"itself is none":                           {[]step{tells("m", 9), tells("m", 1), tells("x", 9), speaks("x", 9), answers("m", 4)}, []string{}},
		"a goodbye counts at once":                 {[]step{lists(1, 9), speaks("a", 1), leaves("a")}, []string{}},
		"a goodbye is final":                       {[]step{speaks("a", 1), leaves("a"), speaks("a", 1), tells("a", 1), answers("a", 1)}, []string{}},
		"silent and not listed":                    {[]step{lists(1, 9), speaks("a", 1), after(3 * time.Second), lists(9)}, []string{}},
		"silent for too short":                     {[]step{lists(1, 9), speaks("a", 1), after(2900 * time.Millisecond), lists(9)}, []string{"a"}},
		"silent and listed":                        {[]step{lists(1, 9), speaks("a", 1), after(time.Hour), lists(1, 9)}, []string{"a"}},
		"not listed but speaking":                  {[]step{lists(1, 9), speaks("a", 1), lists(9), after(2 * time.Second), speaks("a", 1), after(2 * time.Second), lists(9)}, []string{"a"}},
		"the answer is older than the silence":     {[]step{lists(1, 9), speaks("a", 1), after(3 * time.Second), listedAgo(time.Second, 9)}, []string{"a"}},
		"the Service does not answer":              {[]step{lists(1, 9), speaks("a", 1), after(time.Hour)}, []string{"a"}},
		"the answer is empty":                      {[]step{lists(1, 9), speaks("a", 1), after(time.Hour), lists()}, []string{"a"}},
		"and is empty for long":                    {[]step{lists(1, 9), speaks("a", 1), lists(), after(patience), lists()}, []string{"a"}},
		"the answer lacks this replica":            {[]step{lists(1, 9), speaks("a", 1), after(time.Hour), lists(2)}, []string{"a"}},
		"and lacks it for long":                    {[]step{lists(1, 9), speaks("a", 1), after(time.Hour), lists(2), after(patience), lists(2)}, []string{}},
		"and lacked it but once":                   {[]step{lists(1, 9), speaks("a", 1), lists(2), lists(1, 9), after(patience), lists(2)}, []string{"a"}},
		"never listed and silent for a moment":     {[]step{lists(9), speaks("a", 1), after(3 * time.Second), lists(9)}, []string{"a"}},
		"never listed and silent for long":         {[]step{lists(9), speaks("a", 1), after(patience), lists(9)}, []string{}},
		"told of, silent and not listed":           {[]step{lists(9), tells("a", 1), after(patience), lists(9)}, []string{}},
		"dropped, and not brought back by a tale":  {[]step{lists(1, 9), speaks("a", 1), after(3 * time.Second), lists(9), tells("a", 1)}, []string{}},
		"dropped, and back when it speaks":         {[]step{lists(1, 9), speaks("a", 1), after(3 * time.Second), lists(9), speaks("a", 1)}, []string{"a"}},
		"dropped, and forgotten after long":        {[]step{lists(1, 9), speaks("a", 1), after(3 * time.Second), lists(9), after(memory + time.Second), tells("a", 1)}, []string{"a"}},
		"another process at the address":           {[]step{speaks("a", 1), answers("b", 1)}, []string{"b"}},
		"the old process does not come back":       {[]step{speaks("a", 1), answers("b", 1), speaks("a", 1), tells("a", 1)}, []string{"b"}},
		"a claim replaces nobody":                  {[]step{answers("a", 1), speaks("b", 1)}, []string{"a", "b"}},
		"a tale does not replace who was met":      {[]step{answers("a", 1), tells("b", 1)}, []string{"a"}},
		"a tale of an address that nobody has met": {[]step{tells("a", 1), tells("b", 1)}, []string{"a", "b"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			s.play(tc.steps)
			if diff := cmp.Diff(tc.want, s.ids()); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhenSettled(t *testing.T) {
	cases := map[string]struct {
		steps []step
		want  bool
	}{
		"nothing is known":                        {[]step{after(time.Second)}, false},
		"alone":                                   {[]step{lists(9)}, true},
		"not listed itself":                       {[]step{lists(1), answers("a", 1)}, false},
		"an address was not called":               {[]step{lists(1, 9)}, false},
		"all addresses have answered":             {[]step{lists(1, 2, 9), answers("a", 1), answers("b", 2)}, true},
		"one has not":                             {[]step{lists(1, 2, 9), answers("a", 1)}, false},
		"it spoke by itself":                      {[]step{lists(1, 9), speaks("a", 1)}, true},
		"it only knocked":                         {[]step{lists(1, 9), knocks("a")}, false},
		"it knocked, and was not listed":          {[]step{knocks("a"), lists(9)}, false},
		"who was told of has not answered":        {[]step{answers("a", 1), tells("b", 2), lists(1, 9)}, false},
		"who was told of has answered":            {[]step{answers("a", 1), tells("b", 2), answers("b", 2), lists(1, 9)}, true},
		"an address is this replica":              {[]step{lists(8, 9), answers("m", 8)}, true},
		"an address answered and left":            {[]step{lists(1, 9), answers("a", 1), leaves("a")}, true},
		"nobody listens, but perhaps soon":        {[]step{lists(1, 9), refuses, after(2900 * time.Millisecond), refuses}, false},
		"nobody has listened for a while":         {[]step{lists(1, 9), refuses, after(3 * time.Second), refuses}, true},
		"somebody stalls in between":              {[]step{lists(1, 9), refuses, after(2 * time.Second), stalls, after(time.Second), refuses}, false},
		"who was told of does not listen":         {[]step{tells("a", 1), lists(9), refuses, after(3 * time.Second), refuses}, true},
		"an address stalls":                       {[]step{lists(1, 9), after(patience - time.Second), stalls}, false},
		"an address stalls for too long":          {[]step{lists(1, 9), after(patience), stalls}, true},
		"the Service does not answer for long":    {[]step{after(patience)}, true},
		"once settled, a new address is no harm":  {[]step{lists(9), lists(1, 9)}, true},
		"once settled, a silent Service is none":  {[]step{lists(9), after(time.Hour)}, true},
		"once settled, a missing replica is none": {[]step{lists(9), lists(1)}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			s.play(tc.steps)
			if s.settled != tc.want {
				t.Errorf("settled is %v, want %v", s.settled, tc.want)
			}
		})
	}
}

// TestPatienceBeginsWithTheFirstTable: before it nobody could be asked.
func TestPatienceBeginsWithTheFirstTable(t *testing.T) {
	s := &story{roster: newRoster("m", at(9)), now: time.Unix(0, 0)}
	s.play([]step{lists(1, 9), after(time.Hour)})
	if s.settled {
		t.Fatal("settled without having asked anybody")
	}
	s.begin(s.now)
	s.play([]step{after(patience - time.Second)})
	if s.settled {
		t.Error("settled too early")
	}
	if s.now = s.now.Add(time.Second); !s.settle(s.now) {
		t.Error("waiting in vain was not told")
	}
	if s.settle(s.now) {
		t.Error("waiting in vain was told twice")
	}
}

func TestWhoCalls(t *testing.T) {
	const interval = 500 * time.Millisecond
	settled := []step{lists(9)}
	cases := map[string]struct {
		steps []step
		want  []call
	}{
		"nobody is there":                       {nil, nil},
		"a higher id is called":                 {[]step{answers("z", 1)}, []call{{addr: at(1), to: "z"}}},
		"a lower id calls":                      {[]step{answers("a", 1), after(interval)}, nil},
		"a lower id does not call":              {[]step{answers("a", 1), after(2 * interval)}, []call{{addr: at(1), to: "a"}}},
		"a lower id that knocked is called":     {[]step{knocks("a")}, []call{{addr: at(1), to: "a"}}},
		"a lower id that was told of is called": {[]step{tells("a", 1)}, []call{{addr: at(1), to: "a"}}},
		"a stranger is called":                  {[]step{lists(1, 9)}, []call{{addr: at(1)}}},
		"its own address is not":                {[]step{lists(9)}, nil},
		"another address of its own is not":     {[]step{lists(8, 9), answers("m", 8)}, nil},
		"two at one address":                    {[]step{answers("z", 1), speaks("a", 1)}, []call{{addr: at(1)}}},
		"a stranger, again and again":           {[]step{lists(1, 9), calls(interval), after(interval)}, []call{{addr: at(1)}}},
		"a stranger, seldom once settled":       {append(settled, lists(1, 9), calls(interval), after(interval)), nil},
		"a stranger, after a pause":             {append(settled, lists(1, 9), calls(interval), after(strangerPause)), []call{{addr: at(1)}}},
		"an address that is no longer listed":   {[]step{lists(1, 9), lists(9)}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			s.play(tc.steps)
			if diff := cmp.Diff(tc.want, s.due(s.now, interval), cmp.AllowUnexported(call{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// calls lets this replica call whoever is due.
func calls(interval time.Duration) step { return func(s *story) { s.due(s.now, interval) } }

// TestRosterIsBounded: what others tell, and the Service, cannot fill the memory.
func TestRosterIsBounded(t *testing.T) {
	s := newStory()
	many := make([]member, 0, 3*maxMembers)
	addrs := make([]netip.AddrPort, 0, 3*maxMembers)
	for i := range 3 * maxMembers {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 8443)
		many, addrs = append(many, member{ID: fmt.Sprint("x", i), Addr: addr}), append(addrs, addr)
	}
	s.told(many, s.now)
	if len(s.members) != maxMembers {
		t.Errorf("%d members", len(s.members))
	}
	if s.heard(member{ID: "one-more", Addr: at(1)}, s.now) {
		t.Error("one more was taken")
	}
	for _, m := range slices.Clone(many) {
		s.left(m.ID, s.now)
	}
	s.listed(addrs, s.now, s.now)
	s.sweep(s.now)
	if len(s.gone) > maxMembers || len(s.places) > maxMembers {
		t.Errorf("%d remembered, %d places", len(s.gone), len(s.places))
	}
}
