package modelroute

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
)

func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// health is a ProviderCredential with one condition.
func health(kind string, state metav1.ConditionStatus, reason string) *v1alpha1.ProviderCredential {
	credential := controllertest.Credential("team-a", "provider")
	credential.Status.Conditions = []metav1.Condition{{Type: kind, Status: state, Reason: reason, Message: "the provider says " + reason}}
	return credential
}

// newInput is a route of generation 3 that everything is well with.
func newInput(changes ...func(*input)) *input {
	route := controllertest.Route("team-a", "chat")
	route.Generation = 3
	in := &input{
		route: route, now: noon(), ready: 2,
		report: &compile.ObjectReport{
			Kind: compile.KindModelRoute, Name: "chat", Generation: 3, Served: 3, Since: 10,
			Targets: []compile.TargetReport{{Name: "first", State: v1alpha1.TargetAvailable, Priced: compile.Priced}},
		},
		credentials: map[string]*v1alpha1.ProviderCredential{
			"provider": health(v1alpha1.ConditionHealthy, metav1.ConditionTrue, v1alpha1.ReasonProbeSucceeded),
		},
	}
	for _, change := range changes {
		change(in)
	}
	return in
}

// finding is a change that adds one to the report.
func finding(condition, reason, field, message string) func(*input) {
	return func(in *input) {
		in.report.Findings = append(in.report.Findings, compile.Finding{Condition: condition, Reason: reason, Field: field, Message: message})
	}
}

