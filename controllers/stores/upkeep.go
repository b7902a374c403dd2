package stores

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
)

const (
	// maintainEvery is how often a store is maintained, and sooner after a failure.
	maintainEvery = 15 * time.Minute
	maintainAgain = 30 * time.Second
	// maintainTimeout bounds one maintenance: a first migration or the removal of a month can take its time.
	maintainTimeout = 5 * time.Minute
)

// Upkeep maintains the stores on a timer and removes users that nobody removed: those of namespaces that went away while no manager ran. A store serves one
// Signalbox only, so whoever has a user of ours and no routing table is such a namespace. A user goes when it was found so twice in a row.
type Upkeep struct {
	// Stores that are configured.
	Stores []Store
	// Client reads the manager's cache, and Live past it.
	Client, Live client.Reader
	// Namespaces that the manager looks after; empty means all. Users of others are left alone.
	Namespaces []string
	// Clock tells the time.
	Clock clock.Clock
	// Log takes what goes wrong and what people should change.
	Log logr.Logger
}

// NeedLeaderElection tells the manager that one of several does this.
func (u *Upkeep) NeedLeaderElection() bool { return true }

// Start maintains until the context ends.
func (u *Upkeep) Start(ctx context.Context) error {
	done := make(chan struct{})
	for _, store := range u.Stores {
		go func() {
			defer func() { done <- struct{}{} }()
			u.keep(ctx, store)
		}()
	}
	for range u.Stores {
		<-done
	}
	return nil
}

// kept is what is remembered of a store between two rounds.
type kept struct {
	advice  string
	orphans []string
}

func (u *Upkeep) keep(ctx context.Context, store Store) {
	var memory kept
	for {
		wait := maintainEvery
		if err := u.round(ctx, store, &memory); err != nil && ctx.Err() == nil {
			u.Log.Error(err, "maintaining a store", "store", store.Use)
			wait = maintainAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-u.Clock.After(wait):
		}
	}
}

// round maintains a store once.
func (u *Upkeep) round(ctx context.Context, store Store, memory *kept) error {
	ctx, cancel := context.WithTimeout(ctx, maintainTimeout)
	defer cancel()
	advice, err := store.Directory.Maintain(ctx)
	if err != nil {
		return err
	}
	if said := strings.Join(advice, " "); said != memory.advice {
		memory.advice = said
		u.Log.Info("what should be changed in a store", "store", store.Use, "advice", said)
	}
	return u.sweep(ctx, store, memory)
}

// sweep removes the users of namespaces that have neither a table nor a proxy, this time and the time before.
func (u *Upkeep) sweep(ctx context.Context, store Store, memory *kept) error {
	found, err := store.Directory.Namespaces(ctx)
	if err != nil {
		return err
	}
	served, err := u.served(ctx)
	if err != nil {
		return err
	}
	var orphans []string
	for _, namespace := range found {
		if served[namespace] || len(u.Namespaces) > 0 && !slices.Contains(u.Namespaces, namespace) {
			continue
		}
		pods, err := countProxies(ctx, u.Client, namespace)
		if err != nil {
			return err
		}
		if pods == 0 {
			orphans = append(orphans, namespace)
		}
	}
	before := memory.orphans
	memory.orphans = orphans
	for _, namespace := range orphans {
		if !slices.Contains(before, namespace) {
			continue
		}
		if err := store.Directory.Remove(ctx, namespace); err != nil {
			return err
		}
		u.Log.Info("removed the user of a namespace that has no proxy", "store", store.Use, "namespace", namespace)
	}
	return nil
}

// served are the namespaces that have a table, by the API server itself.
func (u *Upkeep) served(ctx context.Context) (map[string]bool, error) {
	served := map[string]bool{}
	within := u.Namespaces
	if len(within) == 0 {
		within = []string{metav1.NamespaceAll}
	}
	for _, namespace := range within {
		secrets := &metav1.PartialObjectMetadataList{}
		secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
		labelled := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue}
		if err := u.Live.List(ctx, secrets, client.InNamespace(namespace), labelled); err != nil {
			return nil, fmt.Errorf("listing routing tables: %w", err)
		}
		for i := range secrets.Items {
			if secrets.Items[i].Name == platform.TableSecret {
				served[secrets.Items[i].Namespace] = true
			}
		}
	}
	return served, nil
}
