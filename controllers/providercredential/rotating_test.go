package providercredential

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// keyed is a change: these are the values of the keys.
func keyed(keys ...compile.KeyReport) func(*input) {
	return func(in *input) { in.keys = keys }
}

func reported(fingerprint string, state v1alpha1.ProviderKeyState, reason string) compile.KeyReport {
	return compile.KeyReport{Name: "primary", Fingerprint: fingerprint, State: state, Reason: reason, Message: "because"}
}

func TestRotating(t *testing.T) {
	active, previous := reported("one", v1alpha1.KeyActive, ""), reported("zero", v1alpha1.KeyPrevious, "")
	canary := reported("two", v1alpha1.KeyCanary, "")
	rejected := reported("two", v1alpha1.KeyRejected, v1alpha1.ReasonKeyRejected)
	held, checking := reported("two", v1alpha1.KeyChecking, v1alpha1.ReasonKeyHeld), reported("two", v1alpha1.KeyChecking, v1alpha1.ReasonCheckingKey)
	cases := map[string]struct {
		keys []compile.KeyReport
		want string
	}{
		"nothing":                        {[]compile.KeyReport{active}, "False Settled"},
		"an overlap":                     {[]compile.KeyReport{active, previous}, "True Overlap"},
		"a new value":                    {[]compile.KeyReport{checking, active}, "True CheckingKey"},
		"a trial":                        {[]compile.KeyReport{active, canary}, "True Canary"},
		"a refused value":                {[]compile.KeyReport{rejected, active}, "False KeyRejected"},
		"a refused value in an overlap":  {[]compile.KeyReport{rejected, active, previous}, "False KeyRejected"},
		"a held value":                   {[]compile.KeyReport{held, active}, "False KeyHeld"},
		"a leading value that is bad":    {[]compile.KeyReport{reported("one", v1alpha1.KeyRejected, "")}, "False Settled"},
		"one is refused, one is checked": {[]compile.KeyReport{rejected, active, checking}, "True CheckingKey"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := newInput(keyed(tc.keys...)).rotating()
			if text := string(got.Status) + " " + got.Reason; text != tc.want {
				t.Errorf("got %s, want %s", text, tc.want)
			}
			if got.Reason != v1alpha1.ReasonSettled && !strings.Contains(got.Message, `"primary"`) {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}

func TestKeyFresh(t *testing.T) {
	cases := map[string]struct {
		age  time.Duration
		want string
		next time.Duration
	}{
		"young":                {time.Hour, "True WithinMaxAge", 7 * time.Hour},
		"a fifth is left":      {8 * time.Hour, "True KeyExpiring", 2 * time.Hour},
		"nearly over":          {10*time.Hour - time.Second, "True KeyExpiring", time.Second},
		"over":                 {10 * time.Hour, "False KeyExpired", 0},
		"long over":            {100 * time.Hour, "False KeyExpired", 0},
		"not yet, by a second": {8*time.Hour - time.Second, "True WithinMaxAge", time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := newInput(func(in *input) {
				in.credential.Spec.Rotation.MaxAge = &metav1.Duration{Duration: 10 * time.Hour}
				in.keys[0].FirstSeen = in.now.Add(-tc.age)
			})
			got := in.keyFresh()
			if text := string(got.Status) + " " + got.Reason; text != tc.want {
				t.Errorf("got %s, want %s", text, tc.want)
			}
			var next time.Duration
			for _, moment := range in.moments() {
				if after := moment.Sub(in.now); next == 0 || after < next {
					next = after
				}
			}
			if next != tc.next {
				t.Errorf("looks again in %s, want %s", next, tc.next)
			}
		})
	}
}

func TestKeyFreshGoesWithMaxAge(t *testing.T) {
	in := newInput(func(in *input) {
		in.credential.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionKeyFresh, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonWithinMaxAge}}
	})
	for _, condition := range makeStatus(in).Conditions {
		if condition.Type == v1alpha1.ConditionKeyFresh {
			t.Error("it speaks of an age that nobody asks about")
		}
	}
}

