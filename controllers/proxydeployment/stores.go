package proxydeployment

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage/postgres"
)

// passwordBytes is the length of a password before it is encoded.
const passwordBytes = 32

// Stores tell how the namespaces' users in the stores stand.
type Stores interface {
	// LedgerTrouble is what keeps a namespace's proxies from their ledgers, in words; empty for nothing.
	LedgerTrouble(namespace string) string
}

// storeAccess is how a namespace's proxies reach the stores.
type storeAccess struct {
	ledgers table.LedgerStore
	usage   table.UsageSinks
}

// gatherStores finds out how the proxies reach the stores. The passwords are made here and kept in the table; the users that they belong to are made
// after that, so nothing is forgotten in between. What cannot be read for a moment stays as it is in the table in force.
func (r *Reconciler) gatherStores(_ context.Context, in *input) error {
	if !in.serves() {
		return nil
	}
	if r.Stores != nil {
		in.ledgerTrouble = r.Stores.LedgerTrouble(in.namespace)
	}
	var before storeAccess
	if in.previous != nil {
		before = storeAccess{ledgers: in.previous.Ledgers, usage: in.previous.Usage}
	}
	access, err := describeStores(r.Config, in.namespace, before)
	if err != nil && in.previous != nil {
		in.stores, in.ledgerTrouble = before, err.Error()
		return nil
	}
	in.stores = access
	return err
}

// describeStores tells how a namespace's proxies reach the stores of the configuration. Passwords of before are kept.
func describeStores(config *platform.Config, namespace string, before storeAccess) (storeAccess, error) {
	var access storeAccess
	if config.Ledger.UsesValkey() {
		given, err := describeValkey(config.Ledger.Valkey, namespace, before.ledgers.Valkey)
		if err != nil {
			return storeAccess{}, err
		}
		access.ledgers.Valkey = given
	}
	access.usage.RefuseWhenFull = config.Usage.WhenFull == platform.Refuse
	if config.Usage.OTLP != nil {
		access.usage.OTLPEndpoint = config.Usage.OTLP.Endpoint
	}
	if config.Usage.Postgres != nil {
		given, err := describePostgres(config.Usage.Postgres, namespace, before.usage.Postgres)
		if err != nil {
			return storeAccess{}, err
		}
		access.usage.Postgres = given
	}
	return access, nil
}

func describeValkey(server *platform.Valkey, namespace string, before *table.Valkey) (*table.Valkey, error) {
	authorities, err := server.CA()
	if err != nil {
		return nil, fmt.Errorf("reading ledger.valkey.caFile of the platform's configuration: %w", err)
	}
	given := &table.Valkey{
		Addresses: slices.Clone(server.Addresses), Cluster: server.Cluster == platform.Enabled, CAPEM: authorities,
		Username: valkey.Username(namespace), Prefix: valkey.Prefix(namespace),
	}
	if before != nil {
		given.Password = before.Password
	}
	if given.Password == "" {
		given.Password = newPassword()
	}
	return given, nil
}

// errNoURL is for a file with something else than an address of a database. The error of the parser would repeat what it holds.
var errNoURL = errors.New("usage.postgres.urlFile of the platform's configuration holds no URL of a PostgreSQL database")

func describePostgres(database *platform.Postgres, namespace string, before *table.Postgres) (*table.Postgres, error) {
	address, err := database.URL()
	if err != nil {
		return nil, fmt.Errorf("reading usage.postgres.urlFile of the platform's configuration: %w", err)
	}
	authorities, err := database.CA()
	if err != nil {
		return nil, fmt.Errorf("reading usage.postgres.caFile of the platform's configuration: %w", err)
	}
	password := newPassword()
	if before != nil {
		if kept := passwordOf(before.URL); kept != "" {
			password = kept
		}
	}
	own, err := postgres.RoleURL(address, namespace, password)
	if err != nil {
		return nil, errNoURL
	}
	return &table.Postgres{URL: own, CAPEM: authorities}, nil
}

// passwordOf returns the password in an address; empty if there is none.
func passwordOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.User == nil {
		return ""
	}
	password, _ := parsed.User.Password()
	return password
}

// newPassword returns a random password that needs no quoting anywhere.
func newPassword() string {
	random := make([]byte, passwordBytes)
	// Read of crypto/rand never returns an error; it ends the program instead.
	_, _ = rand.Read(random)
	return base64.RawURLEncoding.EncodeToString(random)
}

// addLedgerTrouble tells every budget that its ledger cannot be reached.
func addLedgerTrouble(report *compile.Report, trouble string) {
	if trouble == "" {
		return
	}
	finding := compile.Finding{Condition: v1alpha1.ConditionEnforced, Reason: v1alpha1.ReasonLedgerUnavailable, Message: trouble}
	for i := range report.Objects {
		if report.Objects[i].Kind == compile.KindSpendBudget {
			report.Objects[i].Findings = append(report.Objects[i].Findings, finding)
		}
	}
}
