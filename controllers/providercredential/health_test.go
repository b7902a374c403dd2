package providercredential

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/window"
)

type factsAtHand struct{}

func (factsAtHand) Facts() (apiserver.Facts, bool) { return apiserver.Facts{}, true }

// behaviour is what a provider does to calls and to probes.
type behaviour struct {
	calls      window.Ending
	firstToken time.Duration
	limited    bool // for long enough to count
	probe      Outcome
}

// healthWorld is a reconciler over stored objects whose clock the test moves, and a provider that behaves as the test says.
type healthWorld struct {
	t          *testing.T
	reconciler *Reconciler
	clock      *testclock.FakeClock
	client     client.WithWatch
	events     *events.FakeRecorder
	now        behaviour
	window     window.Window
	rate       int
	writes     []time.Time
}

func (w *healthWorld) elapsed() time.Duration { return w.clock.Since(noon()) }

// Credential is a part of Traffic.
func (w *healthWorld) Credential(string, string) fleet.Credential {
	var read window.Reading
	w.window.AddTo(&read, w.elapsed())
	known := fleet.Credential{
		Proxies: 1, Brief: read.Brief, Short: read.Short, Minute: read.Minute, FirstToken: read.FirstToken, BriefFirstToken: read.BriefFirstToken, Rate: read.Rate,
	}
	if read.Minute.Total() > 0 {
		key := fleet.Key{Fingerprint: w.fingerprint(), Proxies: 1, Requests: fleet.Unknown, Tokens: fleet.Unknown}
		if w.now.limited {
			key.Limited = 1
		}
		known.Keys = []fleet.Key{key}
	}
	return known
}

// CredentialSource is a part of Traffic.
func (w *healthWorld) CredentialSource() source.Source { return nil }

func (w *healthWorld) fingerprint() string {
	stored := w.stored()
	if len(stored.Status.Keys) == 0 {
		return ""
	}
	return stored.Status.Keys[0].Fingerprint
}

func newHealthWorld(t *testing.T) *healthWorld {
	t.Helper()
	w := &healthWorld{t: t, clock: testclock.NewFakeClock(noon()), events: events.NewFakeRecorder(1000), rate: 10}
	w.client = fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithStatusSubresource(&v1alpha1.ProviderCredential{}).WithObjects(
		controllertest.Credential("team-a", "groq"), controllertest.KeySecret("team-a", "provider-key", "sk-one"),
	).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, next client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			w.writes = append(w.writes, w.clock.Now())
			return next.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	}).Build()
	labelled := func(label, value string) client.Reader {
		return controllertest.Labelled{Reader: w.client, Label: label, Value: value}
	}
	ask := func(_ context.Context, _ string, request Request) Outcome {
		outcome := w.now.probe
		outcome.Subject, outcome.At = request.Subject, w.clock.Now()
		return outcome
	}
	w.reconciler = &Reconciler{
		Client: w.client, Lookup: secrets.NewLookup(labelled(v1alpha1.LabelProviderKey, "true"), w.client, w.clock), Facts: factsAtHand{},
		Config: &platform.Config{ClusterDomain: "cluster.local"}, Prober: NewProber(ask),
		Tables:  report.NewReader(labelled(v1alpha1.LabelManagedBy, v1alpha1.ManagedByValue)),
		Traffic: w, Status: status.Writer{Client: w.client, Events: w.events}, Clock: w.clock,
	}
	return w
}

func (w *healthWorld) stored() *v1alpha1.ProviderCredential {
	w.t.Helper()
	var credential v1alpha1.ProviderCredential
	if err := w.client.Get(w.t.Context(), types.NamespacedName{Namespace: "team-a", Name: "groq"}, &credential); err != nil {
		w.t.Fatal(err)
	}
	return &credential
}

func (w *healthWorld) reconcile() {
	w.t.Helper()
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "team-a", Name: "groq"}}
	for range 2 { // the second one hears of the probe that the first one began
		if _, err := w.reconciler.Reconcile(w.t.Context(), request); err != nil {
			w.t.Fatal(err)
		}
		w.reconciler.Prober.probes.Wait()
	}
}

// second lets calls be made for a second, and the reconciler look at what became of them.
func (w *healthWorld) second() {
	w.clock.Step(time.Second)
	for range w.rate {
		w.window.Count(w.elapsed(), w.now.calls)
		if w.now.calls == window.Answered {
			w.window.FirstToken(w.elapsed(), w.now.firstToken)
		}
	}
	w.reconcile()
}

