package fleet

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"signalbox.dev/signalbox/controllers/broadcast"
	"signalbox.dev/signalbox/proxy/traffic"
	"signalbox.dev/signalbox/proxy/window"
)

// credentialInterval is the shortest time between two notices of one credential that is called without trouble. In trouble every report is told.
const credentialInterval = driftInterval

// stale is how long what a pod said counts: five reports that did not come. What somebody saw long ago would hide what others see now.
const stale = 10 * time.Second

// maxWaiting bounds how many calls one pod may claim to wait, so that those of many pods can be added up.
const maxWaiting = 1 << 40

// Credential is what the ready proxies of a namespace together know of the account of one ProviderCredential.
type Credential struct {
	// Proxies is how many of them told anything.
	Proxies int
	// Brief, Short and Minute count the calls of the last 5, 15 and 60 seconds.
	Brief, Short, Minute window.Counts
	// Run counts those since the last answered one, within 15 seconds.
	Run window.Counts
	// Waiting counts the calls under way that do not get through.
	Waiting int64
	// AnsweredAgo and FailedAgo are how long ago a call was answered, and failed by the provider's fault; a minute or more for none of late.
	AnsweredAgo, FailedAgo time.Duration
	// FirstToken are the times to the first token of the streams of the last minute, in milliseconds, BriefFirstToken those of the last 5 seconds at most, and
	// Rate the completion tokens a second of the last minute.
	FirstToken, BriefFirstToken, Rate window.Sketch
	// Keys are those that a proxy knows something of, ordered by fingerprint.
	Keys []Key
}

// Key is what the ready proxies together know of one key.
type Key struct {
	// Fingerprint of the key; empty for an endpoint that takes none.
	Fingerprint string
	// Proxies is how many told of it. Refused, Exhausted and Limited are how many of them leave it alone because the provider refuses it, its quota is used
	// up, or its rate limit is reached, each for long enough to count.
	Proxies, Refused, Exhausted, Limited int
	// Requests and Tokens are what is left of the tightest rate limits, and Reset when they are full again; Unknown and zero where no proxy was told.
	Requests, Tokens int64
	Reset            time.Time
}

// Key returns what is known of a key; false if nothing is.
func (c *Credential) Key(fingerprint string) (Key, bool) {
	at, found := slices.BinarySearchFunc(c.Keys, fingerprint, func(k Key, f string) int { return strings.Compare(k.Fingerprint, f) })
	if !found {
		return Key{}, false
	}
	return c.Keys[at], true
}

// Figures are those of the calls of the last minute.
func (c *Credential) Figures() Figures { return figuresOf(c.Minute, &c.FirstToken, &c.Rate) }

