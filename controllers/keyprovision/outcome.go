package keyprovision

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/secrets"
)

// giveUpAfter is how long the deletion of a credential is held up by keys that cannot be deleted.
const giveUpAfter = 10 * time.Minute

// tell notes how it stands.
func (r *Reconciler) tell(credential *v1alpha1.ProviderCredential, in *input, planned step) {
	condition := metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonProvisioned}
	state := in.secret.state
	switch planned.told {
	case onSchedule:
		condition.Message = fmt.Sprintf("the key was made at %s; the next one is made at %s", writeTime(state.current.at), writeTime(in.due()))
	case making:
		condition.Reason, condition.Message = v1alpha1.ReasonProvisioning, "a key is being made"
		if state.retiring != nil {
			condition.Message = "a key was made; the one before it is deleted at the provider when no proxy can use it any more"
		}
		if in.secret.value == "" {
			condition.Status = metav1.ConditionUnknown
		}
	case foreign:
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonProvisionFailed
		condition.Message = fmt.Sprintf("Secret %s holds a key that Signalbox did not make; it is used, and replaced at %s. To replace it at once, remove the key %s from the Secret",
			secretRef(credential).Name, writeTime(in.due()), secretRef(credential).Key)
	case refused:
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonProvisionFailed
		condition.Message = "the provider refuses the key that was made; the one before it goes on being used, and another one is made later. See whether the management key belongs to the account and project that spec.endpoint leads to"
	}
	r.Standing.set(nameOf(credential), condition)
}

// fail notes a problem and tries again later. Of a credential that is being deleted it gives up in time.
func (r *Reconciler) fail(ctx context.Context, credential *v1alpha1.ProviderCredential, problem *problem) (reconcile.Result, error) {
	now := r.Clock.Now()
	r.Standing.set(nameOf(credential), metav1.Condition{
		Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonProvisionFailed, Message: problem.text + ". The key in the Secret goes on being used",
	})
	if deleted := credential.DeletionTimestamp; deleted != nil && (problem.lost || now.Sub(deleted.Time) >= giveUpAfter) {
		return reconcile.Result{}, r.giveUp(ctx, credential, problem.text)
	}
	if problem.local {
		return reconcile.Result{RequeueAfter: secrets.RecheckAfter}, nil
	}
	return reconcile.Result{RequeueAfter: r.inTime(credential, r.Attempts.failed(credential, now, problem.after))}, nil
}

// inTime is a pause that does not outlast what the deletion of a credential may take.
func (r *Reconciler) inTime(credential *v1alpha1.ProviderCredential, pause time.Duration) time.Duration {
	if credential.DeletionTimestamp == nil {
		return pause
	}
	return max(time.Second, min(pause, giveUpAfter-r.Clock.Since(credential.DeletionTimestamp.Time)))
}

// giveUpLate lets a credential go whose provider is left alone for longer than its deletion may take.
func (r *Reconciler) giveUpLate(ctx context.Context, credential *v1alpha1.ProviderCredential) error {
	if deleted := credential.DeletionTimestamp; deleted == nil || r.Clock.Since(deleted.Time) < giveUpAfter {
		return nil
	}
	return r.giveUp(ctx, credential, "the management API has been failing")
}

// giveUp lets a credential go and says which keys it leaves behind.
func (r *Reconciler) giveUp(ctx context.Context, credential *v1alpha1.ProviderCredential, why string) error {
	known := "their ids are not known"
	if secret, err := r.secret(ctx, credential); err == nil && secret != nil {
		if state := readState(secret.Annotations); state.owner == string(credential.UID) && len(state.referenced()) > 0 {
			known = "known ids: " + strings.Join(state.referenced(), ", ")
		}
	}
	note := fmt.Sprintf("keys of this ProviderCredential could not be deleted at the provider; delete those whose names begin with %s there by hand (%s). The reason: %s", prefix(credential), known, why)
	r.Events.Eventf(credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonProvisionFailed, "Delete", "%s", note[:min(len(note), maxNote)])
	// A namespace that is going takes no events.
	ctrl.LoggerFrom(ctx).Info("keys are left behind at the provider", "credential", nameOf(credential), "names", prefix(credential)+"*", "known", known)
	return r.release(ctx, credential)
}

// maxNote is the longest text that the API takes in an event.
const maxNote = 1024
