package fleet

import (
	"context"
	"sync"

	"signalbox.dev/signalbox/proxy/control"
)

// maxKeysWanted bounds how many issuers a pod can ask for: those of the platform's configuration and the cluster.
const maxKeysWanted = 17

// messenger has issuers asked for the keys that a pod wants, and brings it the answers. Each issuer is asked for one pod once at a time.
type messenger struct {
	follower *follower
	answers  chan control.KeysFound

	mutex sync.Mutex
	asked map[string]bool // issuers, by URL, whose answer has not been brought
}

func newMessenger(of *follower) *messenger {
	return &messenger{follower: of, answers: make(chan control.KeysFound, maxKeysWanted), asked: map[string]bool{}}
}

// want has issuers asked for the keys that a report wants, after that many requests had come to wait for some.
func (m *messenger) want(issuers []string, requests int64) {
	ask := m.follower.fleet.options.KeysWanted
	if ask == nil {
		return
	}
	for _, issuer := range issuers[:min(len(issuers), maxKeysWanted)] {
		if !m.begin(issuer) {
			continue
		}
		known := ask(issuer, func(digest string) {
			m.answers <- control.KeysFound{Issuer: issuer, Asked: requests, Digest: digest}
		})
		if !known {
			m.end(issuer)
		}
	}
}

// begin tells whether an issuer is to be asked. There is always room for the answers of all that are.
func (m *messenger) begin(issuer string) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.asked[issuer] || len(m.asked) == maxKeysWanted {
		return false
	}
	m.asked[issuer] = true
	return true
}

func (m *messenger) end(issuer string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.asked, issuer)
}

// run brings answers until the context ends. One that does not arrive is asked for again by the pod's next report.
func (m *messenger) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case found := <-m.answers:
			if err := m.bring(ctx, found); err != nil && ctx.Err() == nil {
				m.follower.fleet.options.Log.V(1).Info("a proxy was not told an issuer's answer", "pod", m.follower.name, "reason", err.Error())
			}
			m.end(found.Issuer)
		}
	}
}

func (m *messenger) bring(ctx context.Context, found control.KeysFound) error {
	options := &m.follower.fleet.options
	identity, err := options.Identities(ctx, m.follower.name.Namespace)
	if err != nil {
		return err
	}
	if identity == nil {
		return errNoTable
	}
	return options.TellKeys(ctx, m.follower.addr, identity, found)
}
