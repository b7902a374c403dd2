package keyprovision

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

const (
	// defaultOverlap holds for objects that were stored without the API's default.
	defaultOverlap = 10 * time.Minute
	// listTimeout bounds a list of keys with all its pages.
	listTimeout = 20 * time.Second
)

// problem is what a user can do something about.
type problem struct {
	text string
	// local tells that it lies in the cluster, so that the provider need not be left alone for it.
	local bool
	// lost tells that without an edit there is no way to the provider.
	lost bool
	// after is when to try again; 0 leaves it to the number of failures.
	after time.Duration
}

func (p *problem) Error() string { return p.text }

// problemOf turns the errors that are a user's or the provider's matter into a problem.
func problemOf(err error) (*problem, bool) {
	var found *problem
	if errors.As(err, &found) {
		return found, true
	}
	var refused *management.RefusedError
	var unsent *management.NotSentError
	var unclear *management.UnclearError
	switch {
	case errors.As(err, &refused):
		return &problem{text: refused.Error(), after: refused.RetryAfter}, true
	case errors.As(err, &unsent):
		return &problem{text: unsent.Error()}, true
	case errors.As(err, &unclear):
		return &problem{text: unclear.Error()}, true
	case errors.Is(err, management.ErrTooMany):
		return &problem{text: err.Error()}, true
	}
	return nil, false
}

// prefix begins the names of all keys that are made for a credential, and of no others: the UID is unique over all clusters.
func prefix(credential *v1alpha1.ProviderCredential) string {
	sum := sha256.Sum256([]byte(credential.Namespace + "/" + string(credential.UID)))
	return "signalbox-" + hex.EncodeToString(sum[:8]) + "-"
}

// managementKey is the key that the management API is called with. Where the Secret goes before the credential, as with a namespace, the one that worked last still serves to
// delete what was made with it.
func (r *Reconciler) managementKey(ctx context.Context, credential *v1alpha1.ProviderCredential) (string, error) {
	key, err := r.storedManagementKey(ctx, credential)
	var missing *problem
	if errors.As(err, &missing) && missing.lost && !credential.DeletionTimestamp.IsZero() {
		if before := r.Attempts.managementKey(credential); before != "" {
			return before, nil
		}
	}
	return key, err
}

// storedManagementKey reads the management key in its Secret.
func (r *Reconciler) storedManagementKey(ctx context.Context, credential *v1alpha1.ProviderCredential) (string, error) {
	ref := managementRef(credential)
	var secret corev1.Secret
	err := r.Keys.Get(ctx, types.NamespacedName{Namespace: credential.Namespace, Name: ref.Name}, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return "", &problem{local: true, lost: true, text: fmt.Sprintf("there is no Secret %s with the label %s=true, which is to hold the management key; create it, or label it: kubectl label secret -n %s %s %s=true",
			ref.Name, v1alpha1.LabelProviderKey, credential.Namespace, ref.Name, v1alpha1.LabelProviderKey)}
	case err != nil:
		return "", fmt.Errorf("reading Secret %s/%s: %w", credential.Namespace, ref.Name, err)
	}
	key := strings.TrimSuffix(strings.TrimSuffix(string(secret.Data[ref.Key]), "\n"), "\r")
	if key == "" || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", &problem{local: true, lost: true, text: fmt.Sprintf("Secret %s has no key %s that could be a management key; store it there", ref.Name, ref.Key)}
	}
	return key, nil
}

// list reads our keys at the provider.
func (r *Reconciler) list(ctx context.Context, keys management.Keys, prefix string) ([]management.Key, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return keys.List(ctx, prefix)
}

