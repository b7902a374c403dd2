package keyring

// Most is how many keys of one target a call tries.
const Most = 4

// Tried are the keys that a call has tried at one target, at most Most. The zero value is none.
type Tried struct {
	keys    [Most]string
	refused [Most]bool
	count   int
}

// Add notes a key by its fingerprint. refused tells that the provider does not take it, or that nothing is left of what it may spend.
func (t *Tried) Add(fingerprint string, refused bool) {
	if t.Full() {
		return
	}
	t.keys[t.count], t.refused[t.count] = fingerprint, refused
	t.count++
}

// Full tells that no further key may be tried.
func (t *Tried) Full() bool { return t.count == Most }

// Count is how many keys were tried.
func (t *Tried) Count() int { return t.count }

// AllRefused tells whether every key that was tried was refused.
func (t *Tried) AllRefused() bool {
	for i := range t.count {
		if !t.refused[i] {
			return false
		}
	}
	return t.count > 0
}

// of tells whether a key was tried, and whether it was refused.
func (t *Tried) of(fingerprint string) (tried, refused bool) {
	for i := range t.count {
		if t.keys[i] == fingerprint {
			return true, t.refused[i]
		}
	}
	return false, false
}
