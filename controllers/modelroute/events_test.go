package modelroute

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
)

// told takes the events so far.
func (w *world) told() string {
	var all []string
	for len(w.events.Events) > 0 {
		all = append(all, <-w.events.Events)
	}
	return strings.Join(all, "\n")
}

// deliver replaces what the namespace's report says of the route.
func (w *world) deliver(t *testing.T, said *compile.ObjectReport) {
	t.Helper()
	said.Kind, said.Name, said.UID, said.Generation, said.Since = compile.KindModelRoute, "chat", "uid-1", 3, 5
	packed, err := compile.EncodeReport(compile.Report{Sequence: 5, Objects: []compile.ObjectReport{*said}})
	if err != nil {
		t.Fatal(err)
	}
	var secret corev1.Secret
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: "team-a", Name: platform.TableSecret}, &secret); err != nil {
		t.Fatal(err)
	}
	secret.Data[platform.ReportKey] = packed
	if err := w.client.Update(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
}

func lost(target string) (compile.Finding, compile.TargetReport) {
	return compile.Finding{Condition: v1alpha1.ConditionResolvedRefs, Reason: v1alpha1.ReasonBackendNotFound, Message: target + " has none"},
		compile.TargetReport{Name: target, State: v1alpha1.TargetUnavailable, Reason: v1alpha1.ReasonBackendNotFound}
}

func twoTargets() *v1alpha1.ModelRoute {
	route := storedRoute()
	second := route.Spec.Targets[0]
	second.Name = "second"
	route.Spec.Targets = append(route.Spec.Targets, second)
	return route
}

// One mistake is one event, also where two conditions become bad by it.
func TestAMissingCredentialIsToldOnce(t *testing.T) {
	w := newWorld(twoTargets(), tableSecret(t, "uid-1"))
	first, firstTarget := lost("first")
	second, secondTarget := lost("second")
	w.deliver(t, &compile.ObjectReport{Served: 3, Findings: []compile.Finding{first, second}, Targets: []compile.TargetReport{firstTarget, secondTarget}})
	w.reconcile(t)
	if diff := cmp.Diff("Warning BackendNotFound ResolvedRefs: first has none; second has none", w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// That the last target is lost is an event even if ResolvedRefs has told of another one before, and of the last one tells nothing.
func TestTheLastTargetLostIsTold(t *testing.T) {
	w := newWorld(twoTargets(), tableSecret(t, "uid-1"), controllertest.Credential("team-a", "provider"))
	first, firstTarget := lost("first")
	second, secondTarget := lost("second")
	w.deliver(t, &compile.ObjectReport{
		Served: 3, Findings: []compile.Finding{first}, Targets: []compile.TargetReport{firstTarget, {Name: "second", State: v1alpha1.TargetAvailable}},
	})
	w.reconcile(t)
	if diff := cmp.Diff("Warning BackendNotFound ResolvedRefs: first has none", w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	w.deliver(t, &compile.ObjectReport{Served: 3, Findings: []compile.Finding{first, second}, Targets: []compile.TargetReport{firstTarget, secondTarget}})
	w.reconcile(t)
	if diff := cmp.Diff("Warning NoTargetAvailable Healthy: no target can be used; first: BackendNotFound, second: BackendNotFound", w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Proxies of a new route may take a while. If they take longer that is told, and not taken back before one is ready.
func TestProxiesThatDoNotStartAreToldInTheEnd(t *testing.T) {
	route := storedRoute()
	route.CreationTimestamp = metav1.NewTime(noon())
	w := newWorld(route, tableSecret(t, "uid-1"), controllertest.Credential("team-a", "provider"))
	w.fleet.ready = 0
	w.clock.Step(20 * time.Second)
	result := w.reconcile(t)
	if got := w.programmed(t); got != "False Pending" || result.RequeueAfter != 40*time.Second || w.told() != "" {
		t.Errorf("at first Programmed is %s, and it is looked at again after %s", got, result.RequeueAfter)
	}
	w.clock.Step(result.RequeueAfter)
	if result := w.reconcile(t); result.RequeueAfter != 0 {
		t.Errorf("in the end it is looked at again after %s", result.RequeueAfter)
	}
	want := "Warning NoReadyProxy Programmed: no proxy pod is ready; see: kubectl get pods -n team-a -l app.kubernetes.io/name=signalbox-proxy"
	if diff := cmp.Diff(want, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// Proxies that were ready and are not any more are told at once, however young the route is.
func TestProxiesThatAreGoneAreToldAtOnce(t *testing.T) {
	route := storedRoute()
	route.CreationTimestamp = metav1.NewTime(noon())
	w := newWorld(route, tableSecret(t, "uid-1"), controllertest.Credential("team-a", "provider"))
	w.reconcile(t)
	w.told()
	w.fleet.ready = 0
	for range 2 {
		w.reconcile(t)
		if got := w.programmed(t); got != "False NoReadyProxy" {
			t.Errorf("Programmed is %s", got)
		}
	}
	if got := w.told(); strings.Count(got, "NoReadyProxy") != 1 {
		t.Errorf("events are %q", got)
	}
}

func TestNothingServedFollowsFromWhatIsNotAccepted(t *testing.T) {
	w := newWorld(storedRoute(), tableSecret(t, "uid-1"))
	w.deliver(t, &compile.ObjectReport{
		Findings: []compile.Finding{{Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonModelConflict, Message: "lost to x"}},
		Targets:  []compile.TargetReport{{Name: "first", State: v1alpha1.TargetAvailable}},
	})
	w.reconcile(t)
	if diff := cmp.Diff("Warning ModelConflict Accepted: lost to x", w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
