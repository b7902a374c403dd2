package compile_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// vault is a credential whose keys change, step by step: what its Secrets hold, what the provider was found to say, and the time.
type vault struct {
	credential v1alpha1.ProviderCredential
	secrets    map[string]corev1.Secret
	unlabelled []string
	verdicts   map[string]compile.KeyVerdict
	// unprobed tells that nobody probes.
	unprobed bool
	now      time.Time
	previous *table.Table
	result   compile.Result
}

// newVault has one key, value "a", that the provider takes.
func newVault() *vault {
	v := &vault{credential: credential("groq"), secrets: map[string]corev1.Secret{}, verdicts: map[string]compile.KeyVerdict{}, now: start()}
	v.credential.Spec.Rotation = v1alpha1.KeyRotation{
		Validate: v1alpha1.ValidateByProbe, WhenUnknown: v1alpha1.UnknownLeads, Overlap: &metav1.Duration{Duration: 10 * time.Minute},
	}
	v.store("groq", "a")
	v.verdict("a", provider.KeyValid)
	v.compile()
	return v
}

func (v *vault) store(name, value string) { v.secrets[name] = secret(name, value) }

// say notes what a probe of a value found.
func (v *vault) say(value string, verdict compile.KeyVerdict) {
	verdict.Provider, verdict.Account = "OpenAICompatible", provider.Account{Endpoint: v.credential.Spec.Endpoint}
	v.verdicts[printOf(value)] = verdict
}

func (v *vault) verdict(value string, state provider.KeyState) {
	v.say(value, compile.KeyVerdict{State: state, Message: "the provider said so"})
}

// printOf is the fingerprint of a value, as the compiler makes it.
func printOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:6])
}

func (v *vault) input() compile.Input {
	in := input(withCredentials(v.credential))
	in.ProviderKeys, in.UnlabelledSecrets, in.Previous, in.Now = nil, v.unlabelled, v.previous, v.now
	for _, name := range slices.Sorted(maps.Keys(v.secrets)) {
		in.ProviderKeys = append(in.ProviderKeys, v.secrets[name])
	}
	if !v.unprobed {
		in.Verdicts = map[string]map[string]compile.KeyVerdict{"groq": v.verdicts}
	}
	return in
}

// compile makes the table anew; it goes on from the one before, and from the status that tells of that one.
func (v *vault) compile() {
	v.result = compile.Compile(v.input())
	v.previous = &v.result.Table
	if report, ok := v.result.Report.Object(compile.KindProviderCredential, "groq"); ok {
		v.credential.Status.Keys = statusOf(report.Keys)
	}
}

// statusOf is what the manager writes of keys.
func statusOf(reports []compile.KeyReport) []v1alpha1.ProviderKeyStatus {
	var keys []v1alpha1.ProviderKeyStatus
	for _, found := range reports {
		keys = append(keys, v1alpha1.ProviderKeyStatus{
			Name: found.Name, Fingerprint: found.Fingerprint, State: found.State, FirstSeen: metav1.NewTime(found.FirstSeen), Until: metav1.NewTime(found.Until),
		})
	}
	return keys
}

func (v *vault) later(after time.Duration) { v.now = v.now.Add(after) }

// entry is the credential in the table.
func (v *vault) entry() *table.Credential {
	if len(v.result.Table.Credentials) == 0 {
		return nil
	}
	return &v.result.Table.Credentials[0]
}

