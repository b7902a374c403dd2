package valkey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

const (
	userPrefix  = "signalbox-"
	keyPrefix   = "signalbox:{"
	prefixEnd   = "}:"
	maxLabel    = 63
	minPassword = 16
	maxPassword = 512
)

// Username returns the name of a namespace's ACL user.
func Username(namespace string) string {
	return userPrefix + namespace
}

// Prefix returns what the keys and channels of a namespace begin with.
func Prefix(namespace string) string {
	return keyPrefix + namespace + prefixEnd
}

// validPrefix tells whether a prefix holds a hash tag that no name after it can change.
func validPrefix(prefix string) bool {
	namespace, found := strings.CutPrefix(prefix, keyPrefix)
	namespace, ended := strings.CutSuffix(namespace, prefixEnd)
	return found && ended && validNamespace(namespace)
}

// validNamespace tells whether a name is a DNS label. It is then no pattern for an ACL either.
func validNamespace(name string) bool {
	if name == "" || len(name) > maxLabel || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// AdminOptions are how the server's administrator reaches it.
type AdminOptions struct {
	// Addresses are host:port: one server, or some of a cluster.
	Addresses []string
	// Cluster tells that they are of a cluster.
	Cluster bool
	// Username and Password of a user that may manage users and read the configuration; an empty name is the default user.
	Username, Password string
	// CAPEM are the authorities whose certificates are accepted; empty for no TLS.
	CAPEM []byte
}

// Admin makes the users of namespaces. Its methods are safe for concurrent use.
type Admin struct {
	client redis.UniversalClient
}

// NewAdmin returns an administrator, which dials when it is first used. The error is that of options that cannot be used.
func NewAdmin(options AdminOptions) (*Admin, error) {
	client, err := connect(server{
		addresses: options.Addresses, cluster: options.Cluster, username: options.Username, password: options.Password, caPEM: options.CAPEM,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the ledger server: %w", err)
	}
	return &Admin{client: client}, nil
}

// Close ends all connections.
func (a *Admin) Close() error {
	return a.client.Close()
}

// commands are what a store uses, in scripts and besides.
func commands() []string {
	return []string{
		"+hello", "+ping", "+command", "+cluster|slots", "+cluster|shards", "+evalsha", "+eval", "+time", "+publish", "+subscribe", "+unsubscribe",
		"+hget", "+hmget", "+hset", "+hsetnx", "+get", "+set", "+sadd", "+srem", "+sscan", "+del",
	}
}

// EnsureUser makes the user of a namespace on every server, or sets it to what it should be: it can use the commands of a store, with keys and channels of its
// namespace, and log in with this password alone. Connections that it has stay. A server without an ACL file forgets users when it restarts, so this is done
// again from time to time.
func (a *Admin) EnsureUser(ctx context.Context, namespace, password string) error {
	if !validNamespace(namespace) {
		return fmt.Errorf("making a ledger user: %q is not the name of a namespace", namespace)
	}
	if len(password) < minPassword || len(password) > maxPassword {
		return fmt.Errorf("making the ledger user of namespace %s: its password is not of %d to %d bytes", namespace, minPassword, maxPassword)
	}
	hash := sha256.Sum256([]byte(password))
	rules := slices.Concat(
		[]string{"reset", "on", "#" + hex.EncodeToString(hash[:]), "~" + Prefix(namespace) + "*", "&" + Prefix(namespace) + "*"}, commands())
	err := a.onEach(ctx, func(ctx context.Context, server *redis.Client) error {
		if err := server.ACLSetUser(ctx, Username(namespace), rules...).Err(); err != nil {
			return err
		}
		return keepUsers(ctx, server)
	})
	if err != nil {
		return fmt.Errorf("making the ledger user of namespace %s: %w", namespace, cleaned(err))
	}
	return nil
}

// RemoveUser removes the user of a namespace from every server and ends its connections. It is no error when there is none.
func (a *Admin) RemoveUser(ctx context.Context, namespace string) error {
	if !validNamespace(namespace) {
		return fmt.Errorf("removing a ledger user: %q is not the name of a namespace", namespace)
	}
	err := a.onEach(ctx, func(ctx context.Context, server *redis.Client) error {
		if err := server.ACLDelUser(ctx, Username(namespace)).Err(); err != nil {
			return err
		}
		return keepUsers(ctx, server)
	})
	if err != nil {
		return fmt.Errorf("removing the ledger user of namespace %s: %w", namespace, cleaned(err))
	}
	return nil
}

// Namespaces returns the namespaces that have a user on some server, in order.
func (a *Admin) Namespaces(ctx context.Context) ([]string, error) {
	var mu sync.Mutex
	var names []string
	err := a.onEach(ctx, func(ctx context.Context, server *redis.Client) error {
		users, err := server.ACLUsers(ctx).Result()
		mu.Lock()
		defer mu.Unlock()
		for _, user := range users {
			if name, ours := strings.CutPrefix(user, userPrefix); ours && validNamespace(name) {
				names = append(names, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the ledger users: %w", cleaned(err))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// keepUsers writes users into the server's ACL file, if it has one.
func keepUsers(ctx context.Context, server *redis.Client) error {
	file, err := setting(ctx, server, "aclfile")
	if err != nil || file == "" {
		return err
	}
	return server.Do(ctx, "acl", "save").Err()
}

// onEach calls a function with a client of every server, replicas included.
func (a *Admin) onEach(ctx context.Context, do func(context.Context, *redis.Client) error) error {
	switch client := a.client.(type) {
	case *redis.ClusterClient:
		return client.ForEachShard(ctx, do)
	case *redis.Client:
		return do(ctx, client)
	default:
		return errors.New("the client is neither one server's nor a cluster's")
	}
}

// setting returns a setting of a server; empty when the server does not have it.
func setting(ctx context.Context, server *redis.Client, name string) (string, error) {
	found, err := server.ConfigGet(ctx, name).Result()
	return found[name], err
}

// CheckDurability returns a sentence for each setting of the servers that can lose what was acknowledged; none when all is well.
func (a *Admin) CheckDurability(ctx context.Context) ([]string, error) {
	var mu sync.Mutex
	var faults []string
	err := a.onEach(ctx, func(ctx context.Context, server *redis.Client) error {
		settings := map[string]string{}
		for _, name := range []string{"appendonly", "appendfsync", "maxmemory-policy", "aclfile"} {
			value, err := setting(ctx, server, name)
			if err != nil {
				return err
			}
			settings[name] = value
		}
		mu.Lock()
		defer mu.Unlock()
		faults = append(faults, durabilityFaults(settings)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger server's configuration: %w", cleaned(err))
	}
	slices.Sort(faults)
	return slices.Compact(faults), nil
}

// durabilityFaults says what is wrong with the settings of a server.
func durabilityFaults(settings map[string]string) []string {
	var faults []string
	if settings["appendonly"] != "yes" {
		faults = append(faults, "The ledger server loses what it holds when it restarts: set appendonly to yes.")
	}
	if fsync := settings["appendfsync"]; fsync != "always" && fsync != "everysec" {
		faults = append(faults, "The ledger server can lose many seconds of spending when its machine fails: set appendfsync to everysec or always.")
	}
	if settings["maxmemory-policy"] != "noeviction" {
		faults = append(faults, "The ledger server drops ledgers when its memory is full: set maxmemory-policy to noeviction.")
	}
	if settings["aclfile"] == "" {
		faults = append(faults, "The ledger server forgets the users of namespaces when it restarts, until the manager has made them again: set aclfile.")
	}
	return faults
}
