package stores

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/ledger/valkey"
)

// Valkey is the directory of a Valkey or Redis server. The manager's password and the authorities are read anew with every call, for the files may be
// replaced; the connections are kept while both are the same.
type Valkey struct {
	// Server of the configuration.
	Server *platform.Valkey

	mutex   sync.Mutex
	admin   *valkey.Admin
	options valkey.AdminOptions
}

// Ensure implements Directory.
func (v *Valkey) Ensure(ctx context.Context, namespace, password string) error {
	admin, err := v.use()
	if err != nil {
		return err
	}
	return admin.EnsureUser(ctx, namespace, password)
}

// Remove implements Directory.
func (v *Valkey) Remove(ctx context.Context, namespace string) error {
	admin, err := v.use()
	if err != nil {
		return err
	}
	return admin.RemoveUser(ctx, namespace)
}

// Namespaces implements Directory.
func (v *Valkey) Namespaces(ctx context.Context) ([]string, error) {
	admin, err := v.use()
	if err != nil {
		return nil, err
	}
	return admin.Namespaces(ctx)
}

// Maintain implements Directory: it looks whether the server can lose what it acknowledged.
func (v *Valkey) Maintain(ctx context.Context) ([]string, error) {
	admin, err := v.use()
	if err != nil {
		return nil, err
	}
	return admin.CheckDurability(ctx)
}

// use returns an administrator with what the files hold now.
func (v *Valkey) use() (*valkey.Admin, error) {
	password, err := v.Server.Password()
	if err != nil {
		return nil, fmt.Errorf("reading ledger.valkey.passwordFile: %w", err)
	}
	authorities, err := v.Server.CA()
	if err != nil {
		return nil, fmt.Errorf("reading ledger.valkey.caFile: %w", err)
	}
	options := valkey.AdminOptions{
		Addresses: v.Server.Addresses, Cluster: v.Server.Cluster == platform.Enabled, Username: v.Server.Username, Password: password, CAPEM: authorities,
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.admin != nil && v.options.Password == password && slices.Equal(v.options.CAPEM, authorities) {
		return v.admin, nil
	}
	admin, err := valkey.NewAdmin(options)
	if err != nil {
		return nil, err
	}
	before := v.admin
	v.admin, v.options = admin, options
	if before == nil {
		return admin, nil
	}
	// A call that is under way fails and is made again.
	return admin, before.Close()
}
