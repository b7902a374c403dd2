package providercredential

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

const baseURL = "https://models.example"

func subject() Subject {
	return Subject{Provider: "OpenAICompatible", Account: provider.Account{Endpoint: baseURL}, Fingerprint: "0123456789ab"}
}

// newInput is a credential of generation 2 that compiles and was not probed yet.
func newInput(changes ...func(*input)) *input {
	credential := controllertest.Credential("team-a", "provider")
	credential.Generation, credential.UID = 2, "uid-1"
	credential.Spec.Endpoint = baseURL
	credential.Spec.Probe = v1alpha1.ProbePolicy{Interval: metav1.Duration{Duration: time.Minute}, Timeout: metav1.Duration{Duration: 5 * time.Second}}
	in := &input{
		credential: credential, now: noon(),
		entry:  &table.Credential{Provider: "OpenAICompatible", Endpoint: baseURL, Keys: []table.Key{{Name: "primary", Value: "sk-one", Fingerprint: "0123456789ab"}}},
		report: compile.ObjectReport{Generation: 2, Served: 2, Values: []compile.KeyValue{{Name: "primary", Fingerprint: "0123456789ab"}}},
		keys:   []compile.KeyReport{{Name: "primary", Fingerprint: "0123456789ab", State: v1alpha1.KeyActive}},
	}
	for _, change := range changes {
		change(in)
	}
	return in
}

// probed is a change: the last probe ended ago, with that outcome.
func probed(ago time.Duration, outcome Outcome) func(*input) {
	return func(in *input) {
		outcome.At = in.now.Add(-ago)
		if outcome.Subject == (Subject{}) {
			outcome.Subject = subject()
		}
		outcome.follow(Outcome{})
		in.outcomes, in.latest = map[string]Outcome{outcome.Subject.Fingerprint: outcome}, outcome
	}
}

func answered(key provider.KeyState, health provider.Health) Outcome {
	return Outcome{Result: Answered, HTTPStatus: 200, Latency: 40 * time.Millisecond, Verdict: provider.Verdict{Key: key, Health: health}, Message: "the answer"}
}

// failingSince lets the status say since when the provider has failed.
func failingSince(ago time.Duration) func(*input) {
	return func(in *input) {
		in.credential.Status.Endpoint = baseURL
		in.credential.Status.Health = &v1alpha1.ProviderHealth{
			State: v1alpha1.HealthDown, Reason: v1alpha1.ReasonProbeFailed, Since: metav1.NewTime(in.now.Add(-ago)),
		}
	}
}

func broken(condition, reason string) func(*input) {
	return func(in *input) {
		in.entry = nil
		in.report.Findings = []compile.Finding{{Condition: condition, Reason: reason, Message: "do something"}}
		in.keys = []compile.KeyReport{{Name: "primary", State: v1alpha1.KeyMissing, Message: "do something"}}
	}
}

func keyless(in *input) {
	in.credential.Spec.Auth = v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}}
	in.entry.Keys, in.entry.Keyless, in.report.Values, in.keys = nil, true, nil, nil
}

func summarise(conditions []metav1.Condition) string {
	var lines []string
	for _, condition := range conditions {
		lines = append(lines, condition.Type+"="+string(condition.Status)+" "+condition.Reason)
	}
	return strings.Join(lines, ", ")
}

