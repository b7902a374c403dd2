package keyprovision

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
)

const (
	// firstPause and lastPause bound the time between two tries of a management API that fails; it doubles.
	firstPause = 2 * time.Second
	lastPause  = 10 * time.Minute
)

// Attempts are what this process tried at providers. It is safe for concurrent use. Losing it costs a call or two.
type Attempts struct {
	mutex sync.Mutex
	tried map[types.NamespacedName]attempt
}

// attempt is what was tried for a credential.
type attempt struct {
	// with is what was tried with; something else is tried at once.
	with     [sha256.Size]byte
	failures int
	until    time.Time
	// listed is when the provider's list was last read.
	listed time.Time
}

// NewAttempts has tried nothing yet.
func NewAttempts() *Attempts { return &Attempts{tried: map[types.NamespacedName]attempt{}} }

// pause is how long to leave a management API alone.
func (a *Attempts) pause(credential *v1alpha1.ProviderCredential, key string, now time.Time) time.Duration {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := a.tried[nameOf(credential)]
	with := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", credential.UID, credential.Generation, key))
	if last.with != with {
		last = attempt{with: with}
		a.tried[nameOf(credential)] = last
	}
	return last.until.Sub(now)
}

// failed counts a failure and says how long to wait, at least as long as the provider asks.
func (a *Attempts) failed(credential *v1alpha1.ProviderCredential, now time.Time, asked time.Duration) time.Duration {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := a.tried[nameOf(credential)]
	wait := max(asked, min(firstPause<<min(last.failures, 16), lastPause))
	last.failures, last.until, last.listed = last.failures+1, now.Add(wait), time.Time{}
	a.tried[nameOf(credential)] = last
	return wait
}

// worked forgets failures.
func (a *Attempts) worked(credential *v1alpha1.ProviderCredential) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := a.tried[nameOf(credential)]
	last.failures, last.until = 0, time.Time{}
	a.tried[nameOf(credential)] = last
}

// listed notes when the provider's list was read; zero has it read again.
func (a *Attempts) listed(credential *v1alpha1.ProviderCredential, at time.Time) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := a.tried[nameOf(credential)]
	last.listed = at
	a.tried[nameOf(credential)] = last
}

// listedLately tells whether the list was read so lately that it need not be read when there is nothing else to do.
func (a *Attempts) listedLately(credential *v1alpha1.ProviderCredential, now time.Time) bool {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := a.tried[nameOf(credential)].listed
	return !last.IsZero() && now.Sub(last) < recheck
}

func (a *Attempts) forget(name types.NamespacedName) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.tried, name)
}

func nameOf(credential *v1alpha1.ProviderCredential) types.NamespacedName {
	return types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name}
}
