// Package kubernetes keeps ledgers in ConfigMaps, one for each budget, with the API server's optimistic concurrency. The manager makes them; this package
// reads, watches and updates them by name and needs no more rights than that.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"signalbox.dev/signalbox/proxy/ledger"
)

// listPage is how many ConfigMaps, of up to a megabyte each, are asked for at a time.
const listPage = 50

// Store is a ledger.Store on the ConfigMaps of one namespace.
type Store struct {
	maps  typedcorev1.ConfigMapInterface
	log   *slog.Logger
	clock *Clock

	mu sync.Mutex
	// seen holds the object behind the last Stored of each ledger, so that a Save need not read it again.
	seen map[string]*corev1.ConfigMap
}

// New returns the store of a namespace. The logger gets what a watch cannot return.
func New(client typedcorev1.ConfigMapsGetter, namespace string, log *slog.Logger) *Store {
	return &Store{maps: client.ConfigMaps(namespace), log: log, clock: NewClock(), seen: map[string]*corev1.ConfigMap{}}
}

// WithClock has the store tell the time by a clock that wraps the transport of its client.
func (s *Store) WithClock(clock *Clock) *Store {
	s.clock = clock
	return s
}

// Offset tells how far the API server's clock is ahead of this machine's, and false while that is not known.
func (s *Store) Offset() (time.Duration, bool) {
	return s.clock.offset()
}

// Load implements ledger.Store.
func (s *Store) Load(ctx context.Context, name string) (ledger.Stored, error) {
	object, err := s.maps.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return ledger.Stored{}, translate("getting", name, err)
	}
	return s.take(object)
}

// Ledgers returns the names of the ledgers of the namespace, in order. It takes the right to list ConfigMaps, which a proxy does not have.
func (s *Store) Ledgers(ctx context.Context) ([]string, error) {
	options := metav1.ListOptions{LabelSelector: labelManagedBy + "=" + managedBy + "," + labelComponent + "=" + component, Limit: listPage}
	var names []string
	for {
		page, err := s.maps.List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("listing ledgers: %w", err)
		}
		for i := range page.Items {
			if Owned(page.Items[i].Labels) {
				names = append(names, page.Items[i].Name)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			slices.Sort(names)
			return names, nil
		}
	}
}

// Save implements ledger.Store.
func (s *Store) Save(ctx context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	text, err := ledger.Encode(stored.Record)
	if err != nil {
		return ledger.Stored{}, err
	}
	object, err := s.base(ctx, name, stored)
	if err != nil {
		return ledger.Stored{}, err
	}
	object.Data = maps.Clone(object.Data)
	if object.Data == nil {
		object.Data = map[string]string{}
	}
	object.Data[ledger.DataKey] = string(text)
	updated, err := s.maps.Update(ctx, object, metav1.UpdateOptions{})
	if err != nil {
		return ledger.Stored{}, translate("updating", name, err)
	}
	return s.take(updated)
}

// base returns a copy of the object that a Save replaces.
func (s *Store) base(ctx context.Context, name string, stored ledger.Stored) (*corev1.ConfigMap, error) {
	s.mu.Lock()
	object := s.seen[name]
	s.mu.Unlock()
	if object == nil || object.ResourceVersion != stored.Version {
		var err error
		if object, err = s.maps.Get(ctx, name, metav1.GetOptions{}); err != nil {
			return nil, translate("getting", name, err)
		}
	}
	if !Owned(object.Labels) {
		return nil, fmt.Errorf("updating ConfigMap %s: %w", name, ErrNotOwned)
	}
	if object.ResourceVersion != stored.Version || string(object.UID) != stored.Identity {
		return nil, fmt.Errorf("updating ConfigMap %s: %w", name, ledger.ErrConflict)
	}
	return object.DeepCopy(), nil
}

// take reads the record of an object and remembers the object.
func (s *Store) take(object *corev1.ConfigMap) (ledger.Stored, error) {
	stored, err := Read(object)
	if err != nil {
		return ledger.Stored{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.seen[object.Name]; last == nil || order(last) <= stored.Order {
		s.seen[object.Name] = object
	}
	return stored, nil
}

// forget drops what take remembered.
func (s *Store) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, name)
}

// ErrNotOwned is the error of a ConfigMap that has the name of a ledger and not its labels.
var ErrNotOwned = errors.New("it has the name of a ledger, and was not made by Signalbox")

// Read returns the record in a ConfigMap. A ledger without a record is an empty one. The error is ErrNotOwned when the ConfigMap is no ledger.
func Read(object *corev1.ConfigMap) (ledger.Stored, error) {
	if !Owned(object.Labels) {
		return ledger.Stored{}, fmt.Errorf("reading ConfigMap %s: %w", object.Name, ErrNotOwned)
	}
	stored := ledger.Stored{Version: object.ResourceVersion, Order: order(object), Identity: string(object.UID)}
	text, found := object.Data[ledger.DataKey]
	if !found {
		return stored, nil
	}
	record, err := ledger.Decode([]byte(text))
	if err != nil {
		return ledger.Stored{}, fmt.Errorf("reading ConfigMap %s: %w", object.Name, err)
	}
	stored.Record = record
	return stored, nil
}

// order is the resource version as a number, which the API guarantees to grow; 0 when it is none.
func order(object *corev1.ConfigMap) uint64 {
	number, err := strconv.ParseUint(object.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return number
}

// translate wraps an error of the API server into what a Keeper tells apart.
func translate(act, name string, err error) error {
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("%s ConfigMap %s: %w: %w", act, name, ledger.ErrConflict, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s ConfigMap %s: %w: %w", act, name, ledger.ErrNotFound, err)
	default:
		return fmt.Errorf("%s ConfigMap %s: %w", act, name, err)
	}
}
