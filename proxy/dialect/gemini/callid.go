package gemini

import (
	"crypto/rand"
	"strconv"
)

// callIDLetters is how many letters and digits the id of a call has behind its prefix.
const callIDLetters = 24

// newCallID makes an id for a call that came without one.
func newCallID() string { return "call_" + rand.Text()[:callIDLetters] }

// orderedCallID is the id of a call in a request that came without one: the same each time the conversation is sent, so that prompt caches are not missed.
func orderedCallID(order int) string {
	digits := strconv.Itoa(order)
	return "call_" + "000000000000000000000000"[:max(callIDLetters-len(digits), 0)] + digits
}