func TestConditions(t *testing.T) {
	cases := map[string]struct {
		in   *input
		want string
	}{
		"not probed yet": {
			in:   newInput(),
			want: "Ready=Unknown Pending, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown Pending, Healthy=Unknown Pending, Rotating=False Settled",
		},
		"the provider took the key": {
			in:   newInput(probed(0, answered(provider.KeyValid, provider.Healthy))),
			want: "Ready=True Ready, ResolvedRefs=True ResolvedRefs, KeyValid=True KeyAccepted, Healthy=True ProbeSucceeded, Rotating=False Settled",
		},
		"the provider refused the key": {
			in:   newInput(probed(0, answered(provider.KeyInvalid, provider.Healthy))),
			want: "Ready=False KeyRejected, ResolvedRefs=True ResolvedRefs, KeyValid=False KeyRejected, Healthy=False KeyRejected, Rotating=False Settled",
		},
		"the provider is ill": {
			in:   newInput(probed(0, answered(provider.KeyUnknown, provider.Unhealthy))),
			want: "Ready=False ProbeFailed, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown ProbeInconclusive, Healthy=False ProbeFailed, Rotating=False Settled",
		},
		"the answer tells nothing": {
			in:   newInput(probed(0, answered(provider.KeyUnknown, provider.HealthUnknown))),
			want: "Ready=True Ready, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown ProbeInconclusive, Healthy=Unknown ProbeInconclusive, Rotating=False Settled",
		},
		"no answer": {
			in:   newInput(probed(0, Outcome{Result: NoAnswer, Message: "connection refused"})),
			want: "Ready=False Unreachable, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown ProbeInconclusive, Healthy=False Unreachable, Rotating=False Settled",
		},
		"the manager may not ask": {
			in:   newInput(probed(0, Outcome{Result: NotPermitted, Message: "not permitted"})),
			want: "Ready=True Ready, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown ProbeNotPermitted, Healthy=Unknown ProbeNotPermitted, Rotating=False Settled",
		},
		"no key is needed": {
			in: newInput(keyless, probed(0, Outcome{
				Subject: Subject{Provider: "OpenAICompatible", Account: provider.Account{Endpoint: baseURL}}, Result: Answered, Verdict: provider.Verdict{Key: provider.KeyValid, Health: provider.Healthy},
			})),
			want: "Ready=True Ready, ResolvedRefs=True ResolvedRefs, KeyValid=True NoKeyNeeded, Healthy=True ProbeSucceeded, Rotating=False Settled",
		},
		"the Secret is missing": {
			in:   newInput(broken(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound)),
			want: "Ready=False SecretNotFound, ResolvedRefs=False SecretNotFound, KeyValid=Unknown Pending, Healthy=Unknown Pending, Rotating=False Settled",
		},
		"the endpoint is denied": {
			in:   newInput(broken(v1alpha1.ConditionReady, v1alpha1.ReasonEndpointDenied)),
			want: "Ready=False EndpointDenied, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown Pending, Healthy=Unknown Pending, Rotating=False Settled",
		},
		"the last probe was of another key": {
			in:   newInput(probed(0, Outcome{Subject: Subject{Fingerprint: "another"}, Result: Answered, Verdict: provider.Verdict{Key: provider.KeyValid}})),
			want: "Ready=Unknown Pending, ResolvedRefs=True ResolvedRefs, KeyValid=Unknown Pending, Healthy=Unknown Pending, Rotating=False Settled",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			built := makeStatus(tc.in)
			if diff := cmp.Diff(tc.want, summarise(built.Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			for _, condition := range built.Conditions {
				if condition.ObservedGeneration != 2 {
					t.Errorf("condition %+v", condition)
				}
			}
			if built.ObservedGeneration != 2 {
				t.Errorf("the status is of generation %d", built.ObservedGeneration)
			}
		})
	}
}

func TestProbesWhenDue(t *testing.T) {
	good, bad := answered(provider.KeyValid, provider.Healthy), answered(provider.KeyUnknown, provider.Unhealthy)
	cases := map[string]struct {
		in        *input
		probe     bool
		least     time.Duration
		most      time.Duration
		wantNoKey bool
	}{
		"never probed":               {in: newInput(), probe: true, least: time.Minute, most: 2 * time.Minute},
		"just probed":                {in: newInput(probed(0, good)), least: 54 * time.Second, most: 66 * time.Second},
		"failed for the first time":  {in: newInput(probed(0, bad)), least: 4 * time.Second, most: 6 * time.Second},
		"has failed for a while":     {in: newInput(probed(0, bad), failingSince(20*time.Second)), least: 18 * time.Second, most: 22 * time.Second},
		"has failed for long":        {in: newInput(probed(0, bad), failingSince(time.Hour)), least: 54 * time.Second, most: 66 * time.Second},
		"probed long ago":            {in: newInput(probed(2*time.Minute, good)), probe: true, least: time.Minute, most: 2 * time.Minute},
		"another key was probed":     {in: newInput(probed(0, Outcome{Subject: Subject{Account: provider.Account{Endpoint: baseURL}, Provider: "OpenAICompatible", Fingerprint: "x"}})), probe: true, least: time.Minute, most: 2 * time.Minute},
		"another endpoint was":       {in: newInput(probed(0, Outcome{Subject: Subject{Account: provider.Account{Endpoint: "https://x"}, Provider: "OpenAICompatible", Fingerprint: "0123456789ab"}})), probe: true, least: time.Minute, most: 2 * time.Minute},
		"the Secret is missing":      {in: newInput(broken(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonSecretNotFound), func(in *input) { in.incomplete = true }), least: secrets.RecheckAfter, most: secrets.RecheckAfter},
		"the endpoint is denied":     {in: newInput(broken(v1alpha1.ConditionReady, v1alpha1.ReasonEndpointDenied))},
		"without the API's defaults": {in: newInput(func(in *input) { in.credential.Spec.Probe = v1alpha1.ProbePolicy{} }), probe: true, least: time.Minute, most: 2 * time.Minute},
		"no key is needed":           {in: newInput(keyless), probe: true, least: time.Minute, most: 2 * time.Minute, wantNoKey: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			planned := makePlan(tc.in)
			if (len(planned.probes) == 1) != tc.probe {
				t.Fatalf("the probes are %+v", planned.probes)
			}
			if planned.next < tc.least || planned.next > tc.most {
				t.Errorf("the next look is in %s, want %s to %s", planned.next, tc.least, tc.most)
			}
			for _, probe := range planned.probes {
				if (probe.key == nil) != tc.wantNoKey || probe.Timeout <= 0 || probe.Endpoint != baseURL {
					t.Errorf("the probe is of %+v within %s", probe.Subject, probe.Timeout)
				}
			}
		})
	}
}

