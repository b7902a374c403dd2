package server

import (
	"hash/fnv"

	"signalbox.dev/signalbox/proxy/table"
)

// headerSessionID names the session of a request, as OpenRouter's clients send it.
const headerSessionID = "X-Session-Id"

// maxSessionBytes is how much of a session's name counts.
const maxSessionBytes = 512

// affinityHash is a hash of what the call belongs to, the same at all replicas; 0 when it belongs to nothing.
func (c *call) affinityHash(by table.AffinityKey) uint64 {
	head := &c.inbound.Head
	switch by {
	case table.ByEndUser:
		return hashOf("user", head.User)
	case table.ByPromptPrefix:
		return c.inspect().Prefix
	case table.BySession:
	}
	if given := c.r.Header[headerSessionID]; len(given) == 1 && given[0] != "" {
		return hashOf("session", given[0])
	}
	switch {
	case head.Session != "":
		return hashOf("session", head.Session)
	case head.User != "":
		return hashOf("user", head.User)
	default:
		return c.inspect().Prefix
	}
}

// hashOf is never 0 but for an empty name. The kind keeps a user from meeting a session of the same name.
func hashOf(kind, name string) uint64 {
	if name == "" {
		return 0
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(kind))
	_, _ = hash.Write([]byte{0})
	_, _ = hash.Write([]byte(name[:min(len(name), maxSessionBytes)]))
	return max(1, hash.Sum64())
}
