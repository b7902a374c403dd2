package valkey

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/valkey/valkeytest"
	"signalbox.dev/signalbox/proxy/table"
)

func admin(t *testing.T, server *valkeytest.Server, change ...func(*AdminOptions)) *Admin {
	t.Helper()
	options := AdminOptions{Addresses: []string{server.Addr()}, Username: "default", Password: valkeytest.Password}
	for _, set := range change {
		set(&options)
	}
	a, err := NewAdmin(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// own returns the options of a namespace's own user, after it was made.
func own(t *testing.T, a *Admin, server *valkeytest.Server, namespace string) table.Valkey {
	t.Helper()
	password := rand.Text()
	if err := a.EnsureUser(t.Context(), namespace, password); err != nil {
		t.Fatal(err)
	}
	return table.Valkey{Addresses: []string{server.Addr()}, Username: Username(namespace), Password: password, Prefix: Prefix(namespace)}
}

// exercise uses all that a store offers, and fails where a right is missing.
func exercise(t *testing.T, options table.Valkey) {
	t.Helper()
	store := open(t, options)
	seen := watch(t, store, "b", "b/x")
	eventually(t, "the document is seen", func() bool { return seen.get("b").Identity != "" })
	save(t, store, "b", with(load(t, store, "b"), "a/1", 5, 1))
	eventually(t, "the change", func() bool { return spent(seen.get("b").Record) == 5 })
	if names, err := store.List(t.Context(), "b"); err != nil || len(names) != 2 {
		t.Errorf("List = %q, %v", names, err)
	}
	if _, err := store.Ledgers(t.Context()); err != nil {
		t.Error(err)
	}
	if peeked, err := store.Peek(t.Context(), "b", "none"); err != nil || spent(peeked[0].Record) != 5 {
		t.Errorf("Peek = %+v, %v", peeked, err)
	}
	if err := store.Seed(t.Context(), "b", ledger.Record{}); err != nil {
		t.Error(err)
	}
	end := time.Now().Add(-pruneAfter - time.Hour).UTC()
	old := load(t, store, "b/old")
	old.Record.Put(ledger.Key{Period: "Day", TimeZone: "UTC", Start: end.Add(-24 * time.Hour)}, end, "a/1", ledger.Entry{Seq: 1, Updated: end})
	save(t, store, "b/old", old)
	if removed, err := store.Prune(t.Context(), "b"); err != nil || removed != 1 {
		t.Errorf("Prune = %d, %v", removed, err)
	}
	if err := store.client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// TestNamespacesAreApart checks that the user of a namespace can do its work, and nothing with what is another's or the server's.
func TestNamespacesAreApart(t *testing.T) {
	server := valkeytest.Start(t)
	a := admin(t, server)
	mine, theirs := own(t, a, server, "team-a"), own(t, a, server, "team-b")
	exercise(t, mine)
	exercise(t, theirs)
	refused, err := a.client.(*redis.Client).Do(t.Context(), "acl", "log").Slice()
	if err != nil || len(refused) != 0 {
		t.Errorf("the server refused to a store what it needs: %v, %v", refused, err)
	}
	trespass := mine
	trespass.Prefix = theirs.Prefix
	stranger := open(t, trespass)
	ctx := t.Context()
	_, loading := stranger.Load(ctx, "b")
	stored := load(t, open(t, theirs), "b")
	_, saving := stranger.Save(ctx, "b", with(stored, "a/1", 0, 9))
	_, listing := stranger.List(ctx, "b")
	_, peeking := stranger.Peek(ctx, "b")
	_, pruning := stranger.Prune(ctx, "b")
	client := stranger.client
	subscription := client.Subscribe(ctx, stranger.channel())
	_, subscribing := subscription.Receive(ctx)
	_ = subscription.Close()
	for what, err := range map[string]error{
		"load": loading, "save": saving, "list": listing, "peek": peeking, "prune": pruning, "seed": stranger.Seed(ctx, "b", ledger.Record{}),
		"subscribe":    cleaned(subscribing),
		"publish":      cleaned(client.Publish(ctx, stranger.channel(), "b").Err()),
		"all keys":     cleaned(client.Keys(ctx, "*").Err()),
		"flush":        cleaned(client.FlushAll(ctx).Err()),
		"config":       cleaned(client.ConfigGet(ctx, "*").Err()),
		"users":        cleaned(client.ACLList(ctx).Err()),
		"outside":      cleaned(client.Get(ctx, "x").Err()),
		"beside":       cleaned(client.Get(ctx, "signalbox:{team-ab}:doc:b").Err()),
		"own expiry":   cleaned(client.Expire(ctx, mine.Prefix+"doc:b", time.Second).Err()),
		"script's key": cleaned(client.Eval(ctx, "return redis.call('GET', ARGV[1])", []string{mine.Prefix + "x"}, theirs.Prefix+"seed:b").Err()),
	} {
		if !errors.Is(err, ErrDenied) && !strings.Contains(errorText(err), "ERR") {
			t.Errorf("%s: %v; want a refusal", what, err)
		}
	}
	if after := load(t, open(t, theirs), "b"); after.Version != stored.Version {
		t.Error("another namespace's document was changed")
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestUsers makes a user again with another password, lists and removes users, and restarts the server.
func TestUsers(t *testing.T) {
	server := valkeytest.Start(t)
	a := admin(t, server)
	before := own(t, a, server, "team-a")
	after := own(t, a, server, "team-a")
	own(t, a, server, "b")
	if _, err := open(t, before).Load(t.Context(), "b"); !errors.Is(err, ErrDenied) {
		t.Errorf("with the old password: %v; want ErrDenied", err)
	}
	names, err := a.Namespaces(t.Context())
	if diff := cmp.Diff([]string{"b", "team-a"}, names); err != nil || diff != "" {
		t.Errorf("namespaces: %v (-want +got):\n%s", err, diff)
	}
	server.Kill()
	server.Restart()
	store := open(t, after)
	eventually(t, "the user is there after a restart", func() bool { _, err := store.Load(t.Context(), "b"); return err == nil })
	for range 2 {
		if err := a.RemoveUser(t.Context(), "team-a"); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Load(t.Context(), "b"); err == nil {
		t.Error("a removed user is still served")
	}
	for _, namespace := range []string{"", "*", "a b", "A", "-a", "a-", "x{y", strings.Repeat("a", 64), "a on"} {
		if err := a.EnsureUser(t.Context(), namespace, rand.Text()); err == nil {
			t.Errorf("EnsureUser(%q) succeeded", namespace)
		}
		if err := a.RemoveUser(t.Context(), namespace); err == nil {
			t.Errorf("RemoveUser(%q) succeeded", namespace)
		}
	}
	for _, password := range []string{"", "short", strings.Repeat("x", 513)} {
		if err := a.EnsureUser(t.Context(), "c", password); err == nil {
			t.Errorf("EnsureUser with a password of %d bytes succeeded", len(password))
		}
	}
}

// TestPasswordsStayOut looks for a password in what the server keeps for others to see.
func TestPasswordsStayOut(t *testing.T) {
	server := valkeytest.Start(t, "--slowlog-log-slower-than", "0")
	a := admin(t, server)
	password := own(t, a, server, "team-a").Password
	log, err := a.client.(*redis.Client).SlowLogGet(t.Context(), 128).Result()
	if err != nil || len(log) == 0 {
		t.Fatalf("the slow log has %d lines, %v", len(log), err)
	}
	for _, line := range log {
		if strings.Contains(strings.Join(line.Args, " "), password) {
			t.Errorf("the slow log has a password: %q", line.Args)
		}
	}
	users, err := os.ReadFile(filepath.Join(server.Dir(), "users.acl"))
	if err != nil || strings.Contains(string(users), password) || !strings.Contains(string(users), Username("team-a")) {
		t.Errorf("the ACL file: %v\n%s", err, users)
	}
}

func TestCheckDurability(t *testing.T) {
	fine := map[string]string{"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "aclfile": "/users.acl"}
	for name, tc := range map[string]struct {
		setting, value, want string
	}{
		"fine":           {setting: "appendfsync", value: "always"},
		"nothing kept":   {setting: "appendonly", value: "no", want: "set appendonly to yes"},
		"kept late":      {setting: "appendfsync", value: "no", want: "set appendfsync"},
		"eviction":       {setting: "maxmemory-policy", value: "allkeys-lru", want: "set maxmemory-policy"},
		"users forgot":   {setting: "aclfile", value: "", want: "set aclfile"},
		"unknown policy": {setting: "maxmemory-policy", value: "", want: "set maxmemory-policy"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := map[string]string{}
			for key, value := range fine {
				settings[key] = value
			}
			settings[tc.setting] = tc.value
			faults := durabilityFaults(settings)
			if tc.want == "" && len(faults) > 0 || tc.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tc.want)) {
				t.Errorf("faults: %q; want %q", faults, tc.want)
			}
		})
	}
	good := admin(t, valkeytest.Start(t))
	if faults, err := good.CheckDurability(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("a server that is set as it should be: %q, %v", faults, err)
	}
	bad := admin(t, valkeytest.Start(t, "--appendonly", "no", "--maxmemory-policy", "volatile-lru"))
	if faults, err := bad.CheckDurability(t.Context()); err != nil || len(faults) != 2 {
		t.Errorf("a server that keeps nothing: %q, %v", faults, err)
	}
}

// TestCluster runs all on a cluster of one server that has all slots. A command over keys of several slots would be refused there.
func TestCluster(t *testing.T) {
	server := valkeytest.Start(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "yes")
	single := admin(t, server)
	if err := single.client.(*redis.Client).ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster is well", func() bool {
		info, err := single.client.(*redis.Client).ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	if err := single.client.Del(t.Context(), "x", "y").Err(); err == nil {
		t.Fatal("the server takes commands over several slots, so the test proves nothing")
	}
	a := admin(t, server, func(o *AdminOptions) { o.Cluster = true })
	options := own(t, a, server, "team-a")
	options.Cluster = true
	exercise(t, options)
	if faults, err := a.CheckDurability(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("CheckDurability: %q, %v", faults, err)
	}
	if names, err := a.Namespaces(t.Context()); err != nil || len(names) != 1 {
		t.Errorf("Namespaces: %q, %v", names, err)
	}
	refused, err := single.client.(*redis.Client).Do(t.Context(), "acl", "log").Slice()
	if err != nil || len(refused) != 0 {
		t.Errorf("the server refused to a store what it needs: %v, %v", refused, err)
	}
	if err := a.RemoveUser(t.Context(), "team-a"); err != nil {
		t.Error(err)
	}
}

// authority makes the certificate of an authority and one of 127.0.0.1 by it, and writes the latter to a directory.
func authority(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	for name, content := range map[string][]byte{"tls.crt": text, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return text
}

// TestTLS reaches a server over TLS with its authority, and with no other.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	known, other := authority(t, dir), authority(t, t.TempDir())
	secure := valkeytest.FreePort(t)
	server := valkeytest.Start(t, "--tls-port", secure, "--tls-cert-file", filepath.Join(dir, "tls.crt"), "--tls-key-file", filepath.Join(dir, "tls.key"),
		"--tls-auth-clients", "no")
	good := options(server)
	good.Addresses = []string{net.JoinHostPort("127.0.0.1", secure)}
	good.CAPEM = known
	load(t, open(t, good), "b")
	bad := good
	bad.CAPEM = other
	store, err := New(bad, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var unknown x509.UnknownAuthorityError
	if _, err := store.Load(ctx, "b"); !errors.As(err, &unknown) {
		t.Errorf("with another authority: %v; want an unknown authority", err)
	}
}