// twoKeys is a change: a second key, refused by its last probe if so, and the outcomes of both.
func twoKeys(first, second provider.KeyState) func(*input) {
	return func(in *input) {
		in.entry.Keys = append(in.entry.Keys, table.Key{Name: "spare", Value: "sk-two", Fingerprint: "ba9876543210"})
		in.report.Values = append(in.report.Values, compile.KeyValue{Name: "spare", Fingerprint: "ba9876543210"})
		in.keys = append(in.keys, compile.KeyReport{Name: "spare", Fingerprint: "ba9876543210", State: v1alpha1.KeyStandby})
		in.outcomes = map[string]Outcome{}
		for i, state := range []provider.KeyState{first, second} {
			outcome := answered(state, provider.Healthy)
			outcome.Subject, outcome.At = in.about(&in.entry.Keys[i]), in.now
			outcome.follow(Outcome{})
			in.outcomes[outcome.Subject.Fingerprint], in.latest = outcome, outcome
			if state == provider.KeyInvalid {
				in.entry.Keys[i].Refused, in.keys[i].State = true, v1alpha1.KeyRejected
			}
		}
	}
}

func TestSeveralKeys(t *testing.T) {
	cases := map[string]struct {
		first, second provider.KeyState
		valid, usable string
	}{
		"both are taken":      {provider.KeyValid, provider.KeyValid, "True KeyAccepted", "2/2"},
		"one is refused":      {provider.KeyValid, provider.KeyInvalid, "True KeyAccepted", "1/2"},
		"the first is":        {provider.KeyInvalid, provider.KeyValid, "True KeyAccepted", "1/2"},
		"both are":            {provider.KeyInvalid, provider.KeyInvalid, "False KeyRejected", "0/2"},
		"nothing is told":     {provider.KeyUnknown, provider.KeyUnknown, "Unknown ProbeInconclusive", "2/2"},
		"one is, one unknown": {provider.KeyInvalid, provider.KeyUnknown, "Unknown ProbeInconclusive", "1/2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := newInput(twoKeys(tc.first, tc.second))
			got := in.keyValid()
			if text := string(got.Status) + " " + got.Reason; text != tc.valid {
				t.Errorf("KeyValid is %s, want %s", text, tc.valid)
			}
			if named := strings.Contains(got.Message, "is refused"); named != (tc.valid == "True KeyAccepted" && tc.usable == "1/2") {
				t.Errorf("message %q", got.Message)
			}
			if usable := in.usableKeys(); usable != tc.usable {
				t.Errorf("usable %s, want %s", usable, tc.usable)
			}
		})
	}
}

func TestKeysThatProxiesLeaveAlone(t *testing.T) {
	cases := map[string]struct {
		seen fleet.Key
		want v1alpha1.ProviderKeyState
	}{
		"nobody does":  {fleet.Key{Proxies: 2}, v1alpha1.KeyActive},
		"some do":      {fleet.Key{Proxies: 2, Refused: 1}, v1alpha1.KeyActive},
		"all do":       {fleet.Key{Proxies: 2, Refused: 1, Limited: 1}, v1alpha1.KeyCoolingDown},
		"its quota is": {fleet.Key{Proxies: 1, Exhausted: 1}, v1alpha1.KeyCoolingDown},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.seen.Fingerprint = "0123456789ab"
			in := newInput(func(in *input) { in.traffic.Keys = []fleet.Key{tc.seen} })
			if got := in.keyStatuses()[0]; got.State != tc.want || (got.Message == "") != (tc.want == v1alpha1.KeyActive) {
				t.Errorf("got %+v", got)
			}
			if want := map[bool]string{true: "1/1", false: "0/1"}[tc.want == v1alpha1.KeyActive]; in.usableKeys() != want {
				t.Errorf("usable %s, want %s", in.usableKeys(), want)
			}
		})
	}
}