// keys lists the keys in the table: "a", "b canary 12:05:00", "a until 12:10:00".
func (v *vault) keys() string {
	var list []string
	if entry := v.entry(); entry != nil {
		for _, key := range entry.Keys {
			text := key.Value
			if key.Name != "primary" {
				text = key.Name + "=" + text
			}
			if key.Role == table.Canary {
				text += fmt.Sprintf(" canary %d", key.Permille)
			}
			if key.Role == table.Previous {
				text += " previous"
			}
			if key.Refused {
				text += " refused"
			}
			if !key.Until.IsZero() {
				text += " until " + key.Until.Format(time.TimeOnly)
			}
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

func withCanary(c *v1alpha1.ProviderCredential) {
	c.Spec.Rotation.Canary = &v1alpha1.CanaryPolicy{Percent: 20, Duration: &metav1.Duration{Duration: 5 * time.Minute}}
}

// rotationStep changes a vault and says what the table holds after it.
type rotationStep struct {
	do   func(v *vault)
	want string
}

func stores(value string) func(*vault) { return func(v *vault) { v.store("groq", value) } }

func told(value string, state provider.KeyState) func(*vault) {
	return func(v *vault) { v.verdict(value, state) }
}

func pending(value string) func(*vault) {
	return func(v *vault) {
		v.say(value, compile.KeyVerdict{State: provider.KeyUnknown, Pending: true, Message: "status 503"})
	}
}

func passed(after time.Duration) func(*vault) { return func(v *vault) { v.later(after) } }

func edited(change func(*v1alpha1.ProviderCredential)) func(*vault) {
	return func(v *vault) {
		change(&v.credential)
		v.credential.Generation++
	}
}

func also(changes ...func(*vault)) func(*vault) {
	return func(v *vault) {
		for _, change := range changes {
			change(v)
		}
	}
}

func holding(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.WhenUnknown = v1alpha1.UnknownHolds }

func unvalidated(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Validate = v1alpha1.ValidateNone }

func overlapping(overlap time.Duration) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Overlap = &metav1.Duration{Duration: overlap} }
}

func removed(v *vault) { delete(v.secrets, "groq") }

const (
	valid   = provider.KeyValid
	invalid = provider.KeyInvalid
	unknown = provider.KeyUnknown
)

func TestRotation(t *testing.T) {
	b := func(state provider.KeyState) func(*vault) { return also(stores("b"), told("b", state)) }
	cases := map[string][]rotationStep{
		"a new value waits for its verdict, leads, and its overlap ends": {
			{stores("b"), "a"},
			{passed(time.Hour), "a"},
			{told("b", valid), "b, a previous until 13:10:00"},
			{passed(10*time.Minute - time.Second), "b, a previous until 13:10:00"},
			{passed(time.Second), "b"},
		},
		"a refused value never leads":              {{b(invalid), "a"}, {passed(time.Hour), "a"}},
		"one that is well again does":              {{b(invalid), "a"}, {told("b", valid), "b, a previous until 12:10:00"}},
		"a provider that cannot tell":              {{b(unknown), "b, a previous until 12:10:00"}},
		"one that cannot tell now":                 {{also(stores("b"), pending("b")), "a"}, {told("b", unknown), "b, a previous until 12:10:00"}},
		"held while nothing is known":              {{also(edited(holding), b(unknown)), "a"}, {passed(time.Hour), "a"}, {told("b", valid), "b, a previous until 13:10:00"}},
		"held until the policy changes":            {{also(edited(holding), b(unknown)), "a"}, {edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.WhenUnknown = v1alpha1.UnknownLeads }), "b, a previous until 12:10:00"}},
		"validation is off":                        {{also(edited(unvalidated), stores("b")), "b, a previous until 12:10:00"}},
		"nobody probes":                            {{also(func(v *vault) { v.unprobed = true }, stores("b")), "b, a previous until 12:10:00"}},
		"nobody probes, and a canary is asked for": {{also(func(v *vault) { v.unprobed = true }, edited(withCanary), stores("b")), "b, a previous until 12:10:00"}},
		"no overlap":                               {{also(edited(overlapping(0)), b(valid)), "b"}},
		"the standard overlap":                     {{also(edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Overlap = nil }), b(valid)), "b, a previous until 12:10:00"}},
		"an overlap out of bounds":                 {{also(edited(overlapping(100*time.Hour)), b(valid)), "b, a previous until 12:00:00"}, {passed(24 * time.Hour), "b"}},
		"a shorter overlap holds at once":          {{b(valid), "b, a previous until 12:10:00"}, {also(passed(time.Minute), edited(overlapping(0))), "b"}},
		"a shorter one holds while the Secret has no key": {
			{b(valid), "b, a previous until 12:10:00"}, {also(stores(" "), passed(time.Minute), edited(overlapping(0))), "b"},
		},
		"a refused value is no better elsewhere": {{told("a", invalid), "a refused"}, {edited(endpointAt("https://other.example")), ""}},
		"a longer one does not":                  {{b(valid), "b, a previous until 12:10:00"}, {edited(overlapping(time.Hour)), "b, a previous until 12:10:00"}},
		"a clock that was ahead": {
			{also(passed(time.Hour), b(valid)), "b, a previous until 13:10:00"}, {passed(-time.Hour), "b, a previous until 12:10:00"},
			{passed(10*time.Minute - time.Second), "b, a previous until 12:10:00"}, {passed(time.Second), "b"},
		},
		"an overlap of a fraction more is not less": {{also(passed(time.Millisecond), b(valid)), "b, a previous until 12:10:01"}},
		"back to the previous value": {
			{b(valid), "b, a previous until 12:10:00"},
			{func(v *vault) { v.later(time.Minute); v.store("groq", "a"); delete(v.verdicts, printOf("a")) }, "a, b previous until 12:11:00"},
		},
		"back to a previous value that is known to be bad": {
			{b(valid), "b, a previous until 12:10:00"},
			{also(stores("a"), told("a", invalid)), "b, a previous until 12:10:00"},
		},
		"back after the overlap is like new": {
			{b(valid), "b, a previous until 12:10:00"},
			{func(v *vault) { v.later(time.Hour); v.store("groq", "a"); delete(v.verdicts, printOf("a")) }, "b"},
		},
		"twice within a second, the first was not proved": {
			{stores("b"), "a"},
			{also(stores("c"), told("b", valid)), "a"},
			{told("c", valid), "c, a previous until 12:10:00"},
		},
		"twice within a second, the first led": {
			{b(valid), "b, a previous until 12:10:00"},
			{also(passed(time.Second), stores("c"), told("c", valid)), "c, b previous until 12:10:01, a previous until 12:10:00"},
		},
		"at most four earlier values": {
			{b(valid), "b, a previous until 12:10:00"},
			{also(stores("c"), told("c", valid)), "c, b previous until 12:10:00, a previous until 12:10:00"},
			{also(stores("d"), told("d", valid)), "d, c previous until 12:10:00, b previous until 12:10:00, a previous until 12:10:00"},
			{also(stores("e"), told("e", valid)), "e, d previous until 12:10:00, c previous until 12:10:00, b previous until 12:10:00, a previous until 12:10:00"},
			{also(stores("f"), told("f", valid)), "f, e previous until 12:10:00, d previous until 12:10:00, c previous until 12:10:00, b previous until 12:10:00"},
		},
		"a newline at the end is no change": {{stores("a\n"), "a"}},
		"a value that cannot be a key": {
			{stores(""), "a"}, {passed(time.Hour), "a"}, {b(valid), "b, a previous until 13:10:00"}, {stores(" x "), "b, a previous until 13:10:00"},
		},
		"a leading value that a probe finds refused stays": {
			{told("a", invalid), "a refused"}, {told("a", unknown), "a refused"}, {told("a", valid), "a"},
		},
		"a verdict of another account is none": {
			{func(v *vault) {
				v.store("groq", "b")
				v.verdicts[printOf("b")] = compile.KeyVerdict{Provider: "OpenAICompatible", Account: provider.Account{Endpoint: "https://other.example"}, State: valid}
			}, "a"},
		},
		"another endpoint never gets an earlier value": {
			{b(valid), "b, a previous until 12:10:00"}, {edited(endpointAt("https://other.example")), "b"},
		},
	}
	runRotations(t, cases)
}

