package ledger

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

func TestSubject(t *testing.T) {
	app := Caller{Namespace: "team-a", ServiceAccount: "app"}
	stranger := Caller{Namespace: "team-b", ServiceAccount: "app"}
	trusted := []table.CallerMatch{{Namespace: "team-a"}}
	users := table.Budget{Counter: table.CountPerEndUser, TrustedCallers: trusted}
	tags := table.Budget{Counter: table.CountPerTag, TagKey: "project", TrustedCallers: trusted}
	longIssuer, longUser := strings.Repeat("i", 63), strings.Repeat("u", 256)
	project := []table.Tag{{Key: "other", Value: "no"}, {Key: "project", Value: "apollo"}}
	for name, tc := range map[string]struct {
		budget table.Budget
		by     Claimant
		want   string
	}{
		"shared":          {table.Budget{}, Claimant{Caller: app, EndUser: "ann"}, ""},
		"service account": {table.Budget{Counter: table.CountPerCaller}, Claimant{Caller: app}, "serviceaccount:team-a/app"},
		"access key":      {table.Budget{Counter: table.CountPerCaller}, Claimant{Caller: Caller{AccessKey: "laptop"}}, "accesskey:laptop"},
		"user":            {table.Budget{Counter: table.CountPerCaller}, Claimant{Caller: Caller{Issuer: "corp", User: "ada@example.com"}}, "user:corp/ada@example.com"},
		"user with the longest names": {
			table.Budget{Counter: table.CountPerCaller}, Claimant{Caller: Caller{Issuer: longIssuer, User: longUser}}, "user:" + longIssuer + "/" + longUser,
		},
		"nobody":                        {table.Budget{Counter: table.CountPerCaller}, Claimant{}, SubjectUntrusted},
		"end user":                      {users, Claimant{Caller: app, EndUser: "ann"}, "ann"},
		"end user of a stranger":        {users, Claimant{Caller: stranger, EndUser: "ann"}, SubjectUntrusted},
		"no end user":                   {users, Claimant{Caller: app}, SubjectUntrusted},
		"end user called as the rest":   {users, Claimant{Caller: app, EndUser: SubjectOthers}, "*" + SubjectOthers},
		"end user called as a hash":     {users, Claimant{Caller: app, EndUser: "#1"}, "*#1"},
		"tag":                           {tags, Claimant{Caller: app, Tags: project}, "apollo"},
		"tag of a stranger":             {tags, Claimant{Caller: stranger, Tags: project}, SubjectUntrusted},
		"other tag":                     {tags, Claimant{Caller: app, Tags: project[:1]}, SubjectUntrusted},
		"end user that is no text":      {users, Claimant{Caller: app, EndUser: "\xff"}, hashed("\xff")},
		"end user with a name too long": {users, Claimant{Caller: app, EndUser: strings.Repeat("x", 401)}, hashed(strings.Repeat("x", 401))},
	} {
		t.Run(name, func(t *testing.T) {
			handle := &Budget{Budget: &tc.budget}
			if got := handle.subject(handle.who(&tc.by)); got != tc.want {
				t.Errorf("subject %q; want %q", got, tc.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	app := Caller{Namespace: "team-a", ServiceAccount: "app"}
	trusted := []table.CallerMatch{{ServiceAccount: "team-a/app"}}
	tag := table.Tag{Key: "project", Value: "apollo"}
	for name, tc := range map[string]struct {
		budget table.Budget
		by     Claimant
		want   bool
	}{
		"everything":             {table.Budget{}, Claimant{}, true},
		"other route":            {table.Budget{Routes: []string{"embed"}}, Claimant{Caller: app}, false},
		"tag":                    {table.Budget{Tags: []table.Tag{tag}, TrustedCallers: trusted}, Claimant{Caller: app, Tags: []table.Tag{tag}}, true},
		"tag that is not there":  {table.Budget{Tags: []table.Tag{tag}, TrustedCallers: trusted}, Claimant{Caller: app}, false},
		"one tag of two":         {table.Budget{Tags: []table.Tag{tag, {Key: "x"}}, TrustedCallers: trusted}, Claimant{Caller: app, Tags: []table.Tag{tag}}, false},
		"tag of a stranger":      {table.Budget{Tags: []table.Tag{tag}}, Claimant{Caller: app, Tags: []table.Tag{tag}}, false},
		"end user":               {table.Budget{EndUsers: []string{"ann", "bob"}, TrustedCallers: trusted}, Claimant{Caller: app, EndUser: "bob"}, true},
		"other end user":         {table.Budget{EndUsers: []string{"ann"}, TrustedCallers: trusted}, Claimant{Caller: app, EndUser: "bob"}, false},
		"end user of a stranger": {table.Budget{EndUsers: []string{"ann"}, TrustedCallers: trusted}, Claimant{EndUser: "ann"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&Budget{Budget: &tc.budget}).Counts("chat", &tc.by); got != tc.want {
				t.Errorf("Counts = %t; want %t", got, tc.want)
			}
		})
	}
}

func TestDocumentName(t *testing.T) {
	long := strings.Repeat("x", maxDocumentSubject+1)
	for name, tc := range map[string]struct{ subject, want string }{
		"shared":  {"", "l"},
		"subject": {"a/b", "l/a/b"},
		"long":    {long, "l/" + hashed(long)},
	} {
		t.Run(name, func(t *testing.T) {
			got := DocumentName("l", tc.subject)
			ledger, subject := SplitDocument(got)
			if got != tc.want || ledger != "l" || len(tc.subject) <= maxDocumentSubject && subject != tc.subject {
				t.Errorf("DocumentName = %q, split into %q and %q; want %q", got, ledger, subject, tc.want)
			}
		})
	}
}

// perUser is a budget of 100 for each end user, and of 250 for one of them, with three counters at most.
func perUser(b *table.Budget) {
	b.Counter, b.MaxCounters, b.Limits = table.CountPerEndUser, 3, map[string]int64{"ann": 250}
	b.TrustedCallers = []table.CallerMatch{{Namespace: "team-a"}}
}

// as makes a call for an end user.
func (r *replica) as(t *testing.T, b *table.Budget, user string, nano int64) *Refusal {
	t.Helper()
	reservation := &Reservation{}
	by := &Claimant{Caller: Caller{Namespace: "team-a", ServiceAccount: "app"}, EndUser: user}
	refusal := r.book.Reserve(t.Context(), time.Now(), []*Budget{at(r.book, b)}, by, Ask{Nano: nano}, reservation)
	reservation.Settle(Charge{Nano: nano}, nil)
	return refusal
}

// TestCountersOfSubjects counts end users apart, and bounds how many there are.
func TestCountersOfSubjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100, perUser)
		r := start(t, "a/1", store, b)
		for i, step := range []struct {
			user string
			nano int64
			want string
		}{
			{"ann", 200, ""}, {"bob", 90, ""}, {"bob", 20, "bob"}, {"cid", 50, ""}, {"dan", 60, ""}, {"eve", 30, ""}, {"eve", 30, SubjectOthers}, {"", 100, ""}, {"", 1, SubjectUntrusted},
			{"ann", 50, ""}, {"ann", 1, "ann"},
		} {
			refusal := r.as(t, b, step.user, step.nano)
			if got := refusedBy(refusal); got != step.want {
				t.Errorf("step %d, %+v: refused by %q, %+v", i, step, got, refusal)
			}
		}
	})
}