func TestStanding(t *testing.T) {
	at := func(after time.Duration, outcome Outcome) Outcome {
		outcome.Subject, outcome.At = subject(), noon().Add(after)
		return outcome
	}
	status := func(code int32) Outcome {
		outcome := answered(provider.KeyUnknown, provider.Unhealthy)
		outcome.HTTPStatus = code
		return outcome
	}
	good, bad, silent := answered(provider.KeyValid, provider.Healthy), answered(provider.KeyInvalid, provider.Healthy), Outcome{Result: NoAnswer}
	cases := map[string]struct {
		outcomes []Outcome
		want     string
	}{
		"taken":                          {[]Outcome{at(0, good)}, "Valid"},
		"refused":                        {[]Outcome{at(0, bad)}, "Invalid"},
		"no answer":                      {[]Outcome{at(0, silent)}, "Unknown pending"},
		"no answer for nearly a minute":  {[]Outcome{at(0, silent), at(59*time.Second, silent)}, "Unknown pending"},
		"no answer for a minute":         {[]Outcome{at(0, silent), at(time.Minute, silent)}, "Unknown"},
		"no answer afterwards":           {[]Outcome{at(0, silent), at(time.Minute, silent), at(2*time.Minute, silent)}, "Unknown"},
		"failing":                        {[]Outcome{at(0, status(503))}, "Unknown pending"},
		"rate-limited":                   {[]Outcome{at(0, status(429))}, "Unknown pending"},
		"forbidden":                      {[]Outcome{at(0, status(403))}, "Unknown"},
		"not permitted":                  {[]Outcome{at(0, Outcome{Result: NotPermitted})}, "Unknown"},
		"forbidden, then no answer":      {[]Outcome{at(0, status(403)), at(time.Second, silent)}, "Unknown"},
		"refused, then no answer":        {[]Outcome{at(0, bad), at(time.Hour, silent)}, "Invalid"},
		"refused, then forbidden":        {[]Outcome{at(0, bad), at(time.Hour, status(403))}, "Invalid"},
		"taken, then no answer":          {[]Outcome{at(0, good), at(time.Hour, silent)}, "Valid"},
		"refused, then taken":            {[]Outcome{at(0, bad), at(time.Second, good)}, "Valid"},
		"no answer, then at last a word": {[]Outcome{at(0, silent), at(time.Second, bad)}, "Invalid"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var known Outcome
			for _, outcome := range tc.outcomes {
				outcome.follow(known)
				known = outcome
			}
			verdict := known.verdict()
			got := string(verdict.State)
			if verdict.Pending {
				got += " pending"
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if verdict.Account != subject().Account || verdict.Provider != subject().Provider {
				t.Errorf("the verdict is of %+v", verdict)
			}
			elsewhere := Outcome{Subject: Subject{Provider: "Groq"}, Result: NoAnswer, At: noon()}
			if elsewhere.follow(known); elsewhere.Standing.State != provider.KeyUnknown || !elsewhere.Standing.Pending {
				t.Errorf("of another account it is known that %+v", elsewhere.Standing)
			}
		})
	}
}

func TestNewKeysAreAskedAboutAgain(t *testing.T) {
	waiting := func(outcomes ...Outcome) *input {
		return newInput(probed(0, answered(provider.KeyValid, provider.Healthy)), func(in *input) {
			in.waiting = []table.Key{{Name: "primary", Value: "sk-new", Fingerprint: "new"}}
			var known Outcome
			for _, outcome := range outcomes {
				outcome.Subject, outcome.At = in.about(&in.waiting[0]), in.now
				outcome.follow(known)
				known = outcome
			}
			if len(outcomes) > 0 {
				in.outcomes["new"] = known
			}
		})
	}
	bad := answered(provider.KeyInvalid, provider.Healthy)
	cases := map[string]struct {
		in   *input
		want time.Duration
	}{
		"pending":             {waiting(Outcome{Result: NoAnswer}), 5 * time.Second},
		"refused":             {waiting(bad), 5 * time.Second},
		"refused twice":       {waiting(bad, bad), 10 * time.Second},
		"refused three times": {waiting(bad, bad, bad), 20 * time.Second},
		"refused for ever":    {waiting(bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad, bad), time.Minute},
		"cannot be told":      {waiting(answered(provider.KeyUnknown, provider.HealthUnknown)), time.Minute},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			planned := makePlan(tc.in)
			if least, most := tc.want*89/100, tc.want*111/100; len(planned.probes) > 0 || planned.next < least || planned.next > most {
				t.Errorf("planned %d probes and a look in %s, want one in %s", len(planned.probes), planned.next, tc.want)
			}
		})
	}
	planned := makePlan(waiting())
	if len(planned.probes) != 1 || planned.probes[0].Fingerprint != "new" || len(planned.subjects) != 2 {
		t.Errorf("planned %+v", planned.probes)
	}
}

