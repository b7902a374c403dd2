package dataplane

import "signalbox.dev/signalbox/proxy/table"

// limitTokens tells how long a token of the own ServiceAccount may be valid for the proxies of other namespaces to take it: the platform has one bound for all.
func (d *DataPlane) limitTokens(t *table.Table) {
	if d.options.Tokens == nil {
		return
	}
	for i := range t.Issuers {
		if t.Issuers[i].Name == "" {
			d.options.Tokens.Limit(t.Issuers[i].MaxLifetime)
			return
		}
	}
}
