package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"signalbox.dev/signalbox/proxy/usage/postgres"
)

// secret is the password of the server's owner.
const secret = "s3cret-of-the-owner"

// server is a PostgreSQL of the tests' own.
type server struct {
	bin, dir string
	port     int
	owner    *syscall.SysProcAttr
	running  *exec.Cmd
	log      *os.File
	caPEM    []byte
}

var shared *server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "signalbox-postgres-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if shared, err = newServer(dir); err != nil {
			fmt.Fprintln(os.Stderr, "these tests need PostgreSQL's server: apt-get install postgresql\n", err)
			return 1
		}
		defer func() { _ = shared.stop() }()
		return m.Run()
	}())
}

func newServer(dir string) (*server, error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(bins) == 0 {
		return nil, errors.New("there is no /usr/lib/postgresql/*/bin/initdb")
	}
	slices.Sort(bins)
	s := &server{bin: filepath.Dir(bins[len(bins)-1]), dir: filepath.Join(dir, "data")}
	if err := s.own(dir); err != nil {
		return nil, err
	}
	passwords := filepath.Join(dir, "password")
	if err := os.WriteFile(passwords, []byte(secret), 0o644); err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.dir, "-U", "owner", "--pwfile", passwords, "-A", "scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := s.certify(); err != nil {
		return nil, err
	}
	if s.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// own chooses another user than root, as which the server would not run.
func (s *server) own(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return err
	}
	s.owner = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(dir, uid, gid)
}

func (s *server) command(name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), arguments...) //nolint:gosec // PostgreSQL's own programs
	command.SysProcAttr = s.owner
	command.Dir = filepath.Dir(s.dir)
	return command
}

// certify gives the server a certificate for localhost.
func (s *server) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	s.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	files := map[string][]byte{"server.crt": s.caPEM, "server.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
	for name, text := range files {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
		if s.owner != nil {
			if err := os.Chown(path, int(s.owner.Credential.Uid), int(s.owner.Credential.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *server) start() error {
	s.running = s.command("postgres", "-D", s.dir, "-p", strconv.Itoa(s.port), "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
		"-c", "max_connections=40", "-c", "shared_buffers=16MB", "-c", "ssl=on", "-c", "log_statement=all")
	s.running.Stderr, s.running.Stdout = s.log, s.log
	if err := s.running.Start(); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url("owner", secret, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not come up: %w", err)
		case <-tick.C:
		}
	}
}

// stop ends the server at once, with its connections.
func (s *server) stop() error {
	if s.running == nil {
		return nil
	}
	if err := s.running.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	// It says that it was stopped by a signal.
	_ = s.running.Wait()
	s.running = nil
	return nil
}

func (s *server) url(user, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s", user, password, s.port, database)
}

// database is one of a test's own, with an administrator who is no superuser.
type database struct {
	*server
	name, adminURL string
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	name := "db" + strings.ToLower(rand.Text()[:10])
	d := &database{server: shared, name: name, adminURL: shared.url("admin_"+name, "pw", name)}
	owner := connect(t, shared.url("owner", secret, "postgres"))
	for _, statement := range []string{
		"CREATE ROLE admin_" + name + " LOGIN CREATEROLE PASSWORD 'pw'",
		"CREATE DATABASE " + name + " OWNER admin_" + name,
		"REVOKE ALL ON DATABASE " + name + " FROM PUBLIC",
	} {
		if _, err := owner.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// admin has the schema in place, as of a time.
func (d *database) admin(t *testing.T, now func() time.Time) *postgres.Admin {
	t.Helper()
	a, err := postgres.NewAdmin(postgres.AdminOptions{URL: d.adminURL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	if err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// writer writes as a namespace's own role.
func (d *database) writer(t *testing.T, a *postgres.Admin, namespace string) *postgres.Writer {
	t.Helper()
	if err := a.EnsureRole(t.Context(), namespace, "password-of-"+namespace); err != nil {
		t.Fatal(err)
	}
	w, err := postgres.NewWriter(postgres.WriterOptions{URL: d.roleURL(t, namespace), Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func (d *database) roleURL(t *testing.T, namespace string) string {
	t.Helper()
	url, err := postgres.RoleURL(d.adminURL, namespace, "password-of-"+namespace)
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// text is the one value of a query.
func (d *database) text(t *testing.T, query string) string {
	t.Helper()
	var value string
	if err := connect(t, d.adminURL).QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}