func TestProberForgetsKeysThatAreGone(t *testing.T) {
	prober, started, queue := newProber(t)
	prober.Probe(name("a"), about("1"))
	receive(t, started).answer <- Outcome{Result: Answered, Verdict: provider.Verdict{Key: provider.KeyInvalid}}
	done, _ := queue.Get()
	queue.Done(done)
	if verdicts := prober.Verdicts("team-a"); verdicts["a"]["1"].State != provider.KeyInvalid {
		t.Errorf("verdicts %+v", verdicts)
	}
	prober.Retain(name("a"), []Subject{about("2").Subject})
	if verdicts := prober.Verdicts("team-a"); len(verdicts["a"]) > 0 {
		t.Errorf("verdicts %+v", verdicts)
	}
}

func TestProberTakesTheProxiesWord(t *testing.T) {
	prober, started, queue := newProber(t)
	told := make(chan string, 10)
	listen(t, prober.ChangeSource(func(_ context.Context, namespace string) []reconcile.Request {
		told <- namespace
		return nil
	}))
	now := noon()
	ask := func(key provider.KeyState) {
		prober.Probe(name("a"), about("1"))
		receive(t, started).answer <- Outcome{Result: Answered, At: now, Verdict: provider.Verdict{Key: key}}
		done, _ := queue.Get()
		queue.Done(done)
	}
	state := func() provider.KeyState { return prober.Verdicts("team-a")["a"]["1"].State }
	ask(provider.KeyValid)
	receive(t, told)
	prober.Refuse(name("a"), about("1").Subject, now)
	receive(t, told)
	if state() != provider.KeyInvalid {
		t.Errorf("state %s after calls were refused", state())
	}
	prober.Refuse(name("a"), about("1").Subject, now)
	if len(told) > 0 {
		t.Error("the same is told twice")
	}
	done, _ := queue.Get()
	queue.Done(done)
	ask(provider.KeyUnknown)
	if state() != provider.KeyInvalid {
		t.Errorf("state %s after a probe that does not tell", state())
	}
	now = now.Add(distrust - 1)
	ask(provider.KeyValid)
	if state() != provider.KeyInvalid {
		t.Errorf("state %s after a probe that sees less than calls do", state())
	}
	now = now.Add(1)
	ask(provider.KeyValid)
	if state() != provider.KeyValid {
		t.Errorf("state %s after a good probe", state())
	}
	receive(t, told)
	prober.Refuse(name("a"), about("1").Subject, now)
	now = now.Add(2*distrust - 1)
	ask(provider.KeyValid)
	if state() != provider.KeyInvalid {
		t.Errorf("state %s when calls were refused for the second time", state())
	}
}

func TestDistrustIsBounded(t *testing.T) {
	var known Standing
	for range 100 {
		known.refuseCalls(noon())
		if left := known.trustAt.Sub(noon()); left < distrust || left > maxDistrust {
			t.Fatalf("after %d refusals probes are not believed for %s", known.callRefusals, left)
		}
	}
}

