package providercredential

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
)

// Ages are the manager's metrics of providers' keys: how old they are and what they are used for. A credential that is gone has none. It is safe for
// concurrent use.
type Ages struct {
	registry prometheus.Registerer
	clock    clock.PassiveClock
	age      *prometheus.Desc
	state    *prometheus.Desc

	mutex sync.Mutex
	keys  map[types.NamespacedName]keyFigures
}

// keyFigures are those of one credential.
type keyFigures struct {
	// firstSeen of the values that lead, by the name of the key.
	firstSeen map[string]time.Time
	// values counts the values of each key in each state.
	values map[keyState]int
}

type keyState struct {
	key   string
	state v1alpha1.ProviderKeyState
}

// NewAges returns metrics that are shown in a registry while the manager leads.
func NewAges(registry prometheus.Registerer, clock clock.PassiveClock) *Ages {
	labels := []string{"namespace", "credential", "key"}
	return &Ages{
		registry: registry, clock: clock, keys: map[types.NamespacedName]keyFigures{},
		age: prometheus.NewDesc("signalbox_provider_key_age_seconds",
			"Age of the key of a ProviderCredential that is in use, since it was first seen in its Secret.", labels, nil),
		state: prometheus.NewDesc("signalbox_provider_key_values",
			"Values of a key of a ProviderCredential, by what they are used for.", append(labels, "state"), nil),
	}
}

// Start shows the metrics until the context ends.
func (a *Ages) Start(ctx context.Context) error {
	err := a.registry.Register(a)
	if errors.As(err, &prometheus.AlreadyRegisteredError{}) {
		<-ctx.Done()
		return nil
	}
	if err != nil {
		return fmt.Errorf("registering the metrics of keys: %w", err)
	}
	<-ctx.Done()
	a.registry.Unregister(a)
	return nil
}

// Describe sends what the metrics are.
func (a *Ages) Describe(into chan<- *prometheus.Desc) {
	into <- a.age
	into <- a.state
}

// Collect sends the metrics.
func (a *Ages) Collect(into chan<- prometheus.Metric) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	now := a.clock.Now()
	for name, figures := range a.keys {
		for key, seen := range figures.firstSeen {
			into <- prometheus.MustNewConstMetric(a.age, prometheus.GaugeValue, max(0, now.Sub(seen).Seconds()), name.Namespace, name.Name, key)
		}
		for of, count := range figures.values {
			into <- prometheus.MustNewConstMetric(a.state, prometheus.GaugeValue, float64(count), name.Namespace, name.Name, of.key, string(of.state))
		}
	}
}

// set takes over what is known of a credential's keys.
func (a *Ages) set(name types.NamespacedName, keys []compile.KeyReport) {
	if a == nil {
		return
	}
	figures := keyFigures{firstSeen: map[string]time.Time{}, values: map[keyState]int{}}
	for _, key := range keys {
		figures.values[keyState{key.Name, key.State}]++
		if leads(key.State) && key.Reason == "" && !key.FirstSeen.IsZero() {
			figures.firstSeen[key.Name] = key.FirstSeen
		}
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.keys[name] = figures
}

func (a *Ages) forget(name types.NamespacedName) {
	if a == nil {
		return
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.keys, name)
}
