package peers

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"

	"signalbox.dev/signalbox/proxy/control"
)

const (
	// maxIDBytes bounds the id of a replica, and the digest of a view.
	maxIDBytes = 256
	// maxParts bounds the parts of a message, and maxPartBytes what one of them may say: two of them and all replicas fit into a message.
	maxParts     = 16
	maxPartBytes = control.MaxExchangeBytes / 4
)

// errMalformed is returned for a message that is JSON and makes no sense.
var errMalformed = errors.New("the message makes no sense")

// message is what replicas say, as a request and as an answer.
type message struct {
	// From is the id of who says it, and Addr where it can be called.
	From string         `json:"from"`
	Addr netip.AddrPort `json:"addr"`
	// To is the id of who is meant; empty if it is not known yet. What the parts say is for nobody else.
	To string `json:"to,omitempty"`
	// Leaving tells that the sender ends: it has answered its last request.
	Leaving bool `json:"leaving,omitempty"`
	// View is a digest of the replicas that the sender knows. Members are those replicas themselves, told only to who has another view.
	View    string   `json:"view,omitempty"`
	Members []member `json:"members,omitempty"`
	// Parts are what the parts say, by name.
	Parts map[string]json.RawMessage `json:"parts,omitempty"`
}

// decode reads a message of another replica.
func decode(text []byte) (message, error) {
	var read message
	if len(text) > control.MaxExchangeBytes {
		return message{}, fmt.Errorf("%w: it has %d bytes", errMalformed, len(text))
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return message{}, fmt.Errorf("decoding a message of %d bytes: %w", len(text), err)
	}
	if err := read.check(); err != nil {
		return message{}, err
	}
	return read, nil
}

// check finds what no replica says.
func (m *message) check() error {
	switch {
	case !validID(m.From) || !validAddr(m.Addr):
		return fmt.Errorf("%w: who says it", errMalformed)
	case m.To != "" && !validID(m.To):
		return fmt.Errorf("%w: who is meant", errMalformed)
	case len(m.View) > maxIDBytes || len(m.Members) > maxMembers:
		return fmt.Errorf("%w: a view of %d replicas", errMalformed, len(m.Members))
	case len(m.Parts) > maxParts:
		return fmt.Errorf("%w: %d parts", errMalformed, len(m.Parts))
	}
	for _, other := range m.Members {
		if !validID(other.ID) || !validAddr(other.Addr) {
			return fmt.Errorf("%w: a replica", errMalformed)
		}
	}
	return nil
}

// validID tells whether an id is short and printable.
func validID(id string) bool {
	if id == "" || len(id) > maxIDBytes {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// validAddr tells whether an address is that of one machine.
func validAddr(addr netip.AddrPort) bool {
	return addr.IsValid() && addr.Port() != 0 && !addr.Addr().IsUnspecified() && !addr.Addr().IsMulticast()
}

// digest sums up a view: the replica itself and the others that it knows, which are ordered. Replicas that know each other have the same.
func digest(self member, others []member) string {
	sum := fnv.New128a()
	write := func(m member) { _, _ = io.WriteString(sum, m.ID+"@"+m.Addr.String()+"\n") }
	written := false
	for _, other := range others {
		if !written && self.ID < other.ID {
			write(self)
			written = true
		}
		write(other)
	}
	if !written {
		write(self)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
