package modelroute

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/proxy/traffic"
)

// provider lets the ProviderCredential of the target be in a state.
func provider(state v1alpha1.HealthState, reason string) func(*input) {
	return func(in *input) {
		credential := controllertest.Credential("team-a", "provider")
		credential.Status.Health = &v1alpha1.ProviderHealth{State: state, Reason: reason, Message: "so says the provider"}
		in.credentials["provider"] = credential
	}
}

// calls lets so many of a thousand calls of the target fail.
func calls(permille int64) func(*input) {
	return withTraffic(&fleet.Traffic{Target: "first", Proxies: 1, Figures: fleet.Figures{ErrorPermille: permille, FirstTokenMS: fleet.Unknown, TokensPerSecond: fleet.Unknown, FirstTokenP95MS: fleet.Unknown}})
}

func TestHealthOfTargets(t *testing.T) {
	was := func(state v1alpha1.HealthState) func(*input) {
		return func(in *input) {
			in.route.Status.Targets = []v1alpha1.RouteTargetStatus{{Name: "first", State: v1alpha1.TargetAvailable, Health: state}}
		}
	}
	cases := map[string]struct {
		in     *input
		want   v1alpha1.HealthState
		reason string
	}{
		"nothing is known":                {in: newInput(), want: v1alpha1.HealthUnknown},
		"the provider does well":          {in: newInput(provider(v1alpha1.HealthHealthy, "ProbeSucceeded")), want: v1alpha1.HealthHealthy},
		"the provider is slow":            {in: newInput(provider(v1alpha1.HealthDegraded, "Slow")), want: v1alpha1.HealthDegraded, reason: "Slow"},
		"the provider is down":            {in: newInput(provider(v1alpha1.HealthDown, "Unreachable")), want: v1alpha1.HealthDown, reason: "Unreachable"},
		"calls tell alone":                {in: newInput(calls(10)), want: v1alpha1.HealthHealthy},
		"calls that work do not outweigh": {in: newInput(provider(v1alpha1.HealthDown, "CallsFail"), calls(0)), want: v1alpha1.HealthDown, reason: "CallsFail"},
		"this model's calls fail":         {in: newInput(provider(v1alpha1.HealthHealthy, ""), calls(200)), want: v1alpha1.HealthDegraded, reason: "CallsFail"},
		"fewer fail":                      {in: newInput(provider(v1alpha1.HealthHealthy, ""), calls(190)), want: v1alpha1.HealthHealthy},
		"fewer fail than did":             {in: newInput(provider(v1alpha1.HealthHealthy, ""), was(v1alpha1.HealthDegraded), calls(190)), want: v1alpha1.HealthDegraded, reason: "CallsFail"},
		"hardly any fails any more":       {in: newInput(provider(v1alpha1.HealthHealthy, ""), was(v1alpha1.HealthDegraded), calls(90)), want: v1alpha1.HealthHealthy},
		"its circuit is open":             {in: newInput(provider(v1alpha1.HealthHealthy, ""), withTraffic(seen(traffic.CircuitOpen, 3))), want: v1alpha1.HealthDown, reason: "CircuitOpen"},
		"at one of three proxies":         {in: newInput(provider(v1alpha1.HealthHealthy, ""), withTraffic(seen(traffic.CircuitOpen, 1))), want: v1alpha1.HealthDegraded, reason: "CircuitOpen"},
		"its rate is limited":             {in: newInput(provider(v1alpha1.HealthHealthy, ""), withTraffic(seen(traffic.CoolingDown, 3))), want: v1alpha1.HealthRateLimited, reason: "CoolingDown"},
		"no quota is left":                {in: newInput(provider(v1alpha1.HealthHealthy, ""), withTraffic(seen(traffic.NoQuota, 3))), want: v1alpha1.HealthRateLimited, reason: "CoolingDown"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := makeStatus(tc.in).Targets[0]
			if got.Health != tc.want || got.Reason != tc.reason || (got.Message == "") != (tc.reason == "") {
				t.Errorf("it is %s, %q: %q; want %s, %q", got.Health, got.Reason, got.Message, tc.want, tc.reason)
			}
		})
	}
}

func TestSinceIsThatOfStateAndHealth(t *testing.T) {
	before := metav1.NewTime(noon().Add(-time.Hour))
	cases := map[string]struct {
		stored v1alpha1.RouteTargetStatus
		want   metav1.Time
	}{
		"as it was":     {stored: v1alpha1.RouteTargetStatus{Name: "first", State: v1alpha1.TargetAvailable, Health: v1alpha1.HealthHealthy, Since: before}, want: before},
		"another state": {stored: v1alpha1.RouteTargetStatus{Name: "first", State: v1alpha1.TargetUnavailable, Health: v1alpha1.HealthHealthy, Since: before}, want: metav1.NewTime(noon())},
		"was worse":     {stored: v1alpha1.RouteTargetStatus{Name: "first", State: v1alpha1.TargetAvailable, Health: v1alpha1.HealthDown, Since: before}, want: metav1.NewTime(noon())},
		"is new":        {want: metav1.NewTime(noon())},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := newInput(provider(v1alpha1.HealthHealthy, ""))
			in.route.Status.Targets = []v1alpha1.RouteTargetStatus{tc.stored}
			if got := makeStatus(in).Targets[0].Since; !got.Equal(&tc.want) {
				t.Errorf("since %s, want %s", got, tc.want)
			}
		})
	}
}