// Credential is what the ready proxies know of a credential's calls; it is zero when none was made of late and nothing is wrong.
func (f *Fleet) Credential(namespace, name string) Credential {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	now := f.options.Clock.Now()
	merged := Credential{AnsweredAgo: window.Minute, FailedAgo: window.Minute}
	for _, pod := range f.pods[namespace] {
		if said, told := pod.accounts[name]; told && pod.ready && now.Sub(said.heardAt) < stale {
			merged.add(&said, now)
		}
	}
	if merged.Proxies == 0 {
		return Credential{}
	}
	slices.SortFunc(merged.Keys, func(a, b Key) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return merged
}

// Refused tells whether the provider refuses a key in the calls of any ready proxy.
func (f *Fleet) Refused(namespace, credential, fingerprint string) bool {
	known := f.Credential(namespace, credential)
	key, _ := known.Key(fingerprint)
	return key.Refused > 0
}

// CredentialSource is a controller's source of requests for single credentials: with every report while something is wrong with their calls, or was a moment
// before, and every few seconds while they are called.
func (f *Fleet) CredentialSource() source.Source { return f.credentials.Source(broadcast.Itself) }

// add takes in what one pod says.
func (c *Credential) add(said *account, now time.Time) {
	c.Proxies++
	c.Run.Add(said.Run)
	c.Waiting += said.Waiting
	c.AnsweredAgo, c.FailedAgo = min(c.AnsweredAgo, since(said.AnsweredAgo)), min(c.FailedAgo, since(said.FailedAgo))
	c.Brief.Add(said.Brief)
	c.Short.Add(said.Short)
	c.Minute.Add(said.Minute)
	c.FirstToken.Merge(said.FirstToken)
	c.BriefFirstToken.Merge(said.BriefFirstToken)
	c.Rate.Merge(said.Rate)
	for i := range said.keys {
		c.addKey(&said.keys[i], now)
	}
}

// since is how long ago something was, of which a pod says that it was so many milliseconds ago, or 0 for none of late.
func since(milliseconds int64) time.Duration {
	if milliseconds <= 0 {
		return window.Minute
	}
	return time.Duration(min(milliseconds, window.Minute.Milliseconds())) * time.Millisecond
}

// addKey takes in what one pod says of a key. A block counts once it has lasted, whether the pod has said so again or not.
func (c *Credential) addKey(said *keyClaim, now time.Time) {
	at := slices.IndexFunc(c.Keys, func(k Key) bool { return k.Fingerprint == said.Fingerprint })
	if at < 0 {
		at = len(c.Keys)
		c.Keys = append(c.Keys, Key{Fingerprint: said.Fingerprint, Requests: Unknown, Tokens: Unknown})
	}
	key := &c.Keys[at]
	key.Proxies++
	if said.standing || !said.since.IsZero() && now.Sub(said.since) >= lasting {
		switch said.Block {
		case traffic.KeyRefused:
			key.Refused++
		case traffic.NoQuota:
			key.Exhausted++
		default:
			key.Limited++
		}
	}
	key.Requests, key.Tokens = tighter(key.Requests, said.Requests), tighter(key.Tokens, said.Tokens)
	if said.full.After(key.Reset) {
		key.Reset = said.full
	}
}

// tighter is the smaller of what is known of a limit and what a proxy says.
func tighter(known int64, said *int64) int64 {
	if said == nil {
		return known
	}
	left := within(*said, maxLeft)
	if known == Unknown {
		return left
	}
	return min(known, left)
}

// account is what one pod says of one credential.
type account struct {
	traffic.Credential
	keys []keyClaim
	// heardAt is when it was said.
	heardAt time.Time
	// toldAt is when listeners were last told of it because of this pod.
	toldAt time.Time
}

// keyClaim is what one pod says of one key.
type keyClaim struct {
	traffic.Key
	since    time.Time // since when it has been left alone; zero while it is not
	standing bool      // whether that has lasted, or is to last, long enough to count
	full     time.Time // when its limits are full again; zero when not known
}

// accounts are what one pod says of credentials, by name.
type accounts map[string]account

// newAccounts reads a report of a pod that said before until then.
func newAccounts(credentials []traffic.Credential, before accounts, now time.Time) accounts {
	made := accounts{}
	for _, credential := range credentials[:min(len(credentials), traffic.MaxCredentials)] {
		old := before[credential.Name]
		credential.Brief, credential.Short, credential.Minute = credential.Brief.Bounded(), credential.Short.Bounded(), credential.Minute.Bounded()
		credential.Run, credential.Waiting = credential.Run.Bounded(), within(credential.Waiting, maxWaiting)
		one := account{Credential: credential, heardAt: now, toldAt: old.toldAt}
		for _, key := range credential.Keys[:min(len(credential.Keys), traffic.MaxKeys)] {
			one.keys = append(one.keys, newKeyClaim(key, old.key(key.Fingerprint), now))
		}
		one.Keys = nil
		made[credential.Name] = one
	}
	return made
}

// newKeyClaim reads what a pod says of a key. A reason that this version does not know is like a rate limit.
func newKeyClaim(key traffic.Key, before keyClaim, now time.Time) keyClaim {
	key.Seconds = within(key.Seconds, maxSeconds)
	made := keyClaim{Key: key}
	if reset := within(key.ResetSeconds, maxSeconds); reset > 0 {
		made.full = now.Add(time.Duration(reset) * time.Second)
	}
	if key.Block != traffic.Open {
		made.since, made.standing = stands(before.since, before.standing, key.Seconds, now)
	}
	return made
}

// key returns what was said of a key; zero if nothing was.
func (a *account) key(fingerprint string) keyClaim {
	for i := range a.keys {
		if a.keys[i].Fingerprint == fingerprint {
			return a.keys[i]
		}
	}
	return keyClaim{}
}

// troubled tells whether anything of what a pod says is worth a look at once.
func (a *account) troubled() bool {
	return a.Short.Total()+a.Waiting > a.Short[window.Answered] || a.paceTurned() || slices.ContainsFunc(a.keys, func(k keyClaim) bool { return k.Block != traffic.Open })
}

// paceTurned tells whether streams begin much later, or much sooner, than they did in the last minute.
func (a *account) paceTurned() bool {
	var brief, minute window.Sketch
	if !brief.Merge(a.BriefFirstToken) || !minute.Merge(a.FirstToken) {
		return false
	}
	now, known := brief.Quantile(half)
	before, long := minute.Quantile(half)
	return known && long && (2*now > 3*before || 2*before > 3*now)
}

// hearCredentials takes over what a pod says of credentials and returns those that listeners have to be told of. It needs the mutex to be held.
func (f *Fleet) hearCredentials(name types.NamespacedName, known *pod, credentials []traffic.Credential) []string {
	if f.pods[name.Namespace][name.Name] != known {
		return nil // gone while its report was on the way
	}
	now := f.options.Clock.Now()
	before := known.accounts
	known.accounts = newAccounts(credentials, before, now)
	if !known.ready {
		return nil
	}
	var tell []string
	for credential, said := range known.accounts {
		old, spoken := before[credential]
		if !spoken || said.troubled() || old.troubled() || now.Sub(said.toldAt) >= credentialInterval {
			said.toldAt = now
			known.accounts[credential] = said
			tell = append(tell, credential)
		}
	}
	for credential := range before {
		if _, still := known.accounts[credential]; !still {
			tell = append(tell, credential)
		}
	}
	return tell
}

// notifyCredentials tells of credentials, without the mutex.
func (f *Fleet) notifyCredentials(namespace string, credentials []string) {
	for _, credential := range credentials {
		f.credentials.Send(types.NamespacedName{Namespace: namespace, Name: credential})
	}
}
