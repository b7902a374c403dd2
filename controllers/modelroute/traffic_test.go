package modelroute

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/traffic"
)

// seen is traffic of the target "first" at three proxies, of which so many leave it alone.
func seen(block traffic.Block, blocked int) *fleet.Traffic {
	return &fleet.Traffic{Target: "first", Proxies: 3, Blocked: blocked, Block: block, Figures: fleet.NoFigures()}
}

func withTraffic(all ...*fleet.Traffic) func(*input) {
	return func(in *input) {
		in.traffic = map[string]*fleet.Traffic{}
		for _, one := range all {
			in.traffic[one.Target] = one
		}
	}
}

// withSecond adds a target that is well.
func withSecond(in *input) {
	second := in.route.Spec.Targets[0]
	second.Name = "second"
	in.route.Spec.Targets = append(in.route.Spec.Targets, second)
	in.report.Targets = append(in.report.Targets, compile.TargetReport{Name: "second", State: v1alpha1.TargetAvailable, Priced: compile.Priced})
}

// unlisted has the provider's list say that it does not have the model; successor is what is called in its place.
func unlisted(successor string) func(*input) {
	return func(in *input) {
		first := &in.report.Targets[0]
		first.Reason, first.Message, first.Model = v1alpha1.ReasonModelNotListed, "not on the list", successor
	}
}

// withRouteRef has the target call a route of another namespace.
func withRouteRef(in *input) {
	target := &in.route.Spec.Targets[0]
	target.CredentialRef, target.RouteRef = v1alpha1.LocalReference{}, &v1alpha1.RouteReference{Namespace: "ai", Name: "llama"}
}

func TestTargetsThatCallOtherNamespaces(t *testing.T) {
	excluded := func(in *input) {
		in.report.Targets[0] = compile.TargetReport{Name: "first", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonRouteLoop, Message: "round and round"}
	}
	cases := map[string]struct {
		in   *input
		want v1alpha1.RouteTargetStatus
	}{
		"nothing is wrong": {newInput(withRouteRef), v1alpha1.RouteTargetStatus{State: "Available"}},
		"a loop":           {newInput(withRouteRef, excluded), v1alpha1.RouteTargetStatus{State: "Unavailable", Reason: "RouteLoop", Message: "round and round"}},
		"its token": {newInput(withRouteRef, withTraffic(seen(traffic.KeyRefused, 3))), v1alpha1.RouteTargetStatus{
			State: "Unavailable", Reason: "KeyRejected", Message: "the proxy of namespace ai refuses the token of this namespace's proxy; the log of that proxy says why",
		}},
		"its limits": {newInput(withRouteRef, withTraffic(seen(traffic.CoolingDown, 3))), v1alpha1.RouteTargetStatus{
			State: "Unavailable", Reason: "CoolingDown", Message: "the proxy of namespace ai limits the rate or is short of capacity, and is left alone for the time that it asked for; " +
				"if this goes on, raise the limit at the provider or add targets",
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			status := makeStatus(tc.in)
			got := status.Targets[0]
			if got.State != tc.want.State || got.Reason != tc.want.Reason || got.Message != tc.want.Message {
				t.Errorf("%s %s %q, want %s %s %q", got.State, got.Reason, got.Message, tc.want.State, tc.want.Reason, tc.want.Message)
			}
			healthy := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy)
			if tc.want.State == v1alpha1.TargetAvailable && (healthy.Status != metav1.ConditionUnknown || !strings.Contains(healthy.Message, "are not probed")) {
				t.Errorf("Healthy is %s: %s", healthy.Status, healthy.Message)
			}
		})
	}
}