// gather reads everything but the list.
func (r *Reconciler) gather(ctx context.Context, credential *v1alpha1.ProviderCredential) (*input, error) {
	rotation := credential.Spec.Rotation
	in := &input{
		now: r.Clock.Now(), overlap: defaultOverlap, prefix: prefix(credential), owner: string(credential.UID),
		deleting: !credential.DeletionTimestamp.IsZero(),
	}
	if rotation.Provision.Every != nil {
		in.every = rotation.Provision.Every.Duration
	}
	if rotation.Overlap != nil {
		in.overlap = rotation.Overlap.Duration
	}
	secret, err := r.secret(ctx, credential)
	if err != nil {
		return nil, err
	}
	in.secret = readContent(secret, secretRef(credential).Key)
	if in.secret.state.owner != in.owner {
		if err := r.takeOver(ctx, credential, in); err != nil {
			return nil, err
		}
	}
	if in.inUse, err = r.inUse(ctx, credential); err != nil {
		return nil, err
	}
	in.recent = r.Attempts.recently(credential, in.secret.state.intent, in.now)
	in.refusedSince = refusedSince(credential, in.secret.state.current.fingerprint)
	return in, nil
}

// secret reads the Secret of the key past any cache, nil if there is none. Of one without the label nothing but the metadata is read.
func (r *Reconciler) secret(ctx context.Context, credential *v1alpha1.ProviderCredential) (*corev1.Secret, error) {
	name := types.NamespacedName{Namespace: credential.Namespace, Name: secretRef(credential).Name}
	head := &metav1.PartialObjectMetadata{}
	head.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, name, head)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading metadata of Secret %s: %w", name, err)
	case head.Labels[v1alpha1.LabelProviderKey] == "true":
		err = r.Live.Get(ctx, name, secret)
	case !credential.DeletionTimestamp.IsZero():
		return nil, nil
	default:
		return nil, &problem{local: true, text: fmt.Sprintf("Secret %s, which the key is to be written to, has no label %s=true; label it: kubectl label secret -n %s %s %s=true",
			name.Name, v1alpha1.LabelProviderKey, name.Namespace, name.Name, v1alpha1.LabelProviderKey)}
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return secret, nil
}

// takeOver forgets what a Secret remembers of a credential that is gone. If that credential is still there the Secret is not ours to write.
func (r *Reconciler) takeOver(ctx context.Context, credential *v1alpha1.ProviderCredential, in *input) error {
	owner := in.secret.state.owner
	in.secret.state = state{}
	if owner == "" {
		return nil
	}
	var others v1alpha1.ProviderCredentialList
	if err := r.Client.List(ctx, &others, client.InNamespace(credential.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing ProviderCredentials: %w", err)
	}
	for i := range others.Items {
		if string(others.Items[i].UID) != owner {
			continue
		}
		if in.deleting {
			in.secret = content{}
			return nil
		}
		return &problem{local: true, text: fmt.Sprintf("the keys of ProviderCredential %s are written to Secret %s already; give this one a Secret of its own", others.Items[i].Name, secretRef(credential).Name)}
	}
	return nil
}

// inUse are the fingerprints of the keys that the delivered table has of a credential.
func (r *Reconciler) inUse(ctx context.Context, credential *v1alpha1.ProviderCredential) ([]string, error) {
	delivered, _, err := r.Tables.Table(ctx, credential.Namespace)
	if err != nil || delivered == nil {
		return nil, err
	}
	var fingerprints []string
	for i := range delivered.Credentials {
		if delivered.Credentials[i].Name != credential.Name {
			continue
		}
		for _, key := range delivered.Credentials[i].Keys {
			fingerprints = append(fingerprints, key.Fingerprint)
		}
	}
	return fingerprints, nil
}

// refusedSince is from when on the provider has been refusing a key, as the status says; zero if it does not.
func refusedSince(credential *v1alpha1.ProviderCredential, fingerprint string) time.Time {
	for _, key := range credential.Status.Keys {
		if fingerprint != "" && key.Fingerprint == fingerprint && key.State == v1alpha1.KeyRejected {
			return key.Since.Time
		}
	}
	return time.Time{}
}
