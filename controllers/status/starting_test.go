package status_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/status"
)

func TestStarting(t *testing.T) {
	yes, no := metav1.ConditionTrue, metav1.ConditionFalse
	cases := map[string]struct {
		stored []metav1.Condition
		since  time.Time
		want   time.Duration
	}{
		"nothing is stored":          {since: at(20), want: 40 * time.Second},
		"not compiled before":        {stored: []metav1.Condition{condition("Programmed", no, v1alpha1.ReasonPending)}, since: at(20), want: 40 * time.Second},
		"patience is at its end":     {since: at(40).Add(-time.Minute)},
		"long ago":                   {since: at(0).Add(-time.Hour)},
		"nothing wants proxies":      {since: time.Time{}},
		"another clock is ahead":     {since: at(40).Add(time.Hour), want: time.Minute},
		"served before":              {stored: []metav1.Condition{condition("Programmed", yes, v1alpha1.ReasonProgrammed)}, since: at(20)},
		"told before":                {stored: []metav1.Condition{condition("Programmed", no, v1alpha1.ReasonNoReadyProxy)}, since: at(20)},
		"another condition is true":  {stored: []metav1.Condition{condition("Accepted", yes, v1alpha1.ReasonAccepted)}, since: at(20), want: 40 * time.Second},
		"nothing had to be enforced": {stored: []metav1.Condition{condition("Programmed", no, v1alpha1.ReasonNoProxy)}, since: at(20), want: 40 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := status.Starting(tc.stored, "Programmed", tc.since, at(40)); got != tc.want {
				t.Errorf("it takes %s, want %s", got, tc.want)
			}
		})
	}
}
