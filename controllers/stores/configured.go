package stores

import "signalbox.dev/signalbox/controllers/platform"

// Configured are the stores of the platform's configuration; none when ledgers are in ConfigMaps and records go nowhere else.
func Configured(config *platform.Config) []Store {
	var configured []Store
	if config.Ledger.UsesValkey() {
		configured = append(configured, Store{Use: ForLedgers, Directory: &Valkey{Server: config.Ledger.Valkey}})
	}
	if config.Usage.Postgres != nil {
		configured = append(configured, Store{Use: ForRecords, Directory: &Postgres{Database: config.Usage.Postgres}})
	}
	return configured
}