func runRotations(t *testing.T, cases map[string][]rotationStep) {
	t.Helper()
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			v := newVault()
			for i, step := range steps {
				step.do(v)
				v.compile()
				if got := v.keys(); got != step.want {
					t.Fatalf("step %d: the table has %q, want %q", i+1, got, step.want)
				}
				again := compile.Compile(v.input())
				if again.Table.Revision != v.result.Table.Revision {
					t.Fatalf("step %d: compiled again the table has %v", i+1, again.Table.Credentials)
				}
			}
		})
	}
}

func TestCanary(t *testing.T) {
	asked := func(v *vault) { withCanary(&v.credential); v.store("groq", "b"); v.verdict("b", valid) }
	trial := rotationStep{asked, "a, b canary 200 until 12:05:00"}
	runRotations(t, map[string][]rotationStep{
		"it gets its share, and then it leads": {
			trial, {passed(5*time.Minute - time.Second), trial.want}, {passed(time.Second), "b, a previous until 12:15:00"},
		},
		"its trial proves nothing elsewhere": {trial, {edited(endpointAt("https://other.example")), ""}},
		"refused in its trial":               {trial, {told("b", invalid), "a"}, {passed(time.Hour), "a"}},
		"an inconclusive probe in its trial": {trial, {told("b", unknown), trial.want}},
		"the lead is refused meanwhile":      {trial, {told("a", invalid), "b, a previous refused until 12:10:00"}},
		"the lead was refused before":        {{also(told("a", invalid), asked), "b, a previous refused until 12:10:00"}},
		"the trial is called off":            {trial, {edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Canary = nil }), "b, a previous until 12:10:00"}},
		"a clock that was ahead": {
			{also(passed(time.Hour), asked), "a, b canary 200 until 13:05:00"}, {passed(-time.Hour), trial.want},
			{passed(5*time.Minute - time.Second), trial.want}, {passed(time.Second), "b, a previous until 12:15:00"},
		},
		"the trial is prolonged":         {trial, {edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Canary.Duration.Duration = time.Hour }), "a, b canary 200 until 13:00:00"}},
		"another value meanwhile":        {trial, {stores("c"), "a"}, {told("c", valid), "a, c canary 200 until 12:05:00"}},
		"back meanwhile":                 {trial, {stores("a"), "a"}},
		"what cannot be a key meanwhile": {trial, {stores(""), "a"}},
		"it waits for its verdict":       {{func(v *vault) { withCanary(&v.credential); v.store("groq", "b") }, "a"}},
		"a trial without a probe before it": {
			{also(edited(withCanary), edited(unvalidated), stores("b")), trial.want}, {told("b", invalid), "a"},
		},
	})
}

