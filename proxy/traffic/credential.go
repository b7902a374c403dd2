package traffic

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/window"
)

const (
	// MaxCredentials bounds the credentials of one report.
	MaxCredentials = 500
	// MaxKeys bounds the keys of one of them.
	MaxKeys = 64
	// keyTryingRecent is how long after the last call it is told that nobody knows whether a key is back. What is told of a whole account should end soon after
	// nobody calls it any more.
	keyTryingRecent = 15 * time.Second
)

// Credential is what one proxy tells of the account of a ProviderCredential: all its models and keys together.
type Credential struct {
	// Name of the ProviderCredential.
	Name string `json:"credential"`
	// Brief, Short and Minute count the calls of the last 5, 15 and 60 seconds.
	Brief  window.Counts `json:"brief,omitzero"`
	Short  window.Counts `json:"short,omitzero"`
	Minute window.Counts `json:"minute,omitzero"`
	// Run counts the calls since the last answered one, within 15 seconds.
	Run window.Counts `json:"run,omitzero"`
	// Waiting counts the calls under way that do not get through: they have had no connection for 2 seconds, or it acknowledges nothing.
	Waiting int64 `json:"waiting,omitempty"`
	// AnsweredAgo and FailedAgo are how many milliseconds ago a call was answered, and failed by the provider's fault; 0 for none in the last minute.
	AnsweredAgo int64 `json:"answeredAgoMS,omitempty"`
	FailedAgo   int64 `json:"failedAgoMS,omitempty"`
	// FirstToken are the times to the first token of streams, in milliseconds, and Rate the completion tokens a second of answers, both of the last minute.
	// BriefFirstToken is that of the last 5 seconds, or of the last 3 where there are enough.
	FirstToken      window.Packed `json:"firstToken,omitempty"`
	BriefFirstToken window.Packed `json:"briefFirstToken,omitempty"`
	Rate            window.Packed `json:"rate,omitempty"`
	// Keys are those that were called of late or that something is to be told of: those that are left alone first.
	Keys []Key `json:"keys,omitempty"`
}

// Key is what one proxy tells of a key.
type Key struct {
	// Fingerprint of the key; empty for an endpoint that takes none.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Block is why the key is left alone for all models that were called, and Seconds how much longer, rounded up; 0 once single calls try whether it is back.
	Block   Block `json:"block,omitempty"`
	Seconds int64 `json:"blockSeconds,omitempty"`
	// Requests and Tokens are what the provider says is left of the tightest limits; nil where it does not tell. ResetSeconds is when they are full again; 0
	// when it does not tell.
	Requests     *int64 `json:"requests,omitempty"`
	Tokens       *int64 `json:"tokens,omitempty"`
	ResetSeconds int64  `json:"resetSeconds,omitempty"`
}

// DescribeAll tells of all credentials that were called of late or that something is wrong with, troubled ones first.
func DescribeAll(upstreams []*health.Upstream, now time.Time) []Credential {
	byName := map[string]*account{}
	for _, u := range upstreams {
		name := u.Subject().Credential
		if byName[name] == nil {
			byName[name] = &account{keys: map[string]*keyViews{}}
		}
		byName[name].add(u, now)
	}
	told := make([]Credential, 0, len(byName))
	for name, account := range byName {
		if described := account.describe(name); len(described.Keys) > 0 || described.Minute.Total()+described.Waiting > 0 {
			told = append(told, described)
		}
	}
	return BoundedCredentials(told)
}

// account gathers what is known of the upstreams of one credential.
type account struct {
	minute window.Reading
	keys   map[string]*keyViews
}

func (a *account) add(u *health.Upstream, now time.Time) {
	u.AddMinute(now, &a.minute)
	fingerprint := u.Subject().Key
	if a.keys[fingerprint] == nil {
		a.keys[fingerprint] = &keyViews{requests: -1, tokens: -1}
	}
	a.keys[fingerprint].add(u, now)
}

// milliseconds rounds up, so that what just happened is not 0.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

