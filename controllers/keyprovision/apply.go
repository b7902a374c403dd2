package keyprovision

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

const (
	// callTimeout bounds one call that makes or deletes a key. With it an intent is over well before it is settled.
	callTimeout = 20 * time.Second
	// storeTimeout bounds the write of a key that was made, which is not given up when the manager stops.
	storeTimeout = 10 * time.Second
)

// work is what a step is applied to.
type work struct {
	credential *v1alpha1.ProviderCredential
	in         *input
	keys       management.Keys
}

// apply executes a step.
func (r *Reconciler) apply(ctx context.Context, w work, planned step) error {
	switch planned.action {
	case write:
		_, err := r.store(ctx, w, planned.content)
		return err
	case create:
		return r.create(ctx, w, planned.content)
	case remove:
		return r.remove(ctx, w, planned.id)
	case release:
		return r.release(ctx, w.credential)
	case wait:
	}
	return nil
}

// create makes a key. That it may be made is stored first, so that no other one is made before it is known what became of it; then the key itself is stored, over
// nothing but what was stored first.
func (r *Reconciler) create(ctx context.Context, w work, intended content) error {
	stored, err := r.store(ctx, w, intended)
	if err != nil {
		return err
	}
	w.in.secret = readContent(stored, secretRef(w.credential).Key)
	wanted, err := r.stillWanted(ctx, w.credential)
	if err != nil {
		return err
	}
	if !wanted {
		_, err = r.store(ctx, w, w.in.withoutIntent())
		return err
	}
	// What the write took is off the call's time: the intent is as old as that. A manager that was stopped for a while, and whose intent another one has settled meanwhile,
	// finds the time over and sends nothing.
	called, cancel := context.WithTimeout(ctx, callTimeout-r.Clock.Since(w.in.now))
	made, err := w.keys.Create(called, intended.state.intent.name)
	cancel()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if management.NothingDone(err) {
		if _, failed := r.store(ctx, w, w.in.withoutIntent()); failed != nil {
			return failed
		}
		return err
	}
	r.Attempts.made(w.credential, management.Key{ID: made.ID, Name: intended.state.intent.name}, w.in.now)
	if err != nil {
		return err
	}
	_, err = r.store(ctx, w, w.in.stored(made))
	return err
}

// remove deletes a key.
func (r *Reconciler) remove(ctx context.Context, w work, id string) error {
	// The time counts from when it was seen that nobody uses the key, also for a manager that was stopped meanwhile.
	ctx, cancel := context.WithTimeout(ctx, callTimeout-r.Clock.Since(w.in.now))
	defer cancel()
	if err := w.keys.Delete(ctx, id); err != nil {
		return err
	}
	r.Attempts.removed(w.credential, id, w.in.now)
	return nil
}

// stillWanted reads the credential past the cache, after the intent was stored. Whoever lets the credential go looks for an intent once it is being deleted: either the
// deletion is seen here, or the intent there, and so no key is made that nobody is left to delete.
func (r *Reconciler) stillWanted(ctx context.Context, credential *v1alpha1.ProviderCredential) (bool, error) {
	var now v1alpha1.ProviderCredential
	err := r.Live.Get(ctx, nameOf(credential), &now)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading ProviderCredential %s: %w", nameOf(credential), err)
	}
	return now.UID == credential.UID && now.Generation == credential.Generation && now.DeletionTimestamp.IsZero(), nil
}

// store writes the Secret, if it is still as it was read, and returns it as it is now.
func (r *Reconciler) store(ctx context.Context, w work, changed content) (*corev1.Secret, error) {
	ref := secretRef(w.credential)
	if w.in.secret.object == nil {
		return r.createSecret(ctx, w.credential, changed)
	}
	before := w.in.secret.object
	after := before.DeepCopy()
	changed.write(after, ref.Key)
	if err := r.Client.Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return nil, unwritten(before, err)
	}
	return after, nil
}

// createSecret makes the Secret, which goes with the credential.
func (r *Reconciler) createSecret(ctx context.Context, credential *v1alpha1.ProviderCredential, changed content) (*corev1.Secret, error) {
	ref := secretRef(credential)
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: credential.Namespace, Name: ref.Name,
			Labels: map[string]string{v1alpha1.LabelProviderKey: "true"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.SchemeGroupVersion().String(), Kind: "ProviderCredential", Name: credential.Name, UID: credential.UID,
			}},
		},
	}
	changed.write(secret, ref.Key)
	if err := r.Client.Create(ctx, secret); err != nil {
		return nil, unwritten(secret, err)
	}
	return secret, nil
}

// unwritten tells a Secret that may not be written so, which somebody has to see to, from one that cannot be written for now.
func unwritten(secret *corev1.Secret, err error) error {
	refusals := []metav1.StatusReason{metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonBadRequest, metav1.StatusReasonRequestEntityTooLarge}
	if reason := apierrors.ReasonForError(err); slices.Contains(refusals, reason) {
		return &problem{local: true, text: fmt.Sprintf("the API server refuses to write Secret %s (%s); see whether the Secret is immutable, or a quota or an admission policy stands against it", secret.Name, reason)}
	}
	return fmt.Errorf("writing Secret %s/%s: %w", secret.Namespace, secret.Name, err)
}
