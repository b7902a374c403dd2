package platform

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// LedgerStore names where the ledgers of budgets are kept.
type LedgerStore string

// The stores.
const (
	// StoreKubernetes keeps each ledger in a ConfigMap of its namespace.
	StoreKubernetes LedgerStore = "Kubernetes"
	// StoreValkey keeps the ledgers of all namespaces in a Valkey or Redis server.
	StoreValkey LedgerStore = "Valkey"
)

// Ledger says where the ledgers of budgets are kept.
type Ledger struct {
	// Store is Kubernetes (the default) or Valkey.
	Store LedgerStore `json:"store,omitempty"`
	// Valkey is the server; required with that store, and not allowed with another.
	Valkey *Valkey `json:"valkey,omitempty"`
}

// Valkey is a Valkey or Redis server, of one Signalbox only. Each namespace gets a user of its own there.
type Valkey struct {
	// Addresses are host:port, 1 to 32: the server, or some of a cluster. The proxies reach it by them, too.
	Addresses []string `json:"addresses"`
	// Cluster is Enabled for a cluster; Disabled is the default.
	Cluster State `json:"cluster,omitempty"`
	// CAFile holds the authorities whose certificates are accepted, in PEM; without it there is no TLS.
	CAFile string `json:"caFile,omitempty"`
	// Username of the manager, who may make users. The default is "default".
	Username string `json:"username,omitempty"`
	// PasswordFile holds the manager's password; without it there is none.
	PasswordFile string `json:"passwordFile,omitempty"`
}

// WhenFull is what a proxy does when its journal has no room for another record.
type WhenFull string

// What proxies do.
const (
	// DropOldest gives up the oldest records that are not delivered yet.
	DropOldest WhenFull = "DropOldest"
	// Refuse answers no further calls until there is room.
	Refuse WhenFull = "Refuse"
)

// Usage says where usage records go beside the proxies' standard output, and how much of them a proxy keeps until they are there.
type Usage struct {
	// Postgres is a database that takes them; null, the default, is none.
	Postgres *Postgres `json:"postgres,omitempty"`
	// OTLP is a collector that takes them; null, the default, is none.
	OTLP *OTLP `json:"otlp,omitempty"`
	// WhenFull is DropOldest (the default) or Refuse.
	WhenFull WhenFull `json:"whenFull,omitempty"`
	// JournalSize is what the journal of one proxy may take on the disk of its node, 16Mi to 64Gi. The default is 256Mi.
	JournalSize *resource.Quantity `json:"journalSize,omitempty"`
}

// Postgres is a PostgreSQL database, of one Signalbox only. Each namespace gets a role of its own there, that can insert its records and read nothing.
type Postgres struct {
	// URLFile holds the address in libpq's form, with a user that owns the database and may make roles. The proxies reach the server by it, too.
	URLFile string `json:"urlFile"`
	// CAFile holds the authorities whose certificates are accepted with sslmode verify-ca and verify-full, in PEM.
	CAFile string `json:"caFile,omitempty"`
	// Retention is how long records are kept, 24h to 87600h; whole months are removed. The default is 400 days.
	Retention metav1.Duration `json:"retention,omitzero"`
	// PartitionsAhead is for how many months to come there are partitions, 1 to 24. The default is 3.
	PartitionsAhead int32 `json:"partitionsAhead,omitempty"`
}

// OTLP is a collector.
type OTLP struct {
	// Endpoint is the URL that takes logs over HTTP, such as http://collector.observability:4318/v1/logs.
	Endpoint string `json:"endpoint"`
}

const (
	defaultValkeyUser      = "default"
	defaultRetention       = 400 * 24 * time.Hour
	defaultPartitionsAhead = 3
	defaultJournalSize     = 256 << 20
)

func (l *Ledger) setDefaults() {
	if l.Store == "" {
		l.Store = StoreKubernetes
	}
	if l.Valkey == nil {
		return
	}
	if l.Valkey.Cluster == "" {
		l.Valkey.Cluster = Disabled
	}
	if l.Valkey.Username == "" {
		l.Valkey.Username = defaultValkeyUser
	}
}

func (u *Usage) setDefaults() {
	if u.WhenFull == "" {
		u.WhenFull = DropOldest
	}
	if u.JournalSize == nil {
		u.JournalSize = resource.NewQuantity(defaultJournalSize, resource.BinarySI)
	}
	if u.Postgres == nil {
		return
	}
	if u.Postgres.Retention.Duration == 0 {
		u.Postgres.Retention.Duration = defaultRetention
	}
	if u.Postgres.PartitionsAhead == 0 {
		u.Postgres.PartitionsAhead = defaultPartitionsAhead
	}
}

// UsesValkey tells whether ledgers are kept in Valkey.
func (l *Ledger) UsesValkey() bool { return l.Store == StoreValkey && l.Valkey != nil }

// CA reads the authorities anew, for a file may be replaced at any time; nil without a file.
func (v *Valkey) CA() ([]byte, error) { return readFile(v.CAFile) }

// Password reads the manager's password anew; empty without a file.
func (v *Valkey) Password() (string, error) {
	text, err := readFile(v.PasswordFile)
	return strings.TrimRight(string(text), "\r\n"), err
}

// CA reads the authorities anew; nil without a file.
func (p *Postgres) CA() ([]byte, error) { return readFile(p.CAFile) }

// URL reads the address anew.
func (p *Postgres) URL() (string, error) {
	text, err := readFile(p.URLFile)
	return strings.TrimSpace(string(text)), err
}

// checkFiles reads every file that the configuration names, so that a missing one is told when the manager starts.
func (c *Config) checkFiles() field.ErrorList {
	var problems field.ErrorList
	check := func(name string, path *field.Path) {
		if _, err := readFile(name); err != nil {
			problems = append(problems, field.Invalid(path, name, err.Error()))
		}
	}
	if valkey := c.Ledger.Valkey; valkey != nil {
		check(valkey.CAFile, field.NewPath("ledger", "valkey", "caFile"))
		check(valkey.PasswordFile, field.NewPath("ledger", "valkey", "passwordFile"))
	}
	for i, issuer := range c.Tokens.Issuers {
		check(issuer.CAFile, field.NewPath("tokens", "issuers").Index(i).Child("caFile"))
	}
	if postgres := c.Usage.Postgres; postgres != nil {
		check(postgres.URLFile, field.NewPath("usage", "postgres", "urlFile"))
		check(postgres.CAFile, field.NewPath("usage", "postgres", "caFile"))
	}
	return problems
}
