package status

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// startPatience is how long the first proxies of a namespace may take until it is trouble that none is ready: an image to pull, a container to start.
const startPatience = time.Minute

// Starting is for how much longer it is no trouble yet that no proxy is ready: proxies are wanted since a moment, and the first ones are on their way. A
// condition that was true, or that has told of the trouble already, leaves no time.
func Starting(stored []metav1.Condition, kind string, since, now time.Time) time.Duration {
	if old := meta.FindStatusCondition(stored, kind); old != nil && (old.Status == metav1.ConditionTrue || old.Reason == v1alpha1.ReasonNoReadyProxy) {
		return 0
	}
	return min(startPatience, max(0, since.Add(startPatience).Sub(now)))
}
