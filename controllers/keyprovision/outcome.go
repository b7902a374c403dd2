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
	case making, doubtful:
		condition.Reason, condition.Message = v1alpha1.ReasonProvisioning, "a key is being made"
		switch {
		case planned.told == doubtful:
			condition.Message = "a key may have been made that the provider's list does not show yet; it is looked for there for some minutes before another one is made"
		case state.retiring != nil:
			condition.Message = "a key was made; the one before it is deleted at the provider when no proxy can use it any more"
		}
		if in.secret.value == "" {
			condition.Status = metav1.ConditionUnknown
		}
	case foreign, refused, hurried, lingering, blocked:
		condition = failure(in.complaint(planned.told, secretRef(credential)))
	}
	if in.deleting && condition.Status != metav1.ConditionFalse {
		condition = metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProvisioning, Message: "the keys that were made are being deleted at the provider; the ProviderCredential goes with the last"}
	}
	if unseen := in.unseen(); len(unseen) > 0 && condition.Status != metav1.ConditionFalse && !in.deleting {
		condition = failure(fmt.Sprintf("the management key does not see %s, which it should: the key was deleted at the provider, or the management key is that of another account or project and cannot delete it. "+
			"The key in the Secret goes on being used. Store the management key of the account in which it was made, or delete it there by hand once Secret %s has another one", in.describe(unseen), secretRef(credential).Name))
	}
	r.Standing.set(nameOf(credential), condition)
}

func failure(message string) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonProvisionFailed, Message: message}
}

// complaint says what is wrong and what to do.
func (in *input) complaint(of told, secret v1alpha1.SecretKeyReference) string {
	switch of {
	case foreign:
		return fmt.Sprintf("Secret %s holds a key that Signalbox did not make; it is used, and replaced at %s. To replace it at once, remove the key %s from the Secret", secret.Name, writeTime(in.due()), secret.Key)
	case refused:
		return "the provider refuses the key that was made; the one before it goes on being used, and another one is made later. See whether the management key belongs to the account and project that spec.endpoint leads to"
	case hurried:
		return fmt.Sprintf("%d keys were made in a short time, because each was taken out of Secret %s again or could not be stored there; the next one is made later. See who else writes the Secret: kubectl get secret %s -o yaml --show-managed-fields", burst, secret.Name, secret.Name)
	case lingering:
		return "the provider goes on listing keys that it said to have deleted; no other one is made until they are gone. Delete them there by hand: " + strings.Join(in.lingering(), ", ")
	case blocked:
		return fmt.Sprintf("two keys are live at the provider, and Secret %s does not tell which of them the proxies use; neither is deleted and no other one is made until they use another. If the provider refuses the key in the Secret, or the annotations of the Secret were removed, remove the key %s from the Secret too: both are deleted then and another one is made, and calls fail for the seconds in between", secret.Name, secret.Key)
	case onSchedule, making, doubtful:
	}
	return ""
}

// describe names keys as one finds them at the provider.
func (in *input) describe(keys []ref) string {
	var described []string
	for _, key := range keys {
		described = append(described, fmt.Sprintf("the key with the id %s (named %s...)", key.id, in.prefix))
	}
	return strings.Join(described, " and ")
}

// lingering are the ids of the keys that are listed though they were deleted.
func (in *input) lingering() []string {
	var ids []string
	for _, key := range in.listed {
		if _, confirmed := in.recent.removed[key.ID]; confirmed && !in.knows(key) {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

// tellLost says which keys a step that was done has forgotten without their having been deleted.
func (r *Reconciler) tellLost(ctx context.Context, credential *v1alpha1.ProviderCredential, in *input, planned step) {
	if planned.action != write {
		return
	}
	if lost := in.lost(planned.content); len(lost) > 0 {
		note := fmt.Sprintf("the management key does not see %s, so it was not deleted; if it was not deleted by hand either, the management key is that of another account or project: delete it where it was made", in.describe(lost))
		r.warn(ctx, credential, note)
	}
}

// warn tells of keys that are left behind, in an event and, for a namespace that is going takes none, in the log.
func (r *Reconciler) warn(ctx context.Context, credential *v1alpha1.ProviderCredential, note string) {
	r.Events.Eventf(credential, nil, corev1.EventTypeWarning, v1alpha1.ReasonProvisionFailed, "Delete", "%s", note[:min(len(note), maxNote)])
	ctrl.LoggerFrom(ctx).Info("keys are left behind at the provider", "credential", nameOf(credential), "what", note)
}

// fail notes a problem and tries again later. Of a credential that is being deleted it gives up in time.
func (r *Reconciler) fail(ctx context.Context, credential *v1alpha1.ProviderCredential, problem *problem) (reconcile.Result, error) {
	now := r.Clock.Now()
	r.Standing.set(nameOf(credential), failure(problem.text+". "+meanwhile(credential)))
	if deleted := credential.DeletionTimestamp; deleted != nil && (problem.lost || now.Sub(deleted.Time) >= giveUpAfter) {
		return reconcile.Result{}, r.giveUp(ctx, credential, problem.text)
	}
	if problem.local {
		return reconcile.Result{RequeueAfter: secrets.RecheckAfter}, nil
	}
	return reconcile.Result{RequeueAfter: r.inTime(credential, r.Attempts.failed(credential, now, problem.after))}, nil
}

// meanwhile says what a problem means for now.
func meanwhile(credential *v1alpha1.ProviderCredential) string {
	switch {
	case credential.DeletionTimestamp != nil:
		return fmt.Sprintf("The ProviderCredential waits for its keys to be deleted until %s, and then leaves them behind", writeTime(credential.DeletionTimestamp.Add(giveUpAfter)))
	case len(credential.Status.Keys) == 0:
		return "There is no key yet"
	default:
		return "The key in the Secret goes on being used"
	}
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
		if state := readState(secret.Annotations); state.owner == string(credential.UID) && len(state.refs()) > 0 {
			var ids []string
			for _, key := range state.refs() {
				ids = append(ids, key.id)
			}
			known = "known ids: " + strings.Join(ids, ", ")
		}
	}
	r.warn(ctx, credential, fmt.Sprintf("keys of this ProviderCredential could not be deleted at the provider; delete those whose names begin with %s there by hand (%s). The reason: %s", prefix(credential), known, why))
	return r.release(ctx, credential)
}

// maxNote is the longest text that the API takes in an event.
const maxNote = 1024