func TestKeysThatGoAndComeBack(t *testing.T) {
	back := func(value string) func(*vault) {
		return func(v *vault) { v.store("groq", value); v.unlabelled = nil }
	}
	runRotations(t, map[string][]rotationStep{
		"a deleted Secret": {{removed, "a until 12:00:05"}, {passed(5*time.Second - 1), "a until 12:00:05"}, {passed(1), ""}},
		"a lost label":     {{also(removed, func(v *vault) { v.unlabelled = []string{"groq"} }), "a until 12:00:05"}, {passed(5 * time.Second), ""}},
		"a lost key":       {{func(v *vault) { v.secrets["groq"] = secretWith("groq", "token", "a") }, "a until 12:00:05"}, {passed(5 * time.Second), ""}},
		"no overlap, no moment of grace": {
			{also(edited(overlapping(0)), removed), ""},
		},
		"earlier values go with it": {
			{also(stores("b"), told("b", valid)), "b, a previous until 12:10:00"}, {removed, "b until 12:00:05, a previous until 12:00:05"}, {passed(5 * time.Second), ""},
		},
		"one in its trial goes at once": {
			{also(edited(withCanary), stores("b"), told("b", valid)), "a, b canary 200 until 12:05:00"}, {removed, "a until 12:00:05"},
		},
		"recreated with the same value":             {{removed, "a until 12:00:05"}, {also(passed(time.Second), back("a")), "a"}, {passed(time.Hour), "a"}},
		"recreated with another value":              {{removed, "a until 12:00:05"}, {also(passed(time.Second), back("b")), "a"}, {passed(time.Hour), "a"}, {told("b", valid), "b, a previous until 13:10:01"}},
		"recreated with a refused value":            {{removed, "a until 12:00:05"}, {also(back("b"), told("b", invalid)), "a"}},
		"recreated with what cannot be a key":       {{removed, "a until 12:00:05"}, {back(""), "a"}},
		"recreated late, not yet known to be valid": {{removed, "a until 12:00:05"}, {passed(5 * time.Second), ""}, {func(v *vault) { v.store("groq", "a"); delete(v.verdicts, printOf("a")) }, ""}, {told("a", valid), "a"}},
		"the key leaves the spec":                   {{edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Auth = v1alpha1.ProviderAuth{None: &v1alpha1.NoAuth{}} }), ""}},
	})
}