func TestAnEarlierProcessIsRemembered(t *testing.T) {
	before := newInput(probed(0, answered(provider.KeyValid, provider.Healthy)))
	written := makeStatus(before)
	restarted := func(changes ...func(*input)) *input {
		in := newInput(changes...)
		in.credential.Status = written
		in.now = noon().Add(10 * time.Second)
		return in
	}
	planned := makePlan(restarted())
	if len(planned.probes) > 0 {
		t.Error("what was probed a moment ago is probed again")
	}
	if diff := cmp.Diff(written, planned.status); diff != "" {
		t.Errorf("status (-before +after):\n%s", diff)
	}
	for name, in := range map[string]*input{
		"another key":        restarted(func(in *input) { in.entry.Keys[0].Fingerprint = "x" }),
		"another endpoint":   restarted(func(in *input) { in.entry.Endpoint = "https://x" }),
		"another generation": restarted(func(in *input) { in.credential.Generation = 3 }),
	} {
		planned := makePlan(in)
		if len(planned.probes) == 0 {
			t.Errorf("%s is not probed", name)
		}
		if found := meta.FindStatusCondition(planned.status.Conditions, v1alpha1.ConditionKeyValid); found.Status != metav1.ConditionUnknown {
			t.Errorf("with %s KeyValid is %s", name, found.Status)
		}
	}
	late := restarted()
	late.now = noon().Add(time.Hour)
	if len(makePlan(late).probes) == 0 {
		t.Error("what was probed an hour ago is not probed")
	}
}

func TestKeysAndHealth(t *testing.T) {
	in := newInput(probed(0, answered(provider.KeyValid, provider.Healthy)))
	first := makeStatus(in)
	since := metav1.NewTime(noon())
	wantKeys := []v1alpha1.ProviderKeyStatus{{Name: "primary", Fingerprint: "0123456789ab", State: v1alpha1.KeyActive, Since: since}}
	if diff := cmp.Diff(wantKeys, first.Keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	latency := int64(40)
	wantHealth := &v1alpha1.ProviderHealth{
		State: v1alpha1.HealthHealthy, Reason: v1alpha1.ReasonProbeSucceeded, Message: "the provider answered", Since: since,
		LastProbe: metav1.NewTime(noon()), LatencyMilliseconds: &latency, HTTPStatus: 200,
	}
	if diff := cmp.Diff(wantHealth, first.Health); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	in.credential.Status = first
	in.now = noon().Add(time.Minute)
	probed(0, answered(provider.KeyInvalid, provider.Healthy))(in)
	in.keys[0].State, in.entry.Keys[0].Refused = v1alpha1.KeyRejected, true
	second := makeStatus(in)
	wantKeys[0].State, wantKeys[0].Message = v1alpha1.KeyRejected, "the answer; the key is used only while there is no other"
	wantKeys[0].Since = metav1.NewTime(noon().Add(time.Minute))
	if diff := cmp.Diff(wantKeys, second.Keys); diff != "" {
		t.Errorf("keys of a refused key (-want +got):\n%s", diff)
	}
	in.credential.Status = second
	in.now = noon().Add(2 * time.Minute)
	if diff := cmp.Diff(wantKeys, makeStatus(in).Keys); diff != "" {
		t.Errorf("keys that stay refused (-want +got):\n%s", diff)
	}
}

func TestJitterIsBoundedAndStable(t *testing.T) {
	in := newInput()
	different := map[time.Duration]bool{}
	for second := range 200 {
		last := noon().Add(time.Duration(second) * time.Second)
		got := in.jittered(last, time.Minute)
		if got < 54*time.Second || got > 66*time.Second {
			t.Fatalf("the interval is %s", got)
		}
		if again := in.jittered(last, time.Minute); again != got {
			t.Fatalf("the interval is %s, then %s", got, again)
		}
		different[got] = true
	}
	if len(different) < 5 {
		t.Errorf("only %d different intervals", len(different))
	}
}