// TestLimitsOfCallers counts callers apart, each kind with limits of its own: users of issuers as ServiceAccounts and access keys.
func TestLimitsOfCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100, func(b *table.Budget) {
			b.Counter, b.MaxCounters = table.CountPerCaller, 9
			b.Callers = []table.CallerMatch{{UserIssuer: "corp"}, {User: "lab/ada"}, {Namespace: "corp"}, {AccessKey: "ada"}}
			b.Limits = map[string]int64{"user:corp/ada": 250, "serviceaccount:corp/ada": 20, "accesskey:ada": 30}
		})
		r := start(t, "a/1", store, b)
		for _, step := range []struct {
			caller Caller
			admits int64
			name   string
		}{
			{Caller{Issuer: "corp", User: "ada"}, 250, "user:corp/ada"},
			{Caller{Issuer: "corp", User: "bob"}, 100, "user:corp/bob"},
			{Caller{Issuer: "lab", User: "ada"}, 100, "user:lab/ada"},
			{Caller{Namespace: "corp", ServiceAccount: "ada"}, 20, "serviceaccount:corp/ada"},
			{Caller{AccessKey: "ada"}, 30, "accesskey:ada"},
		} {
			by := &Claimant{Caller: step.caller}
			if handle := at(r.book, b); !handle.Counts("chat", by) {
				t.Errorf("%s is not counted", step.name)
			}
			for _, nano := range []int64{step.admits, 1} {
				reservation := &Reservation{}
				refusal := r.book.Reserve(t.Context(), time.Now(), []*Budget{at(r.book, b)}, by, Ask{Nano: nano}, reservation)
				reservation.Settle(Charge{Nano: nano}, nil)
				want := map[bool]string{true: step.name}[nano == 1]
				if got := refusedBy(refusal); got != want {
					t.Errorf("%s, %d: refused by %q, %+v; want %q", step.name, nano, got, refusal, want)
				}
			}
		}
		if stranger := (&Claimant{Caller: Caller{Issuer: "lab", User: "bob"}}); at(r.book, b).Counts("chat", stranger) {
			t.Error("another user of lab is counted")
		}
	})
}