// summarise lists conditions as "type=status reason".
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
		"all is well": {
			in: newInput(),
			want: "Ready=True Ready, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, " +
				"Programmed=True Programmed, Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"nothing is compiled yet": {
			in: newInput(func(in *input) { in.report = nil }),
			want: "Ready=False Pending, Accepted=Unknown Pending, ResolvedRefs=Unknown Pending, " +
				"Programmed=False Pending, Healthy=Unknown Pending, ModelsAvailable=Unknown Pending",
		},
		"only an older generation is compiled": {
			in: newInput(func(in *input) { in.report.Generation = 2 }),
			want: "Ready=False Pending, Accepted=Unknown Pending, ResolvedRefs=Unknown Pending, " +
				"Programmed=False Pending, Healthy=Unknown Pending, ModelsAvailable=Unknown Pending",
		},
		"the table's name is taken": {
			in: newInput(func(in *input) { in.report, in.blocked = nil, true }),
			want: "Ready=False Conflict, Accepted=Unknown Pending, ResolvedRefs=Unknown Pending, " +
				"Programmed=False Conflict, Healthy=Unknown Pending, ModelsAvailable=Unknown Pending",
		},
		"an object's name is taken": {
			in: newInput(finding(v1alpha1.ConditionProgrammed, v1alpha1.ReasonConflict, "", "taken")),
			want: "Ready=False Conflict, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, " +
				"Programmed=False Conflict, Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"no proxy is ready": {
			in: newInput(func(in *input) { in.ready = 0 }),
			want: "Ready=False NoReadyProxy, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, " +
				"Programmed=False NoReadyProxy, Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"the proxies of a new route are starting": {
			in: newInput(func(in *input) { in.ready, in.route.CreationTimestamp = 0, metav1.NewTime(noon().Add(-59*time.Second)) }),
			want: "Ready=False Pending, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, " +
				"Programmed=False Pending, Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"its provider is being asked about its key": {
			in: newInput(func(in *input) {
				in.report.Targets[0].State, in.report.Targets[0].Reason = v1alpha1.TargetUnavailable, v1alpha1.ReasonPending
			}, finding(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonPending, "", "is being asked")),
			want: "Ready=False Pending, Accepted=True Accepted, ResolvedRefs=False Pending, " +
				"Programmed=True Programmed, Healthy=Unknown Pending, ModelsAvailable=True ModelsAvailable",
		},
		"a proxy is behind": {
			in: newInput(func(in *input) { in.behind = 1 }),
			want: "Ready=False Pending, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, " +
				"Programmed=False Pending, Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"the spec is invalid and the last good one is served": {
			in: newInput(finding(v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "spec.models[0]", "is bad"), func(in *input) { in.report.Served = 2 }),
			want: "Ready=False Invalid, Accepted=False Invalid, ResolvedRefs=True ResolvedRefs, Programmed=False LastGoodServed, " +
				"Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"the spec is invalid and nothing is served": {
			in: newInput(finding(v1alpha1.ConditionAccepted, v1alpha1.ReasonModelConflict, "", "lost to x"), func(in *input) { in.report.Served = 0 }),
			want: "Ready=False ModelConflict, Accepted=False ModelConflict, ResolvedRefs=True ResolvedRefs, Programmed=False Invalid, " +
				"Healthy=True TargetsAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"a reference does not resolve": {
			in: newInput(finding(v1alpha1.ConditionResolvedRefs, v1alpha1.ReasonBackendNotFound, "", "gone"), func(in *input) {
				in.report.Targets[0].State, in.report.Targets[0].Reason = v1alpha1.TargetUnavailable, v1alpha1.ReasonBackendNotFound
				in.credentials = nil
			}),
			want: "Ready=False BackendNotFound, Accepted=True Accepted, ResolvedRefs=False BackendNotFound, Programmed=True Programmed, " +
				"Healthy=False NoTargetAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"the provider is ill": {
			in: newInput(func(in *input) {
				in.credentials["provider"] = health(v1alpha1.ConditionHealthy, metav1.ConditionFalse, v1alpha1.ReasonProbeFailed)
			}),
			want: "Ready=False NoTargetAvailable, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, Programmed=True Programmed, " +
				"Healthy=False NoTargetAvailable, ModelsAvailable=True ModelsAvailable",
		},
		"the provider may not be probed": {
			in: newInput(func(in *input) {
				in.credentials["provider"] = health(v1alpha1.ConditionHealthy, metav1.ConditionUnknown, v1alpha1.ReasonProbeNotPermitted)
			}),
			want: "Ready=True Ready, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, " +
				"Programmed=True Programmed, Healthy=Unknown Pending, ModelsAvailable=True ModelsAvailable",
		},
		"the only target is drained": {
			in: newInput(func(in *input) {
				in.report.Targets[0].State, in.report.Targets[0].Reason = v1alpha1.TargetDrained, v1alpha1.ReasonDrained
			}),
			want: "Ready=False NoTargetAvailable, Accepted=True Accepted, ResolvedRefs=True ResolvedRefs, Programmed=True Programmed, " +
				"Healthy=False NoTargetAvailable, ModelsAvailable=True ModelsAvailable",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			built := makeStatus(tc.in)
			if diff := cmp.Diff(tc.want, summarise(built.Conditions)); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			for _, condition := range built.Conditions {
				if condition.ObservedGeneration != 3 || condition.Message == "" {
					t.Errorf("condition %+v", condition)
				}
			}
		})
	}
}

func TestMessagesTellEverything(t *testing.T) {
	in := newInput(
		finding(v1alpha1.ConditionAccepted, v1alpha1.ReasonInvalid, "spec.models[0]", "is bad"),
		finding(v1alpha1.ConditionAccepted, v1alpha1.ReasonModelConflict, "spec.models[1]", "spec.models[1]: lost to other"),
	)
	accepted := meta.FindStatusCondition(makeStatus(in).Conditions, v1alpha1.ConditionAccepted)
	if want := "spec.models[0]: is bad; spec.models[1]: lost to other"; accepted.Message != want || accepted.Reason != v1alpha1.ReasonInvalid {
		t.Errorf("the condition is %+v", accepted)
	}
}