func TestTargetsOfTraffic(t *testing.T) {
	successor := seen(traffic.Open, 0)
	successor.Successor = "new-model"
	lost := seen(traffic.Withdrawn, 3)
	lost.Successor = "new-model"
	cases := map[string]struct {
		in   *input
		want v1alpha1.RouteTargetStatus
	}{
		"nothing is wrong": {in: newInput(withTraffic(seen(traffic.Open, 0))), want: v1alpha1.RouteTargetStatus{State: "Available"}},
		"another target's traffic": {
			in:   newInput(withTraffic(&fleet.Traffic{Target: "second", Proxies: 1, Blocked: 1, Block: traffic.CircuitOpen})),
			want: v1alpha1.RouteTargetStatus{State: "Available"},
		},
		"the circuit is open": {
			in: newInput(withTraffic(seen(traffic.CircuitOpen, 3))),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "CircuitOpen", Message: "its last calls failed one after another; single calls try whether it is back",
			},
		},
		"too many errors": {
			in: newInput(withTraffic(seen(traffic.ErrorRate, 3))),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "CircuitOpen", Message: "too many of its calls fail; it is called only where no other target is left",
			},
		},
		"the rate is limited": {
			in: newInput(withTraffic(seen(traffic.CoolingDown, 3))),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "CoolingDown", Message: "provider OpenAICompatible limits the rate or is short of capacity, and is left alone for the time that it asked for; " +
					"if this goes on, raise the limit at the provider or add targets",
			},
		},
		"the quota is used up": {
			in: newInput(withTraffic(seen(traffic.NoQuota, 3))),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "CoolingDown", Message: `provider OpenAICompatible answers that the quota or credit of ProviderCredential "provider" ` +
					"is used up; raise it there, or add targets",
			},
		},
		"the key is refused": {
			in: newInput(withTraffic(seen(traffic.KeyRefused, 3))),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "KeyRejected",
				Message: `provider OpenAICompatible refuses the key of ProviderCredential "provider" in calls; store a valid one in its Secret`,
			},
		},
		"the model is withdrawn": {
			in: newInput(withTraffic(seen(traffic.Withdrawn, 3))),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "ModelWithdrawn", Message: `provider OpenAICompatible answers that it does not offer "upstream-model", any more or to ` +
					"this account; name one that it offers in model, or a successor",
			},
		},
		"a successor serves": {
			in: newInput(withTraffic(successor)),
			want: v1alpha1.RouteTargetStatus{
				State: "Available", Reason: "SuccessorServes", Model: "new-model",
				Message: `provider OpenAICompatible does not offer "upstream-model" any more, and calls go to its successor "new-model"; name that in model`,
			},
		},
		"the successor is withdrawn, too": {
			in: newInput(withTraffic(lost)),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "ModelWithdrawn", Model: "new-model",
				Message: `provider OpenAICompatible answers that it does not offer "new-model", any more or to this account; name one that it offers in model`,
			},
		},
		"a successor serves because of the list": {
			in:   newInput(unlisted("new-model"), withTraffic(seen(traffic.Open, 0))),
			want: v1alpha1.RouteTargetStatus{State: "Available", Reason: "SuccessorServes", Message: "not on the list", Model: "new-model"},
		},
		"not on the list": {
			in:   newInput(unlisted("")),
			want: v1alpha1.RouteTargetStatus{State: "Available", Reason: "ModelNotListed", Message: "not on the list"},
		},
		"some proxies leave it alone": {
			in: newInput(withTraffic(seen(traffic.CircuitOpen, 1))),
			want: v1alpha1.RouteTargetStatus{
				State: "Available", Reason: "CircuitOpen",
				Message: "1 of 3 proxies leave it alone: its last calls failed one after another; single calls try whether it is back",
			},
		},
		"what the manager found goes first": {
			in: newInput(withTraffic(seen(traffic.CircuitOpen, 3)), func(in *input) {
				in.credentials["provider"] = health(v1alpha1.ConditionKeyValid, metav1.ConditionFalse, v1alpha1.ReasonKeyRejected)
			}),
			want: v1alpha1.RouteTargetStatus{State: "Unavailable", Reason: "KeyRejected", Message: "the provider says KeyRejected"},
		},
		"the ProviderCredential is gone": {
			in: newInput(withTraffic(seen(traffic.CoolingDown, 3)), func(in *input) { in.credentials = nil }),
			want: v1alpha1.RouteTargetStatus{
				State: "Unavailable", Reason: "CoolingDown", Message: "the provider limits the rate or is short of capacity, and is left alone for the time that it asked for; " +
					"if this goes on, raise the limit at the provider or add targets",
			},
		},
		"a drained target stays drained": {
			in: newInput(withTraffic(seen(traffic.CircuitOpen, 3)), func(in *input) {
				in.report.Targets[0].State, in.report.Targets[0].Reason = v1alpha1.TargetDrained, v1alpha1.ReasonDrained
			}),
			want: v1alpha1.RouteTargetStatus{State: "Drained", Reason: "Drained"},
		},
		"the traffic of an older generation": {
			in:   newInput(withTraffic(seen(traffic.Open, 0), successor), func(in *input) { in.report.Generation = 2 }),
			want: v1alpha1.RouteTargetStatus{State: "Unavailable", Reason: "Pending"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.want.Name = "first"
			if tc.in.compiled() {
				tc.want.Priced = "Priced"
			}
			if diff := cmp.Diff(tc.want, makeStatus(tc.in).Targets[0], cmpopts.IgnoreFields(v1alpha1.RouteTargetStatus{}, "Health", "Since")); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFigures(t *testing.T) {
	stored := &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](20), TimeToFirstTokenP50Milliseconds: ptr.To[int64](200), TokensPerSecond: ptr.To[int64](80)}
	cases := map[string]struct {
		stored *v1alpha1.TargetTraffic
		seen   fleet.Figures
		want   *v1alpha1.TargetTraffic
	}{
		"none":                 {seen: fleet.NoFigures()},
		"none any more":        {stored: stored, seen: fleet.NoFigures()},
		"rounded":              {seen: fleet.Figures{ErrorPermille: 17, FirstTokenMS: 213, TokensPerSecond: 80, FirstTokenP95MS: 987}, want: &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](20), TimeToFirstTokenP50Milliseconds: ptr.To[int64](210), TimeToFirstTokenP95Milliseconds: ptr.To[int64](990), TokensPerSecond: ptr.To[int64](80)}},
		"no streams":           {seen: fleet.Figures{FirstTokenMS: fleet.Unknown, TokensPerSecond: fleet.Unknown, FirstTokenP95MS: fleet.Unknown}, want: &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](0)}},
		"what did not move":    {stored: stored, seen: fleet.Figures{ErrorPermille: 12, FirstTokenMS: 230, TokensPerSecond: 70, FirstTokenP95MS: fleet.Unknown}, want: stored},
		"more than there are":  {seen: fleet.Figures{ErrorPermille: 2000, FirstTokenMS: fleet.Unknown, TokensPerSecond: fleet.Unknown, FirstTokenP95MS: fleet.Unknown}, want: &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](1000)}},
		"figures of no errors": {stored: stored, seen: fleet.Figures{ErrorPermille: 0, FirstTokenMS: 200, TokensPerSecond: 80, FirstTokenP95MS: fleet.Unknown}, want: &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](0), TimeToFirstTokenP50Milliseconds: ptr.To[int64](200), TokensPerSecond: ptr.To[int64](80)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := newInput(withTraffic(&fleet.Traffic{Target: "first", Proxies: 1, Figures: tc.seen}))
			in.route.Status.Targets = []v1alpha1.RouteTargetStatus{
				{Name: "first", Traffic: tc.stored}, {Name: "other", Traffic: &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](500)}},
			}
			if diff := cmp.Diff(tc.want, makeStatus(in).Targets[0].Traffic); diff != "" {
				t.Errorf("traffic (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyDrifts(t *testing.T) {
	before := v1alpha1.RouteTargetStatus{Name: "first", State: v1alpha1.TargetAvailable, Reason: "CircuitOpen", Message: "1 of 3 proxies leave it alone"}
	down := before
	down.State = v1alpha1.TargetUnavailable
	with := func(target v1alpha1.RouteTargetStatus, change func(*v1alpha1.RouteTargetStatus)) v1alpha1.RouteTargetStatus {
		change(&target)
		return target
	}
	figures := func(target *v1alpha1.RouteTargetStatus) {
		target.Traffic = &v1alpha1.TargetTraffic{ErrorPermille: ptr.To[int32](10)}
	}
	reason := func(target *v1alpha1.RouteTargetStatus) { target.Reason = "KeyRejected" }
	cases := map[string]struct {
		before, after v1alpha1.RouteTargetStatus
		want          bool
	}{
		"nothing":                            {before: before, after: before},
		"figures":                            {before: before, after: with(before, figures), want: true},
		"figures of a target that is down":   {before: down, after: with(down, figures), want: true},
		"what some proxies say":              {before: before, after: with(before, reason), want: true},
		"why a target is down":               {before: down, after: with(down, reason)},
		"a target goes down":                 {before: before, after: down},
		"a target comes back with figures":   {before: down, after: with(before, figures)},
		"another successor":                  {before: before, after: with(before, func(target *v1alpha1.RouteTargetStatus) { target.Model = "new-model" })},
		"another target in the same place":   {before: before, after: with(before, func(target *v1alpha1.RouteTargetStatus) { target.Name = "second" })},
		"whether the price of it is known":   {before: before, after: with(before, func(target *v1alpha1.RouteTargetStatus) { target.Priced = "Priced" })},
		"a target that was not there before": {after: before},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			old, now := &v1alpha1.ModelRouteStatus{}, &v1alpha1.ModelRouteStatus{Targets: []v1alpha1.RouteTargetStatus{tc.after}}
			if tc.before.Name != "" {
				old.Targets = []v1alpha1.RouteTargetStatus{tc.before}
			}
			if got := onlyDrifts(old, now); got != tc.want {
				t.Errorf("it drifts: %t", got)
			}
		})
	}
}

