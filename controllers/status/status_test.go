package status_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/status"
)

func at(second int) time.Time { return time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC) }

func condition(kind string, state metav1.ConditionStatus, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: state, Reason: reason, Message: "because"}
}

func TestSet(t *testing.T) {
	var conditions []metav1.Condition
	status.Set(&conditions, 1, at(1), condition("Ready", metav1.ConditionTrue, "Ready"))
	status.Set(&conditions, 2, at(2), condition("Ready", metav1.ConditionTrue, "Other"))
	want := []metav1.Condition{{
		Type: "Ready", Status: metav1.ConditionTrue, Reason: "Other", Message: "because", ObservedGeneration: 2, LastTransitionTime: metav1.NewTime(at(1)),
	}}
	if diff := cmp.Diff(want, conditions); diff != "" {
		t.Errorf("the same status (-want +got):\n%s", diff)
	}
	status.Set(&conditions, 3, at(3), condition("Ready", metav1.ConditionFalse, "Other"))
	if got := conditions[0].LastTransitionTime; !got.Time.Equal(at(3)) {
		t.Errorf("another status came at %s", got)
	}
}

func TestSetBoundsMessages(t *testing.T) {
	var conditions []metav1.Condition
	long := condition("Ready", metav1.ConditionTrue, "Ready")
	long.Message = strings.Repeat("é", 40000)
	status.Set(&conditions, 1, at(1), long)
	if got := len(conditions[0].Message); got > 32768 || got < 32760 {
		t.Errorf("the message has %d bytes", got)
	}
	if !strings.HasSuffix(conditions[0].Message, "é") {
		t.Error("the message ends inside of a character")
	}
}

// patch stores before, patches it to after, and returns the events and whether it wrote.
func patch(t *testing.T, before, after []metav1.Condition) (emitted []string, wrote bool) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stored := &v1alpha1.SpendBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "monthly"}}
	stored.Status.Conditions = before
	writes := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored).WithStatusSubresource(stored).Build()
	recorder := events.NewFakeRecorder(20)
	writer := status.Writer{Client: writes, Events: recorder, Adverse: []string{v1alpha1.ConditionExceeded}}

	ctx := context.Background()
	if err := writes.Get(ctx, client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	changed := stored.DeepCopy()
	changed.Status.Conditions = after
	wrote, err := writer.Patch(ctx, stored, changed)
	if err != nil {
		t.Fatal(err)
	}
	var written v1alpha1.SpendBudget
	if err := writes.Get(ctx, client.ObjectKeyFromObject(stored), &written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, written.Status.Conditions); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	close(recorder.Events)
	for event := range recorder.Events {
		emitted = append(emitted, event)
	}
	return emitted, wrote
}

func TestPatchEmitsEventsForChanges(t *testing.T) {
	yes, no, unknown := metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown
	cases := map[string]struct {
		before, after []metav1.Condition
		want          []string
		skipped       bool
	}{
		"nothing changed": {
			before: []metav1.Condition{condition("Ready", no, "Invalid")}, after: []metav1.Condition{condition("Ready", no, "Invalid")}, skipped: true,
		},
		"becomes ready": {
			before: []metav1.Condition{condition("Ready", no, "Invalid")}, after: []metav1.Condition{condition("Ready", yes, "Ready")},
			want: []string{corev1.EventTypeNormal + " Ready Ready: because"},
		},
		"another condition becoming good is no event": {
			before: []metav1.Condition{condition("Enforced", no, "NoProxy")}, after: []metav1.Condition{condition("Enforced", yes, "Enforced")},
		},
		"becomes bad": {
			before: []metav1.Condition{condition("Enforced", yes, "Enforced")}, after: []metav1.Condition{condition("Enforced", no, "NoProxy")},
			want: []string{corev1.EventTypeWarning + " NoProxy Enforced: because"},
		},
		"another reason while bad": {
			before: []metav1.Condition{condition("Enforced", no, "NoProxy")}, after: []metav1.Condition{condition("Enforced", no, "Invalid")},
			want: []string{corev1.EventTypeWarning + " Invalid Enforced: because"},
		},
		"the summary does not repeat": {
			after: []metav1.Condition{condition("Ready", no, "Invalid"), condition("Enforced", no, "Invalid")},
			want:  []string{corev1.EventTypeWarning + " Invalid Enforced: because"},
		},
		"waiting is no event": {
			after: []metav1.Condition{condition("Ready", unknown, "Pending"), condition("Enforced", no, "Pending")},
		},
		"a condition whose True is bad": {
			before: []metav1.Condition{condition("Exceeded", no, "WithinLimit")}, after: []metav1.Condition{condition("Exceeded", yes, "LimitReached")},
			want: []string{corev1.EventTypeWarning + " LimitReached Exceeded: because"},
		},
		"and whose False is good": {
			before: []metav1.Condition{condition("Exceeded", yes, "LimitReached")}, after: []metav1.Condition{condition("Exceeded", no, "WithinLimit")},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, wrote := patch(t, tc.before, tc.after)
			if wrote == tc.skipped {
				t.Errorf("wrote is %v", wrote)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPatchRefusesToOverwriteANewerObject(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	stored := &v1alpha1.ModelRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "chat"}}
	writes := fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored).WithStatusSubresource(stored).Build()
	ctx := context.Background()
	if err := writes.Get(ctx, client.ObjectKeyFromObject(stored), stored); err != nil {
		t.Fatal(err)
	}
	old := stored.DeepCopy()
	stored.Labels = map[string]string{"changed": "since"}
	if err := writes.Update(ctx, stored); err != nil {
		t.Fatal(err)
	}
	recorder := events.NewFakeRecorder(20)
	after := old.DeepCopy()
	after.Status.Conditions = []metav1.Condition{condition("Ready", metav1.ConditionFalse, "Invalid")}
	_, err := status.Writer{Client: writes, Events: recorder}.Patch(ctx, old, after)
	if !apierrors.IsConflict(err) {
		t.Errorf("got %v", err)
	}
	if len(recorder.Events) > 0 {
		t.Error("an event tells of a status that was not written")
	}
}