func (a *account) describe(name string) Credential {
	described := Credential{
		Name: name, Brief: a.minute.Brief, Short: a.minute.Short, Minute: a.minute.Minute, Run: a.minute.Run(), Waiting: a.minute.Waiting,
		AnsweredAgo: milliseconds(a.minute.AnsweredAgo()), FailedAgo: milliseconds(a.minute.FailedAgo()), FirstToken: a.minute.FirstToken.Pack(),
		BriefFirstToken: a.minute.BriefFirstToken.Pack(), Rate: a.minute.Rate.Pack(),
	}
	for fingerprint, views := range a.keys {
		if views.telling() {
			described.Keys = append(described.Keys, views.describe(fingerprint))
		}
	}
	slices.SortFunc(described.Keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(b.Block.Weight(), a.Block.Weight()), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
	described.Keys = described.Keys[:min(len(described.Keys), MaxKeys)]
	return described
}

// BoundedCredentials is the part of credentials that a report has room for: those with a key that is left alone first, then the busiest. It changes the order
// of its argument.
func BoundedCredentials(all []Credential) []Credential {
	slices.SortFunc(all, func(a, b Credential) int {
		return cmp.Or(cmp.Compare(b.blockedKeys(), a.blockedKeys()), cmp.Compare(b.Minute.Total(), a.Minute.Total()), strings.Compare(a.Name, b.Name))
	})
	return all[:min(len(all), MaxCredentials)]
}

func (c *Credential) blockedKeys() int {
	blocked := 0
	for i := range c.Keys {
		if c.Keys[i].Block != Open {
			blocked++
		}
	}
	return blocked
}

// keyViews is what is known of the upstreams behind one key.
type keyViews struct {
	found            bool
	block            Block
	left             int64
	requests, tokens int64 // left of the tightest limits; below 0 when the provider does not tell
	full             time.Duration
}

// add takes in a model; the key as a whole adds nothing to what each of its models knows.
func (k *keyViews) add(u *health.Upstream, now time.Time) {
	if u.Subject().Model == "" {
		return
	}
	view := u.Peek(now)
	k.requests, k.tokens = tighter(k.requests, view.Headroom.Requests), tighter(k.tokens, view.Headroom.Tokens)
	if view.Headroom.Requests >= 0 || view.Headroom.Tokens >= 0 {
		k.full = max(k.full, u.FullAfter(now))
	}
	called := view.Samples > 0 && view.Age < window.Minute
	block, left := keyBlock(&view)
	switch {
	case block == Open && (!called || view.Probe):
		// Nobody knows whether it would answer.
	case !k.found || block.Weight() < k.block.Weight():
		k.found, k.block, k.left = true, block, left
	case block == k.block:
		k.left = min(k.left, left)
	}
}

// keyBlock is the block of a model as far as it is a matter of the key. A block whose time is over stands as long as single calls still try whether it is so.
func keyBlock(view *health.View) (Block, int64) {
	block, left := view.Block, seconds(view.For)
	if block == health.Open && view.Probe && view.Samples > 0 && view.Age <= keyTryingRecent {
		block, left = view.Was, 0
	}
	switch block {
	case health.CoolingDown, health.NoQuota, health.KeyRefused:
		return blockOf(block), left
	default:
		return Open, 0
	}
}

// tighter is the smaller of two figures that are below 0 when not known.
func tighter(a, b int64) int64 {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// describe tells what all models that were called have in common.
func (k *keyViews) describe(fingerprint string) Key {
	key := Key{Fingerprint: fingerprint, Block: k.block, Seconds: k.left}
	if k.requests >= 0 {
		key.Requests = &k.requests
	}
	if k.tokens >= 0 {
		key.Tokens = &k.tokens
	}
	if key.Requests != nil || key.Tokens != nil {
		key.ResetSeconds = seconds(k.full)
	}
	return key
}

// telling tells whether there is anything to tell: that a key serves here, too, for it may be left alone by other proxies.
func (k *keyViews) telling() bool { return k.found || k.requests >= 0 || k.tokens >= 0 }