// refusedBy is the subject whose limit was reached; empty without a refusal.
func refusedBy(refusal *Refusal) string {
	switch {
	case refusal == nil:
		return ""
	case refusal.Reason == LimitReached:
		return refusal.Subject
	default:
		return string(refusal.Reason)
	}
}

// TestCountersOfSubjectsAreKnownAgain by another replica.
func TestCountersOfSubjectsAreKnownAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, b := newMemory(), hard(100, perUser)
		first := start(t, "a/1", store, b)
		for user, nano := range map[string]int64{"ann": 200, "bob": 90, "cid": 50} {
			if refusal := first.as(t, b, user, nano); refusal != nil {
				t.Fatal(refusal)
			}
		}
		if refusal := first.as(t, b, "dan", 60); refusal != nil {
			t.Fatal(refusal)
		}
		if err := first.keeper.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := start(t, "b/1", store, b)
		after(time.Second)
		for user, left := range map[string]int64{"ann": 50, "bob": 10, "cid": 50, "zoe": 40} {
			if refusal := second.as(t, b, user, left+1); refusedBy(refusal) == "" {
				t.Errorf("%s: more than what is left was admitted", user)
			}
			if refusal := second.as(t, b, user, left); refusal != nil {
				t.Errorf("%s: %+v for what is left", user, refusal)
			}
		}
	})
}

// TestDocumentPerSubject keeps thousands of subjects, each in its own document, and gives those up that have long not called.
func TestDocumentPerSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 500
		store := &shelf{documents: map[string]*memory{}}
		b := hard(1000, perUser, func(b *table.Budget) { b.MaxCounters = users })
		r := &replica{book: NewBook("a/1")}
		r.keeper = NewKeeper(r.book, store, KeeperOptions{DocumentPerSubject: true})
		handles := r.book.Use(tableOf(b), time.Now())
		r.run(t)
		for i := range users + 1 {
			reservation := &Reservation{}
			by := &Claimant{Caller: Caller{Namespace: "team-a", ServiceAccount: "app"}, EndUser: fmt.Sprint("user-", i)}
			if refusal := r.book.Reserve(t.Context(), time.Now(), handles, by, Ask{Nano: 10}, reservation); refusal != nil {
				t.Fatalf("user %d: %+v", i, refusal)
			}
			reservation.Settle(Charge{Nano: 3}, nil)
		}
		after(30 * time.Second)
		count := store.document(DocumentName(b.Ledger, "user-7")).stood()
		if diff := cmp.Diff(Totals{Spent: 3, Requests: 1}, count.Total()); diff != "" || count.Subject != "user-7" || count.Reserved() != 0 {
			t.Errorf("the document of one user holds %+v", count)
		}
		if others := store.document(DocumentName(b.Ledger, SubjectOthers)).stood(); others.Total().Spent != 3 {
			t.Errorf("those who came last have %+v", others)
		}
		after(restAfter + time.Minute)
		if kept := len(r.book.all()); kept != 1 {
			t.Errorf("%d accounts are kept in memory", kept)
		}
	})
}
