package providercredential

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/proxy/provider"
)

// offering is an outcome with a list of models.
func offering(ids ...string) Outcome {
	list := &provider.ModelList{Provider: "Groq", Complete: true}
	for _, id := range ids {
		list.Models = append(list.Models, provider.ListedModel{ID: id})
	}
	return Outcome{Result: Answered, List: list, ListAsked: noon()}
}

// askAt makes one probe of an endpoint end with an outcome, and waits until the prober has it.
func askAt(t *testing.T, prober *Prober, started <-chan asked, endpoint string, outcome Outcome) {
	t.Helper()
	ended := listen(t, prober.Source())
	prober.Probe(name("a"), Request{Subject: Subject{Provider: "Groq", Account: provider.Account{Endpoint: endpoint}}, Timeout: time.Hour})
	receive(t, started).answer <- outcome
	_, _ = ended.Get()
}

func TestProberKeepsLists(t *testing.T) {
	cases := map[string]struct {
		second   Outcome
		endpoint string
		want     []string
	}{
		"a failing probe":          {second: Outcome{Result: NoAnswer}, want: []string{"x"}},
		"a probe without the list": {second: Outcome{Result: Answered}, want: []string{"x"}},
		"another list":             {second: offering("y"), want: []string{"y"}},
		"another endpoint":         {second: Outcome{Result: NoAnswer}, endpoint: "https://other.example"},
	}
	for title, tc := range cases {
		t.Run(title, func(t *testing.T) {
			prober, started, _ := newProber(t)
			askAt(t, prober, started, "", offering("x"))
			askAt(t, prober, started, tc.endpoint, tc.second)
			var got []string
			for _, model := range prober.Lists("team-a")["a"].Models {
				got = append(got, model.ID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("models (-want +got):\n%s", diff)
			}
			if _, latest := prober.Outcomes(name("a")); latest.ListAsked.IsZero() != (tc.want == nil) {
				t.Errorf("the list was asked for at %s", latest.ListAsked)
			}
		})
	}
}

func TestProberForgetsLists(t *testing.T) {
	prober, started, _ := newProber(t)
	askAt(t, prober, started, "", offering("x"))
	if others := prober.Lists("team-b"); len(others) != 0 {
		t.Errorf("another namespace has %v", others)
	}
	prober.Forget(name("a"))
	if lists := prober.Lists("team-a"); len(lists) != 0 {
		t.Errorf("the lists are %v", lists)
	}
}

// TestProberTellsOfChangedLists counts requests: every probe that brought the same list again would have the namespace's table compiled anew.
func TestProberTellsOfChangedLists(t *testing.T) {
	prober, started, _ := newProber(t)
	told := listen(t, prober.ChangeSource(func(_ context.Context, namespace string) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: namespace}}}
	}))
	steps := []struct {
		name    string
		outcome Outcome
		told    bool
	}{
		{"the first word of a key", Outcome{Result: Answered}, true},
		{"the first list", offering("x"), true},
		{"the same list", offering("x"), false},
		{"an outage", Outcome{Result: NoAnswer}, false},
		{"the same list after it", offering("x"), false},
		{"another list", offering("x", "y"), true},
	}
	for _, step := range steps {
		askAt(t, prober, started, "", step.outcome)
		if step.told {
			request, _ := told.Get()
			told.Done(request)
			if request.Name != "team-a" {
				t.Errorf("%s: asked to look at %s", step.name, request)
			}
		}
		if told.Len() != 0 {
			t.Errorf("%s: told of a change", step.name)
		}
	}
}

func TestListIsAskedForWhenDue(t *testing.T) {
	earlier := func(ago time.Duration) Outcome {
		outcome := answered(provider.KeyValid, provider.Healthy)
		outcome.ListAsked = noon().Add(-ago)
		return outcome
	}
	elsewhere := earlier(time.Minute)
	elsewhere.Subject = subject()
	elsewhere.Subject.Endpoint = "https://other.example"
	rotated := earlier(time.Minute)
	rotated.Subject = subject()
	rotated.Subject.Fingerprint = "another"
	cases := map[string]struct {
		change func(*input)
		want   bool
	}{
		"at first":                {func(*input) {}, true},
		"never asked":             {probed(time.Hour, answered(provider.KeyValid, provider.Healthy)), true},
		"lately":                  {probed(time.Hour, earlier(9*time.Minute)), false},
		"long ago":                {probed(time.Hour, earlier(10*time.Minute)), true},
		"elsewhere":               {probed(time.Hour, elsewhere), true},
		"lately with another key": {probed(time.Hour, rotated), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			planned := makePlan(newInput(tc.change))
			if len(planned.probes) != 1 || planned.probes[0].List != tc.want {
				t.Errorf("planned %+v, want the list: %v", planned.probes, tc.want)
			}
		})
	}
}
