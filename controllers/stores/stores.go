// Package stores looks after what the namespaces have outside the cluster: their users in the server that keeps the ledgers and in the database that takes
// the usage records. The passwords are made with the routing tables and kept there; this controller makes the users that they belong to, makes them again
// where a server forgot them, and removes those of a namespace whose proxy is gone. What goes wrong is told and tried again. It never keeps a proxy from
// answering: a namespace keeps the access that it has.
package stores

import (
	"context"
	"net/url"

	"signalbox.dev/signalbox/proxy/table"
)

// Directory makes and removes the users of namespaces in a store. Its methods are safe for concurrent use, and their errors hold no secrets.
type Directory interface {
	// Ensure makes a namespace's user, or sets its password and rights to what they should be.
	Ensure(ctx context.Context, namespace, password string) error
	// Remove removes a namespace's user. It is no error when there is none.
	Remove(ctx context.Context, namespace string) error
	// Namespaces are those that have a user.
	Namespaces(ctx context.Context) ([]string, error)
	// Maintain does what a store needs from time to time, and returns in sentences what people should change.
	Maintain(ctx context.Context) (advice []string, err error)
}

// Use says what a store is used for.
type Use string

// The uses.
const (
	// ForLedgers is the store of the ledgers.
	ForLedgers Use = "ledgers"
	// ForRecords is the store of usage records.
	ForRecords Use = "usage records"
)

// Store is one that is configured.
type Store struct {
	// Use of the store; no two have the same.
	Use Use
	// Directory of its users.
	Directory Directory
}

// password is that of a namespace's user in a store; empty if its table does not name the store.
func (u Use) password(t *table.Table) string {
	switch {
	case u == ForLedgers && t.Ledgers.Valkey != nil:
		return t.Ledgers.Valkey.Password
	case u == ForRecords && t.Usage.Postgres != nil:
		return passwordOf(t.Usage.Postgres.URL)
	default:
		return ""
	}
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
