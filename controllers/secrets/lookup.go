package secrets

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
)

const (
	// RecheckAfter is when to look again for a Secret that is missing or has no label; nothing tells when it changes.
	RecheckAfter = 30 * time.Second

	// memory is how long an answer is remembered, so that a busy namespace does not ask for the same missing Secret all the time.
	memory = 10 * time.Second
	// maxRemembered bounds the memory.
	maxRemembered = 10000
)

// Lookup finds the Secrets that ProviderCredentials refer to.
type Lookup struct {
	labelled client.Reader
	live     client.Reader
	clock    clock.PassiveClock

	mutex      sync.Mutex
	remembered map[types.NamespacedName]answer
}

// state is what was found of a Secret that is not in the cache.
type state int

const (
	missing state = iota
	unlabelled
	labelled
)

// answer is a state that is remembered for a while.
type answer struct {
	state state
	until time.Time
}

// NewLookup reads labelled Secrets from a cache and asks the API server for the metadata of others.
func NewLookup(labelled, live client.Reader, clock clock.PassiveClock) *Lookup {
	return &Lookup{labelled: labelled, live: live, clock: clock, remembered: map[types.NamespacedName]answer{}}
}

// Referenced are the Secrets that a namespace's ProviderCredentials can use or try to.
type Referenced struct {
	// Labelled are all Secrets of the namespace that carry the label, whether or not a credential refers to them now: the key that stays in use after a bad
	// edit is in one that the edit left.
	Labelled []corev1.Secret
	// Unlabelled are the names of Secrets that are referred to and exist without it.
	Unlabelled []string
	// Missing are the names of Secrets that are referred to and do not exist.
	Missing []string
	// Behind tells that a Secret has the label but the cache does not have it yet; it will in a moment.
	Behind bool
}

// Complete tells whether every reference leads to a labelled Secret.
func (r Referenced) Complete() bool { return len(r.Unlabelled) == 0 && len(r.Missing) == 0 }

// Referenced reads the Secrets of one namespace that its credentials can refer to.
func (l *Lookup) Referenced(ctx context.Context, namespace string, credentials []v1alpha1.ProviderCredential) (Referenced, error) {
	var cached corev1.SecretList
	if err := l.labelled.List(ctx, &cached, client.InNamespace(namespace)); err != nil {
		return Referenced{}, fmt.Errorf("listing the Secrets of provider keys in namespace %s: %w", namespace, err)
	}
	found := Referenced{Labelled: cached.Items}
	seen := map[string]bool{}
	for i := range cached.Items {
		seen[cached.Items[i].Name] = true
	}
	for i := range credentials {
		for _, name := range credentials[i].Spec.Auth.SecretNames() {
			if seen[name] {
				continue
			}
			seen[name] = true
			if err := l.add(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &found); err != nil {
				return Referenced{}, err
			}
		}
	}
	return found, nil
}

// add finds out about a Secret that the cache does not have and puts it where it belongs.
func (l *Lookup) add(ctx context.Context, name types.NamespacedName, found *Referenced) error {
	state, err := l.state(ctx, name)
	if err != nil {
		return err
	}
	switch state {
	case unlabelled:
		found.Unlabelled = append(found.Unlabelled, name.Name)
	case missing:
		found.Missing = append(found.Missing, name.Name)
	case labelled:
		found.Behind = true
	}
	return nil
}

// state asks for the metadata of a Secret, never for its content.
func (l *Lookup) state(ctx context.Context, name types.NamespacedName) (state, error) {
	if known, ok := l.recall(name); ok {
		return known, nil
	}
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := l.live.Get(ctx, name, metadata)
	switch {
	case apierrors.IsNotFound(err):
		l.remember(name, missing)
		return missing, nil
	case err != nil:
		return missing, fmt.Errorf("reading metadata of Secret %s: %w", name, err)
	case metadata.Labels[v1alpha1.LabelProviderKey] == "true":
		return labelled, nil
	default:
		l.remember(name, unlabelled)
		return unlabelled, nil
	}
}

func (l *Lookup) recall(name types.NamespacedName) (found state, known bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	answer, ok := l.remembered[name]
	return answer.state, ok && l.clock.Now().Before(answer.until)
}

func (l *Lookup) remember(name types.NamespacedName, found state) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.remembered) >= maxRemembered {
		clear(l.remembered)
	}
	l.remembered[name] = answer{state: found, until: l.clock.Now().Add(memory)}
}