func TestKeysThatMove(t *testing.T) {
	named := func(name string) func(*vault) {
		return edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Auth.Keys[0].Name = name })
	}
	in := func(secret string) func(*vault) { return edited(keyIn(secret)) }
	two := edited(func(c *v1alpha1.ProviderCredential) {
		c.Spec.Auth.Keys = append(c.Spec.Auth.Keys, v1alpha1.ProviderKey{Name: "spare", SecretKeyRef: v1alpha1.SecretKeyReference{Name: "spare", Key: "api-key"}})
	})
	spare := func(value string) func(*vault) { return func(v *vault) { v.store("spare", value) } }
	both := also(two, spare("x"), told("x", valid))
	runRotations(t, map[string][]rotationStep{
		"renamed": {{also(named("main"), func(v *vault) { clear(v.verdicts) }), "main=a"}},
		"renamed within an overlap": {
			{also(stores("b"), told("b", valid)), "b, a previous until 12:10:00"}, {named("main"), "main=b, main=a previous until 12:10:00"}, {passed(10 * time.Minute), "main=b"},
		},
		"renamed with another value": {{also(named("main"), stores("b")), ""}, {told("b", valid), "main=b"}},
		"from another Secret": {
			{also(in("new"), func(v *vault) { v.store("new", "b") }), "a"}, {told("b", valid), "b, a previous until 12:10:00"}, {removed, "b, a previous until 12:10:00"},
		},
		"from another Secret, and the old one is pruned": {
			{also(in("new"), func(v *vault) { v.store("new", "b") }, removed), "a"}, {told("b", valid), "b, a previous until 12:10:00"},
		},
		"a reference that leads nowhere yet":     {{in("new"), "a"}, {passed(time.Hour), "a"}, {func(v *vault) { v.store("new", "a") }, "a"}},
		"a reference that leads nowhere any way": {{also(in("new"), removed), "a until 12:00:05"}, {passed(5 * time.Second), ""}},
		"a second key":                           {{also(two, spare("x")), "a"}, {told("x", valid), "a, spare=x"}},
		"a second key that is refused":           {{also(two, spare("x"), told("x", invalid)), "a"}},
		"a second key that nothing is known of":  {{also(two, edited(holding), spare("x"), told("x", unknown)), "a, spare=x"}},
		"a second key and no answer yet":         {{also(two, spare("x"), pending("x")), "a, spare=x"}},
		"values that are exchanged": {
			{both, "a, spare=x"}, {also(stores("x"), spare("a"), func(v *vault) { clear(v.verdicts) }), "x, spare=a"},
		},
		"the same value as two keys": {{also(two, spare("a")), "a"}},
		"a new value as two keys": {
			{both, "a, spare=x"}, {also(stores("y"), spare("y")), "a, spare=x"}, {passed(time.Hour), "a, spare=x"}, {told("y", invalid), "a, spare=x"},
			{told("y", valid), "y, a previous until 13:10:00, spare=x previous until 13:10:00"},
		},
		"a value that comes to be twice":       {{both, "a, spare=x"}, {spare("a"), "a, spare=x previous until 12:10:00"}, {passed(10 * time.Minute), "a"}},
		"a value that moves up":                {{both, "a, spare=x"}, {also(stores("x"), spare("y")), "x, a previous until 12:10:00"}, {told("y", valid), "x, a previous until 12:10:00, spare=y"}},
		"a key that leaves the spec":           {{both, "a, spare=x"}, {edited(func(c *v1alpha1.ProviderCredential) { c.Spec.Auth.Keys = c.Spec.Auth.Keys[1:] }), "spare=x"}},
		"one key's Secret goes, not the other": {{both, "a, spare=x"}, {func(v *vault) { delete(v.secrets, "spare") }, "a, spare=x until 12:00:05"}, {passed(5 * time.Second), "a"}},
	})
}

func TestFirstValue(t *testing.T) {
	cases := map[string]struct {
		verdict *compile.KeyVerdict
		change  func(*v1alpha1.ProviderCredential)
		want    string
	}{
		"no verdict yet":                {},
		"validation is off":             {change: unvalidated, want: "a"},
		"valid":                         {verdict: &compile.KeyVerdict{State: valid}, want: "a"},
		"refused":                       {verdict: &compile.KeyVerdict{State: invalid}},
		"unknown":                       {verdict: &compile.KeyVerdict{State: unknown}, want: "a"},
		"unknown, and held":             {verdict: &compile.KeyVerdict{State: unknown}, change: holding, want: "a"},
		"no answer yet":                 {verdict: &compile.KeyVerdict{State: unknown, Pending: true}, want: "a"},
		"a canary of nothing":           {verdict: &compile.KeyVerdict{State: valid}, change: withCanary, want: "a"},
		"the status remembers it":       {change: remembering(v1alpha1.KeyActive), want: "a"},
		"the status has it as reserve":  {change: remembering(v1alpha1.KeyStandby), want: "a"},
		"the status has it as rejected": {change: remembering(v1alpha1.KeyRejected)},
		"the status has it as new":      {change: remembering(v1alpha1.KeyChecking)},
		"the status was wrong":          {verdict: &compile.KeyVerdict{State: invalid}, change: remembering(v1alpha1.KeyActive)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := newVault()
			v.previous, v.credential.Status.Keys = nil, nil
			clear(v.verdicts)
			if tc.verdict != nil {
				v.say("a", *tc.verdict)
			}
			if tc.change != nil {
				tc.change(&v.credential)
			}
			v.compile()
			if got := v.keys(); got != tc.want {
				t.Errorf("the table has %q, want %q", got, tc.want)
			}
			if waiting := v.result.Waiting["groq"]; (len(waiting) == 1) == (tc.want == "a") {
				t.Errorf("%d values wait", len(waiting))
			}
		})
	}
}

