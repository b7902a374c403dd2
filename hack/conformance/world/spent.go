package world

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Spent reads from the ledger of a budget what was spent, in nano-dollars. The proxy must have ended.
func (p *Proxy) Spent(namespace, budget string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(p.State, namespace, "signalbox-ledger-"+budget+".ledger.json"))
	if err != nil {
		return 0, fmt.Errorf("reading the ledger of %s: %w", budget, err)
	}
	type totals struct {
		Spent int64 `json:"spent"`
	}
	var ledger struct {
		Windows []struct {
			Folded totals            `json:"folded"`
			Owners map[string]totals `json:"owners"`
		} `json:"windows"`
	}
	if err := json.Unmarshal(data, &ledger); err != nil {
		return 0, fmt.Errorf("decoding the ledger of %s: %w", budget, err)
	}
	var sum int64
	for _, window := range ledger.Windows {
		sum += window.Folded.Spent
		for _, owner := range window.Owners {
			sum += owner.Spent
		}
	}
	return sum, nil
}