func TestConditionsOfTraffic(t *testing.T) {
	successor := seen(traffic.Open, 0)
	successor.Successor = "new-model"
	const well = "Ready=True Ready, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, Programmed=True Programmed, Healthy=True TargetsAvailable, "
	const down = "Ready=False NoTargetAvailable, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, Programmed=True Programmed, " +
		"Healthy=False NoTargetAvailable, "
	cases := map[string]struct {
		in        *input
		want      string
		available string
	}{
		"one of two targets is left alone": {
			in: newInput(withSecond, withTraffic(seen(traffic.CircuitOpen, 3))), want: well + "ModelsAvailable=True ModelsAvailable", available: "1/2",
		},
		"the only target is left alone": {
			in: newInput(withTraffic(seen(traffic.CircuitOpen, 3))), want: down + "ModelsAvailable=True ModelsAvailable", available: "0/1",
		},
		"some proxies leave the only target alone": {
			in: newInput(withTraffic(seen(traffic.KeyRefused, 2))), want: well + "ModelsAvailable=True ModelsAvailable", available: "1/1",
		},
		"the model of one of two targets is withdrawn": {
			in: newInput(withSecond, withTraffic(seen(traffic.Withdrawn, 3))), want: well + "ModelsAvailable=False ModelWithdrawn", available: "1/2",
		},
		"the only model is withdrawn": {
			in: newInput(withTraffic(seen(traffic.Withdrawn, 3))), want: down + "ModelsAvailable=False ModelWithdrawn", available: "0/1",
		},
		"a model that some proxies take for withdrawn": {
			in: newInput(withTraffic(seen(traffic.Withdrawn, 1))), want: well + "ModelsAvailable=True ModelsAvailable", available: "1/1",
		},
		"a successor serves": {in: newInput(withTraffic(successor)), want: well + "ModelsAvailable=False SuccessorServes", available: "1/1"},
		"a successor serves because of the list": {
			in: newInput(unlisted("new-model")), want: well + "ModelsAvailable=False SuccessorServes", available: "1/1",
		},
		"not on the list": {in: newInput(unlisted("")), want: well + "ModelsAvailable=False ModelNotListed", available: "1/1"},
		"not on the list, and something else keeps calls away": {
			in: newInput(unlisted(""), withTraffic(seen(traffic.CircuitOpen, 3))), want: down + "ModelsAvailable=False ModelNotListed", available: "0/1",
		},
		"the mirror's model is not on the list": {
			in: newInput(func(in *input) {
				in.report.Mirror = &compile.TargetReport{Name: "shadow", Reason: v1alpha1.ReasonModelNotListed, Message: "not on the list"}
			}),
			want: well + "ModelsAvailable=False ModelNotListed", available: "1/1",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			built := makeStatus(tc.in)
			if diff := cmp.Diff(tc.want, summarise(built.Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			if built.AvailableTargets != tc.available {
				t.Errorf("available targets are %s", built.AvailableTargets)
			}
		})
	}
}

func TestConditionsTellOfEveryTarget(t *testing.T) {
	second := seen(traffic.Withdrawn, 3)
	second.Target = "second"
	built := makeStatus(newInput(withSecond, unlisted(""), withTraffic(seen(traffic.CircuitOpen, 3), second)))
	healthy := meta.FindStatusCondition(built.Conditions, v1alpha1.ConditionHealthy)
	if want := "no target can be used; first: CircuitOpen, second: ModelWithdrawn"; healthy.Message != want {
		t.Errorf("Healthy says %q", healthy.Message)
	}
	models := meta.FindStatusCondition(built.Conditions, v1alpha1.ConditionModelsAvailable)
	want := `target first: not on the list; target second: provider OpenAICompatible answers that it does not offer "upstream-model", any more or to this ` +
		"account; name one that it offers in model, or a successor"
	if models.Message != want || models.Reason != v1alpha1.ReasonModelWithdrawn {
		t.Errorf("ModelsAvailable is %s and says %q", models.Reason, models.Message)
	}
}

// TestMessagesFit: the longest names that there can be make a status that the API takes.
func TestMessagesFit(t *testing.T) {
	blocks := []traffic.Block{traffic.Withdrawn, traffic.NoQuota, traffic.KeyRefused, traffic.CoolingDown, traffic.CircuitOpen, traffic.ErrorRate, traffic.Open}
	for _, block := range blocks {
		in := newInput()
		in.traffic = map[string]*fleet.Traffic{}
		in.route.Spec.Targets, in.report.Targets = nil, nil
		for i := range 16 {
			name := fmt.Sprintf("%s%02d", strings.Repeat("t", 61), i)
			in.route.Spec.Targets = append(in.route.Spec.Targets, v1alpha1.RouteTarget{
				Name: name, Model: strings.Repeat("ä", 256), CredentialRef: v1alpha1.LocalReference{Name: strings.Repeat("c", 253)},
			})
			in.report.Targets = append(in.report.Targets, compile.TargetReport{Name: name, State: v1alpha1.TargetAvailable})
			one := seen(block, 3)
			one.Target, one.Successor = name, strings.Repeat("ö", 256)
			in.traffic[name] = one
		}
		built := makeStatus(in)
		for i := range built.Targets {
			if length := len([]rune(built.Targets[i].Message)); length > 1024 || length == 0 {
				t.Errorf("%s: the message of a target has %d characters", block, length)
			}
		}
		for _, condition := range built.Conditions {
			if len([]rune(condition.Message)) > 32768 {
				t.Errorf("%s: the message of %s has %d characters", block, condition.Type, len([]rune(condition.Message)))
			}
		}
	}
}

func TestStatusOfTrafficIsStable(t *testing.T) {
	busy := seen(traffic.CircuitOpen, 3)
	busy.Figures = fleet.Figures{ErrorPermille: 617, FirstTokenMS: 1234, TokensPerSecond: 77}
	in := newInput(withTraffic(busy))
	in.route.Status = makeStatus(in)
	in.now = in.now.Add(time.Hour)
	busy.Figures = fleet.Figures{ErrorPermille: 622, FirstTokenMS: 1300, TokensPerSecond: 71}
	if diff := cmp.Diff(in.route.Status, makeStatus(in)); diff != "" {
		t.Errorf("an hour later (-before +after):\n%s", diff)
	}
}