// TestStatusFollowsAProvider: whatever happens to a provider under load, the status says so within ten seconds, with the right reason, goes back within ten
// seconds, and is written at most every five.
func TestStatusFollowsAProvider(t *testing.T) {
	healthy := behaviour{firstToken: 200 * time.Millisecond, probe: answered(provider.KeyValid, provider.Healthy)}
	ill := Outcome{Result: Answered, HTTPStatus: 500, Verdict: provider.Verdict{Key: provider.KeyUnknown, Health: provider.Unhealthy}, Message: "the provider is failing (status 500)"}
	cases := map[string]struct {
		behaviour
		state  v1alpha1.HealthState
		reason string
		event  string
	}{
		"slow":                    {behaviour{firstToken: 12 * time.Second, probe: healthy.probe}, v1alpha1.HealthDegraded, v1alpha1.ReasonSlow, "Warning Slow Degraded: "},
		"failing":                 {behaviour{calls: window.Failed, probe: ill}, v1alpha1.HealthDown, v1alpha1.ReasonCallsFail, "Warning CallsFail Healthy: "},
		"rate-limited":            {behaviour{calls: window.Limited, limited: true, probe: healthy.probe}, v1alpha1.HealthRateLimited, v1alpha1.ReasonRateLimited, "Warning RateLimited Healthy: "},
		"unreachable":             {behaviour{calls: window.Unreachable, probe: Outcome{Result: NoAnswer, Message: "connection refused"}}, v1alpha1.HealthDown, v1alpha1.ReasonUnreachable, "Warning Unreachable Healthy: "},
		"failing, but for probes": {behaviour{calls: window.Failed, probe: healthy.probe}, v1alpha1.HealthDegraded, v1alpha1.ReasonProbeContradicted, "Warning ProbeContradicted Degraded: "},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newHealthWorld(t)
			w.now = healthy
			w.reconcile()
			for range 65 {
				w.second()
			}
			for round := range 3 {
				w.expect(tc.behaviour, tc.state, tc.reason, round)
				w.expect(healthy, v1alpha1.HealthHealthy, v1alpha1.ReasonProbeSucceeded, round)
			}
			w.expectPace()
			if all := w.told(); strings.Count(all, tc.event) != 3 || strings.Count(all, "Normal ProbeSucceeded Healthy again: ") != 3 {
				t.Errorf("events:\n%s", all)
			}
		})
	}
}

// expect lets the provider behave so for a while.
func (w *healthWorld) expect(how behaviour, state v1alpha1.HealthState, reason string, round int) {
	w.t.Helper()
	w.now = how
	for range 10 {
		w.second()
	}
	for range 20 {
		if health := w.stored().Status.Health; health.State != state || health.Reason != reason {
			w.t.Fatalf("round %d: after %s it is %s, %s: %s; want %s, %s", round, w.elapsed(), health.State, health.Reason, health.Message, state, reason)
		}
		w.second()
	}
}

// expectPace wants five seconds between writes, those of the first moment aside, when nothing was known.
func (w *healthWorld) expectPace() {
	w.t.Helper()
	for i := 1; i < len(w.writes); i++ {
		if gap := w.writes[i].Sub(w.writes[i-1]); gap < writeInterval && w.writes[i-1].After(noon()) {
			w.t.Errorf("written at %s and %s later", w.writes[i-1], gap)
		}
	}
}

func (w *healthWorld) told() string {
	var all []string
	for len(w.events.Events) > 0 {
		all = append(all, <-w.events.Events)
	}
	return strings.Join(all, "\n")
}

// TestAStillProviderIsSeldomWritten: an hour of the same load takes a write for each probe at most, and no event.
func TestAStillProviderIsSeldomWritten(t *testing.T) {
	w := newHealthWorld(t)
	w.now = behaviour{firstToken: 200 * time.Millisecond, probe: answered(provider.KeyValid, provider.Healthy)}
	w.reconcile()
	for range 120 {
		w.second()
	}
	w.told()
	before := len(w.writes)
	for range 600 {
		w.second()
	}
	if got := len(w.writes) - before; got > 12 {
		t.Errorf("ten minutes took %d writes", got)
	}
	if got := w.told(); got != "" {
		t.Errorf("events:\n%s", got)
	}
}

// TestFiguresWaitForAChangeInSight: what is written a moment before the state changes would keep the change from being written.
func TestFiguresWaitForAChangeInSight(t *testing.T) {
	cases := map[string]struct {
		have, want v1alpha1.HealthState
		written    time.Duration // ago
		unsettled  time.Duration // for so long; 0 for not at all
		wait       time.Duration
	}{
		"well, and nothing else is in sight": {have: v1alpha1.HealthHealthy, want: v1alpha1.HealthHealthy, written: figuresInterval},
		"written just now":                   {have: v1alpha1.HealthHealthy, want: v1alpha1.HealthHealthy, written: time.Second, wait: figuresInterval - time.Second},
		"a change is in sight":               {have: v1alpha1.HealthHealthy, want: v1alpha1.HealthHealthy, written: time.Hour, unsettled: time.Second, wait: unsettledFor - time.Second},
		"and has been for long":              {have: v1alpha1.HealthHealthy, want: v1alpha1.HealthHealthy, written: time.Hour, unsettled: time.Hour},
		"not well":                           {have: v1alpha1.HealthDown, want: v1alpha1.HealthDown, written: figuresInterval, wait: troubleInterval - figuresInterval},
		"the change comes":                   {have: v1alpha1.HealthHealthy, want: v1alpha1.HealthDown, written: writeInterval, unsettled: time.Second},
		"it comes soon after a write":        {have: v1alpha1.HealthHealthy, want: v1alpha1.HealthDown, written: time.Second, unsettled: time.Second, wait: writeInterval - time.Second},
		"the first state":                    {have: v1alpha1.HealthUnknown, want: v1alpha1.HealthDown},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			named := types.NamespacedName{Namespace: "team-a", Name: "groq"}
			in := newInput()
			in.credential.Status.Health = &v1alpha1.ProviderHealth{State: tc.have}
			want := in.credential.Status.DeepCopy()
			want.Health = &v1alpha1.ProviderHealth{State: tc.want, Requests: ptr.To[int64](9)}
			if tc.unsettled > 0 {
				in.health.UnsettledSince = in.now.Add(-tc.unsettled)
			}
			var r Reconciler
			r.pace.Wrote(named, in.now.Add(-tc.written))
			if got := r.wait(named, in, want); got != tc.wait {
				t.Errorf("waits %s, want %s", got, tc.wait)
			}
		})
	}
}