// A status that the API does not take would be no status at all.
func TestStatusHasRoomForTheKeysInUse(t *testing.T) {
	var reports []compile.KeyReport
	for i := range 16 {
		for _, state := range []v1alpha1.ProviderKeyState{v1alpha1.KeyChecking, v1alpha1.KeyActive, v1alpha1.KeyCanary, v1alpha1.KeyPrevious, v1alpha1.KeyPrevious} {
			reports = append(reports, compile.KeyReport{
				Name: fmt.Sprint("key-", i), Fingerprint: fmt.Sprint(len(reports)), State: state, Until: noon().Add(time.Duration(i) * time.Minute),
			})
		}
	}
	states := map[v1alpha1.ProviderKeyState]int{}
	keys := newInput(keyed(reports...)).keyStatuses()
	for _, key := range keys {
		states[key.State]++
	}
	want := map[v1alpha1.ProviderKeyState]int{v1alpha1.KeyChecking: 16, v1alpha1.KeyActive: 16, v1alpha1.KeyCanary: 16, v1alpha1.KeyPrevious: 16}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if last := keys[len(keys)-1]; last.State != v1alpha1.KeyPrevious || last.Name != "key-15" {
		t.Errorf("the youngest is left out rather than the oldest: %+v", last)
	}
}

func TestProberBoundsProbesOfACredential(t *testing.T) {
	prober, started, _ := newProber(t)
	for i := range probesOfCredential {
		if !prober.Probe(name("a"), about(string(rune('a'+i)))) {
			t.Fatalf("probe %d is refused", i)
		}
	}
	if prober.Probe(name("a"), about("one too many")) {
		t.Error("there is no bound")
	}
	if !prober.Probe(name("b"), about("another")) {
		t.Error("one credential delays another")
	}
	for range probesOfCredential + 1 {
		receive(t, started).answer <- Outcome{}
	}
}

func TestAges(t *testing.T) {
	clock := testclock.NewFakePassiveClock(noon())
	registry := prometheus.NewPedanticRegistry()
	ages := NewAges(registry, clock)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := ages.Start(ctx); err != nil {
		t.Fatal(err)
	}
	seen := reported("one", v1alpha1.KeyActive, "")
	seen.FirstSeen = noon().Add(-time.Minute)
	ages.set(name("a"), []compile.KeyReport{seen, reported("zero", v1alpha1.KeyPrevious, ""), reported("minus", v1alpha1.KeyPrevious, "")})
	want := `# HELP signalbox_provider_key_age_seconds Age of the key of a ProviderCredential that is in use, since it was first seen in its Secret.
# TYPE signalbox_provider_key_age_seconds gauge
signalbox_provider_key_age_seconds{credential="a",key="primary",namespace="team-a"} 60
# HELP signalbox_provider_key_values Values of a key of a ProviderCredential, by what they are used for.
# TYPE signalbox_provider_key_values gauge
signalbox_provider_key_values{credential="a",key="primary",namespace="team-a",state="Active"} 1
signalbox_provider_key_values{credential="a",key="primary",namespace="team-a",state="Previous"} 2
`
	if err := testutil.CollectAndCompare(ages, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	ages.forget(name("a"))
	if count := testutil.CollectAndCount(ages); count != 0 {
		t.Errorf("%d series of a credential that is gone", count)
	}
}

func TestStatusSpeaksOfTheTableInForce(t *testing.T) {
	in := newInput()
	in.credential.Spec.Auth.Keys[0].SecretKeyRef = v1alpha1.SecretKeyReference{Name: "provider-key", Key: "api-key"}
	in.credential.Name = "provider"
	old := table.Key{Name: "primary", Value: "sk-old", Fingerprint: "old", Secret: "provider-key", SecretKey: "api-key"}
	delivered := &table.Table{Credentials: []table.Credential{{
		Object: table.Object{Name: "provider", UID: "uid-1"}, Provider: "OpenAICompatible", Endpoint: baseURL, Keys: []table.Key{old},
	}}}
	in.compile(compile.Input{
		Namespace: "team-a", Credentials: []v1alpha1.ProviderCredential{*in.credential}, Now: in.now,
		ProviderKeys: []corev1.Secret{*controllertest.KeySecret("team-a", "provider-key", "sk-new")},
	}, delivered)
	var got []string
	for _, key := range in.keys {
		got = append(got, string(key.State))
	}
	// Nobody probes here, so the next table has the new key; the proxies do not have that yet.
	if diff := cmp.Diff([]string{"Checking", "Active"}, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if lead := in.entry.Keys[0].Value; lead != "sk-new" {
		t.Errorf("the next table has %s", lead)
	}
}