// remembering lets the status speak of value "a" in a state.
func remembering(state v1alpha1.ProviderKeyState) func(*v1alpha1.ProviderCredential) {
	return func(c *v1alpha1.ProviderCredential) {
		c.Status.Keys = []v1alpha1.ProviderKeyStatus{{Name: "primary", Fingerprint: printOf("a"), State: state, FirstSeen: metav1.NewTime(start().Add(-time.Hour))}}
	}
}

func TestTimesOfKeys(t *testing.T) {
	v := newVault()
	if key := v.entry().Keys[0]; !key.Since.Equal(start()) || !key.FirstSeen.Equal(start()) || !v.result.Next.IsZero() {
		t.Errorf("the first key is there since %s, first seen %s; next %s", key.Since, key.FirstSeen, v.result.Next)
	}
	v.store("groq", "b")
	v.later(time.Minute)
	v.compile()
	v.credential.Status.Keys = []v1alpha1.ProviderKeyStatus{{Name: "primary", Fingerprint: printOf("b"), State: v1alpha1.KeyChecking, FirstSeen: metav1.NewTime(v.now)}}
	v.later(time.Minute)
	v.verdict("b", valid)
	v.compile()
	lead, previous := v.entry().Keys[0], v.entry().Keys[1]
	if !lead.Since.Equal(start().Add(2*time.Minute)) || !lead.FirstSeen.Equal(start().Add(time.Minute)) {
		t.Errorf("the new key leads since %s, first seen %s", lead.Since, lead.FirstSeen)
	}
	if !previous.Since.Equal(start().Add(2*time.Minute)) || !previous.FirstSeen.Equal(start()) {
		t.Errorf("the old key is previous since %s, first seen %s", previous.Since, previous.FirstSeen)
	}
	if want := start().Add(12 * time.Minute); !v.result.Next.Equal(want) || !previous.Until.Equal(want) {
		t.Errorf("next is %s, the old key ends %s, want %s", v.result.Next, previous.Until, want)
	}
	v.previous = nil
	v.credential.Status.Keys[0].State = v1alpha1.KeyActive
	v.later(time.Hour)
	v.compile()
	if got := v.entry().Keys[0].FirstSeen; !got.Equal(start().Add(time.Minute)) {
		t.Errorf("with the table the time is lost: %s", got)
	}
}

func TestDuplicateIsAFinding(t *testing.T) {
	v := newVault()
	v.credential.Spec.Auth.Keys = append(v.credential.Spec.Auth.Keys, v1alpha1.ProviderKey{
		Name: "copy", SecretKeyRef: v1alpha1.SecretKeyReference{Name: "groq", Key: "api-key"},
	})
	v.compile()
	got := report(t, v.result, compile.KindProviderCredential, "groq")
	if diff := cmp.Diff([]string{"ResolvedRefs InvalidKey spec.auth.keys[1].secretKeyRef"}, why(got)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// A value that waits under one name is no reserve under another.
func TestDuplicatesWaitTogether(t *testing.T) {
	for name, tc := range map[string]struct {
		state provider.KeyState
		want  []v1alpha1.ProviderKeyState
	}{
		"not yet asked about": {"", []v1alpha1.ProviderKeyState{v1alpha1.KeyChecking, v1alpha1.KeyChecking}},
		"refused":             {invalid, []v1alpha1.ProviderKeyState{v1alpha1.KeyRejected, v1alpha1.KeyRejected}},
		"taken":               {valid, []v1alpha1.ProviderKeyState{v1alpha1.KeyActive, v1alpha1.KeyStandby}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault()
			v.previous, v.credential.Status.Keys = nil, nil
			v.credential.Spec.Auth.Keys = append(v.credential.Spec.Auth.Keys, v1alpha1.ProviderKey{
				Name: "copy", SecretKeyRef: v1alpha1.SecretKeyReference{Name: "groq", Key: "api-key"},
			})
			clear(v.verdicts)
			if tc.state != "" {
				v.verdict("a", tc.state)
			}
			v.compile()
			// A table that is lost is made again from the status, and that proves nothing of what waits.
			v.previous = nil
			v.compile()
			var got []v1alpha1.ProviderKeyState
			for _, key := range v.credential.Status.Keys {
				got = append(got, key.State)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}
