package table

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// digestBytes is how much of a hash tells stores apart.
const digestBytes = 8

// ConfigMaps is the digest of ledgers in ConfigMaps.
const ConfigMaps = "configmaps"

// Digest tells stores apart, and ways to reach one: ConfigMaps or 16 hexadecimal digits. It may be shown, for the password that is part of it is random and
// long.
func (s LedgerStore) Digest() (string, error) {
	if s.Valkey == nil {
		return ConfigMaps, nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:digestBytes]), nil
}
