package auth

// Known counts the sources of tokens that are kept.
func (k *Keeper) Known() int {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return len(k.sources)
}
