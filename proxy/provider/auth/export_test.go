package auth

// Known counts the sources of tokens that are kept.
func (k *Keeper) Known() int { return k.bearers.Len() + k.signers.Len() }

// ReadRefusal is readRefusal.
func ReadRefusal(body []byte) (code string, number int64) { return readRefusal(body) }
