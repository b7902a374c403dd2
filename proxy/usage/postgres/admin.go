package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockTimeout bounds how long a change of the schema waits for locks, for inserts wait behind it.
const lockTimeout = 5 * time.Second

// AdminOptions of an Admin.
type AdminOptions struct {
	// URL of the database, with a user who may make schemas and roles.
	URL string
	// CAPEM are the authorities of the server's certificate; with them the connection uses TLS and checks the server's name. Empty follows the URL's sslmode.
	CAPEM []byte
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Admin takes care of the schema and the roles. It is safe for concurrent use, and its methods can be repeated and run by several processes at a time.
type Admin struct {
	config *pgx.ConnConfig
	now    func() time.Time

	mu   sync.Mutex
	conn *pgx.Conn
}

// NewAdmin connects when it is first used.
func NewAdmin(o AdminOptions) (*Admin, error) {
	config, err := configure(o.URL, o.CAPEM)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Admin{config: config, now: o.Now}, nil
}

// Close ends the connection.
func (a *Admin) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.disconnect()
}

func (a *Admin) disconnect() error {
	if a.conn == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	err := a.conn.Close(ctx)
	a.conn = nil
	return err
}

// change runs what changes the schema in a transaction, one at a time over all processes. A connection that failed is not used again.
func (a *Admin) change(ctx context.Context, do func(pgx.Tx) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil || a.conn.IsClosed() {
		conn, err := dial(ctx, a.config)
		if err != nil {
			return err
		}
		a.conn = conn
	}
	err := pgx.BeginFunc(ctx, a.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", lockTimeout.Milliseconds())); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('signalbox.usage'))"); err != nil {
			return err
		}
		return do(tx)
	})
	if err != nil && a.conn.IsClosed() {
		return errors.Join(err, a.disconnect())
	}
	return err
}

// migrations are the versions of the schema, the first one first. A version that has been released does not change.
func migrations() []string {
	return []string{
		`CREATE TABLE signalbox.usage (
` + definitions() + `,
PRIMARY KEY (time, id, namespace)
) PARTITION BY RANGE (time);
CREATE TABLE signalbox.usage_default PARTITION OF signalbox.usage DEFAULT;
CREATE TABLE signalbox.namespaces (namespace text PRIMARY KEY, role name NOT NULL, proof text NOT NULL);
ALTER TABLE signalbox.usage ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON signalbox.usage FOR SELECT USING (true);`,
	}
}

// Migrate brings the schema to the newest version. A schema that is newer still is left as it is.
func (a *Admin) Migrate(ctx context.Context) error {
	err := a.change(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS signalbox`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `CREATE TABLE IF NOT EXISTS signalbox.schema_version (version int PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())`); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM signalbox.schema_version`).Scan(&version); err != nil {
			return err
		}
		for i, migration := range migrations() {
			if i < version {
				continue
			}
			if _, err := tx.Exec(ctx, migration); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO signalbox.schema_version (version) VALUES ($1)`, i+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("migrating the usage schema: %w", err)
	}
	return nil
}
