package keyprovision

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

const (
	// firstPause and lastPause bound the time between two tries of a management API that fails, and between two deletions of one key; it doubles.
	firstPause = 2 * time.Second
	lastPause  = 10 * time.Minute
	// burst keys may be made one after the other, and then one every refill: more than that is somebody who takes them out of the Secret as fast as they are written.
	burst  = 10
	refill = 2 * time.Minute
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
	// listed is when the provider's list was last read, and keys are those of ours that were in it.
	listed time.Time
	keys   []management.Key
	// key is the management key that the list was last read with.
	key string
	// fresh tells that this process met the credential before anything was made for it.
	fresh  bool
	recent recent
}

// recent is what this process did or saw lately and the Secret does not tell.
type recent struct {
	// watched is when this process first saw the credential; zero if it did before anything could have been made.
	watched time.Time
	// doubt is the intent that is looked into, with when this process first saw it.
	doubt intent
	// made is the last key that was made and that no list has shown yet; zero if there is none.
	made management.Key
	// madeAt is when it was made.
	madeAt time.Time
	// level is how many keys were made of late: it rises with each, and falls by one in every refill.
	level float64
	// levelAt is when level was so high.
	levelAt time.Time
	// removed are the keys whose deletion the provider confirmed and that its list shows nevertheless, or may.
	removed map[string]removal
}

// removal is a deletion that was confirmed.
type removal struct {
	// first is when it was confirmed for the first time.
	first time.Time
	// again is when to ask once more, should the key be in the list then.
	again time.Time
	count int
}

// NewAttempts has tried nothing yet.
func NewAttempts() *Attempts { return &Attempts{tried: map[types.NamespacedName]attempt{}} }

// change changes what is known of a credential.
func (a *Attempts) change(credential *v1alpha1.ProviderCredential, how func(*attempt)) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	last := a.tried[nameOf(credential)]
	how(&last)
	a.tried[nameOf(credential)] = last
}

func (a *Attempts) read(credential *v1alpha1.ProviderCredential) attempt {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.tried[nameOf(credential)]
}

// pause is how long to leave a management API alone.
func (a *Attempts) pause(credential *v1alpha1.ProviderCredential, key string, now time.Time) (pause time.Duration) {
	with := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", credential.UID, credential.Generation, key))
	a.change(credential, func(last *attempt) {
		if last.with != with {
			*last = attempt{with: with, key: last.key, fresh: last.fresh, recent: last.recent}
		}
		pause = last.until.Sub(now)
	})
	return pause
}

// failed counts a failure and says how long to wait, at least as long as the provider asks.
func (a *Attempts) failed(credential *v1alpha1.ProviderCredential, now time.Time, asked time.Duration) (wait time.Duration) {
	a.change(credential, func(last *attempt) {
		wait = max(asked, doubled(last.failures))
		last.failures, last.until, last.listed = last.failures+1, now.Add(wait), time.Time{}
	})
	return wait
}

// doubled is the pause after a number of failures before this one.
func doubled(failures int) time.Duration { return min(firstPause<<min(failures, 16), lastPause) }

// worked forgets failures.
func (a *Attempts) worked(credential *v1alpha1.ProviderCredential) {
	a.change(credential, func(last *attempt) { last.failures, last.until = 0, time.Time{} })
}

// listed notes what the provider's list has, and with which management key it was read.
func (a *Attempts) listed(credential *v1alpha1.ProviderCredential, keys []management.Key, key string, now time.Time) {
	a.change(credential, func(last *attempt) {
		last.listed, last.keys, last.key = now, keys, key
		if slices.ContainsFunc(keys, func(k management.Key) bool { return k.Name == last.recent.made.Name }) {
			last.recent.made = management.Key{}
		}
		still := map[string]removal{}
		for _, k := range keys {
			if done, was := last.recent.removed[k.ID]; was {
				still[k.ID] = done
			}
		}
		last.recent.removed = still
	})
}

// listAgain has the list read before anything else is decided: what a step leaves behind, such as an orphan, is seen there only.
func (a *Attempts) listAgain(credential *v1alpha1.ProviderCredential) {
	a.change(credential, func(last *attempt) { last.listed = time.Time{} })
}

// listedLately returns what was in the list, if it was read so lately that it need not be read when there is nothing else to do.
func (a *Attempts) listedLately(credential *v1alpha1.ProviderCredential, now time.Time) (keys []management.Key, ok bool) {
	last := a.read(credential)
	return last.keys, !last.listed.IsZero() && now.Sub(last.listed) < recheck
}

// managementKey is the one that the list was last read with; empty for none.
func (a *Attempts) managementKey(credential *v1alpha1.ProviderCredential) string {
	return a.read(credential).key
}

// recently returns what was done and seen lately. It starts to count for an intent that was not seen before.
func (a *Attempts) recently(credential *v1alpha1.ProviderCredential, open *intent, now time.Time) (done recent) {
	a.change(credential, func(last *attempt) {
		if !last.fresh && (last.recent.watched.IsZero() || now.Before(last.recent.watched)) {
			last.recent.watched = now
		}
		switch {
		case open == nil:
			last.recent.doubt = intent{}
		case last.recent.doubt.name != open.name:
			last.recent.doubt = intent{name: open.name, since: now}
		}
		done = last.recent
	})
	return done
}

// made notes that a key was made, or may have been, with an empty id if nobody knows.
func (a *Attempts) made(credential *v1alpha1.ProviderCredential, key management.Key, now time.Time) {
	a.change(credential, func(last *attempt) {
		last.recent.level, last.recent.levelAt = last.recent.levelNow(now)+1, now
		last.recent.made, last.recent.madeAt = key, now
	})
}

// removed notes that the provider confirmed a deletion.
func (a *Attempts) removed(credential *v1alpha1.ProviderCredential, id string, now time.Time) {
	a.change(credential, func(last *attempt) {
		done, before := last.recent.removed[id]
		if !before {
			done.first = now
		}
		done.again = now.Add(doubled(done.count))
		done.count++
		if last.recent.made.ID == id {
			last.recent.made = management.Key{}
		}
		removed := map[string]removal{id: done}
		for other, at := range last.recent.removed {
			if other != id {
				removed[other] = at
			}
		}
		last.recent.removed = removed
	})
}

// levelNow is how many keys were made of late, as of now.
func (r recent) levelNow(now time.Time) float64 {
	return max(0, r.level-float64(max(0, now.Sub(r.levelAt)))/float64(refill))
}

// hurry is how long to wait until one more key may be made; 0 if one may.
func (r recent) hurry(now time.Time) time.Duration {
	return time.Duration(max(0, r.levelNow(now)-burst+1) * float64(refill))
}

// held notes that nothing was made before, for nothing held the credential.
func (a *Attempts) held(credential *v1alpha1.ProviderCredential) {
	a.change(credential, func(last *attempt) { last.fresh = true })
}

func (a *Attempts) forget(name types.NamespacedName) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.tried, name)
}

func nameOf(credential *v1alpha1.ProviderCredential) types.NamespacedName {
	return types.NamespacedName{Namespace: credential.Namespace, Name: credential.Name}
}