func TestTargets(t *testing.T) {
	two := func(in *input) {
		second := in.route.Spec.Targets[0]
		second.Name, second.CredentialRef.Name = "second", "other"
		in.route.Spec.Targets = append(in.route.Spec.Targets, second)
		in.report.Targets = append(in.report.Targets, compile.TargetReport{
			Name: "second", State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendNotFound, Message: "gone", Priced: compile.Unpriced,
		})
	}
	cases := map[string]struct {
		in        *input
		available string
		want      []v1alpha1.RouteTargetStatus
	}{
		"one works, one does not": {
			in: newInput(two), available: "1/2",
			want: []v1alpha1.RouteTargetStatus{
				{Name: "first", State: v1alpha1.TargetAvailable, Priced: "Priced"},
				{Name: "second", State: v1alpha1.TargetUnavailable, Reason: "BackendNotFound", Message: "gone", Priced: "Unpriced"},
			},
		},
		"not compiled yet": {
			in: newInput(func(in *input) { in.report = nil }), available: "0/1",
			want: []v1alpha1.RouteTargetStatus{{Name: "first", State: v1alpha1.TargetUnavailable, Reason: "Pending"}},
		},
		"a target whose key is rejected is not counted": {
			in: newInput(func(in *input) {
				in.credentials["provider"] = health(v1alpha1.ConditionKeyValid, metav1.ConditionFalse, v1alpha1.ReasonKeyRejected)
			}),
			available: "0/1",
			want: []v1alpha1.RouteTargetStatus{{
				Name: "first", State: v1alpha1.TargetUnavailable, Reason: "KeyRejected", Message: "the provider says KeyRejected", Priced: "Priced",
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			built := makeStatus(tc.in)
			if diff := cmp.Diff(tc.want, built.Targets, cmpopts.IgnoreFields(v1alpha1.RouteTargetStatus{}, "Health", "Since")); diff != "" {
				t.Errorf("targets (-want +got):\n%s", diff)
			}
			if built.AvailableTargets != tc.available || built.Address != "http://signalbox.team-a/v1" || built.ObservedGeneration != 3 {
				t.Errorf("status is %+v", built)
			}
		})
	}
}

func TestStatusIsStable(t *testing.T) {
	in := newInput()
	in.route.Status = makeStatus(in)
	in.now = in.now.Add(time.Hour)
	if diff := cmp.Diff(in.route.Status, makeStatus(in)); diff != "" {
		t.Errorf("an hour later (-before +after):\n%s", diff)
	}
}

func TestCount(t *testing.T) {
	if got := count(1, "proxy", "proxies") + ", " + count(2, "proxy", "proxies"); got != "1 proxy, 2 proxies" {
		t.Error(got)
	}
}

func TestAddress(t *testing.T) {
	in := newInput(func(in *input) {
		in.proxy.TLS = &platform.TLS{SecretName: "tls", Plaintext: platform.Disabled}
	})
	if got := makeStatus(in).Address; got != "https://signalbox.team-a/v1" {
		t.Errorf("without a plain port the address is %s", got)
	}
}

// TestWaitsForACertificate: the Secret is named where nothing is served without it, and only there.
func TestWaitsForACertificate(t *testing.T) {
	for name, tc := range map[string]struct {
		tls   *platform.TLS
		ready int
		want  bool
	}{
		"TLS alone":              {&platform.TLS{SecretName: "web-tls", Plaintext: platform.Disabled}, 0, true},
		"TLS alone, and ready":   {&platform.TLS{SecretName: "web-tls", Plaintext: platform.Disabled}, 1, false},
		"a plain port, too":      {&platform.TLS{SecretName: "web-tls", Plaintext: platform.Enabled}, 0, false},
		"a plain port if unsaid": {&platform.TLS{SecretName: "web-tls"}, 0, false},
		"without TLS":            {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInput(func(in *input) { in.proxy.TLS, in.ready = tc.tls, tc.ready })
			programmed := meta.FindStatusCondition(makeStatus(in).Conditions, v1alpha1.ConditionProgrammed)
			if got := strings.Contains(programmed.Message, `Secret "web-tls"`); got != tc.want {
				t.Errorf("the message is %s", programmed.Message)
			}
		})
	}
}
