package stores

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/usage/postgres"
)

// Postgres is the directory of a PostgreSQL database. The URL and the authorities are read anew with every call, for the files may be replaced; the
// connection is kept while both are the same.
type Postgres struct {
	// Database of the configuration.
	Database *platform.Postgres

	mutex       sync.Mutex
	admin       *postgres.Admin
	url         string
	authorities []byte
	migrated    bool
}

// Ensure implements Directory. The first call brings the schema up to date, for a role is given its rights in it.
func (p *Postgres) Ensure(ctx context.Context, namespace, password string) error {
	admin, err := p.ready(ctx)
	if err != nil {
		return err
	}
	return admin.EnsureRole(ctx, namespace, password)
}

// Remove implements Directory. The records of the namespace stay.
func (p *Postgres) Remove(ctx context.Context, namespace string) error {
	admin, err := p.ready(ctx)
	if err != nil {
		return err
	}
	return admin.RemoveRole(ctx, namespace)
}

// Namespaces implements Directory.
func (p *Postgres) Namespaces(ctx context.Context) ([]string, error) {
	admin, err := p.ready(ctx)
	if err != nil {
		return nil, err
	}
	return admin.Namespaces(ctx)
}

// Maintain implements Directory: it makes the partitions of the months to come and removes those that are old enough.
func (p *Postgres) Maintain(ctx context.Context) ([]string, error) {
	admin, err := p.ready(ctx)
	if err != nil {
		return nil, err
	}
	if err := admin.EnsurePartitions(ctx, int(p.Database.PartitionsAhead)); err != nil {
		return nil, err
	}
	return nil, admin.Retention(ctx, p.Database.Retention.Duration)
}

// ready returns an administrator of a database whose schema is up to date.
func (p *Postgres) ready(ctx context.Context) (*postgres.Admin, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.open(); err != nil {
		return nil, err
	}
	if !p.migrated {
		if err := p.admin.Migrate(ctx); err != nil {
			return nil, err
		}
		p.migrated = true
	}
	return p.admin, nil
}

// open uses what the files hold now. It needs the mutex to be held.
func (p *Postgres) open() error {
	url, err := p.Database.URL()
	if err != nil {
		return fmt.Errorf("reading usage.postgres.urlFile: %w", err)
	}
	authorities, err := p.Database.CA()
	if err != nil {
		return fmt.Errorf("reading usage.postgres.caFile: %w", err)
	}
	if p.admin != nil && p.url == url && bytes.Equal(p.authorities, authorities) {
		return nil
	}
	admin, err := postgres.NewAdmin(postgres.AdminOptions{URL: url, CAPEM: authorities})
	if err != nil {
		return err
	}
	before := p.admin
	p.admin, p.url, p.authorities, p.migrated = admin, url, authorities, false
	if before == nil {
		return nil
	}
	return before.Close()
}
