//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// storePassword is that of the administrators of the servers below, which only this cluster reaches.
const storePassword = "e2e-administrator"

// server is a database that the suite runs beside the cluster, on the node's address.
type server struct {
	command func() *exec.Cmd
	ready   func(context.Context) error
	running *exec.Cmd
}

func (s *server) start(ctx context.Context) {
	GinkgoHelper()
	s.running = s.command()
	Expect(s.running.Start()).To(Succeed())
	Eventually(ctx, s.ready).WithContext(ctx).Should(Succeed())
}

// stop ends the server with a signal and waits until it is gone.
func (s *server) stop(signal os.Signal) {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Signal(signal)
	_ = s.running.Wait()
	s.running = nil
}

// nodeAddress is where pods reach what listens on the node.
func nodeAddress(ctx context.Context) string {
	GinkgoHelper()
	nodes := &corev1.NodeList{}
	Expect(api.List(ctx, nodes)).To(Succeed())
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	Fail("the node has no address")
	return ""
}

// freePort is one that nothing listens on at the node's address.
func freePort(ctx context.Context, host string) string {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	Expect(err).NotTo(HaveOccurred())
	_, port, err := net.SplitHostPort(listener.Addr().String())
	Expect(err).NotTo(HaveOccurred())
	Expect(listener.Close()).To(Succeed())
	return port
}

// startValkey runs a server that forces each write to the disk before it answers, and returns it with its address.
func startValkey(ctx context.Context) (*server, string) {
	GinkgoHelper()
	binary, err := exec.LookPath("valkey-server")
	if err != nil {
		binary, err = exec.LookPath("redis-server")
	}
	Expect(err).NotTo(HaveOccurred(), "Debian's package is redis-server; `make ci-packages` installs it")
	host := nodeAddress(ctx)
	address := net.JoinHostPort(host, freePort(ctx, host))
	_, port, _ := net.SplitHostPort(address)
	dir := GinkgoT().TempDir()
	users := filepath.Join(dir, "users.acl")
	Expect(os.WriteFile(users, []byte("user default on >"+storePassword+" ~* &* +@all\n"), 0o600)).To(Succeed())
	s := &server{
		command: func() *exec.Cmd {
			return exec.CommandContext(context.Background(), binary, "--bind", host, "--port", port, "--dir", dir, "--aclfile", users, "--appendonly", "yes", "--appendfsync", "always",
				"--save", "", "--maxmemory-policy", "noeviction", "--logfile", filepath.Join(dir, "log"))
		},
		ready: func(ctx context.Context) error { return dials(ctx, address) },
	}
	s.start(ctx)
	DeferCleanup(func() { s.stop(syscall.SIGKILL) })
	return s, address
}

func dials(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// database is a PostgreSQL server with an empty database "usage".
type database struct {
	*server
	bin, url string
}

// startPostgres runs Debian's PostgreSQL as a user of its own.
func startPostgres(ctx context.Context) *database {
	GinkgoHelper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	Expect(err).NotTo(HaveOccurred())
	Expect(found).NotTo(BeEmpty(), "Debian's package is postgresql; `make ci-packages` installs it")
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("", "signalbox-e2e-postgres")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(os.RemoveAll(dir)).To(Succeed()) })
	owner := postgresUser(dir)
	passwords := filepath.Join(dir, "password")
	Expect(os.WriteFile(passwords, []byte(storePassword), 0o644)).To(Succeed())
	data := filepath.Join(dir, "data")
	run := func(name string, args ...string) *exec.Cmd {
		command := exec.CommandContext(context.Background(), filepath.Join(bin, name), args...)
		command.SysProcAttr, command.Dir = owner, dir
		return command
	}
	out, err := run("initdb", "-D", data, "-U", "owner", "--pwfile", passwords, "-A", "scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8").CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(out))
	access, err := os.OpenFile(filepath.Join(data, "pg_hba.conf"), os.O_APPEND|os.O_WRONLY, 0)
	Expect(err).NotTo(HaveOccurred())
	_, err = access.WriteString("host all all 0.0.0.0/0 scram-sha-256\n")
	Expect(errors.Join(err, access.Close())).To(Succeed())
	host := nodeAddress(ctx)
	port := freePort(ctx, host)
	at := url.URL{Scheme: "postgres", User: url.UserPassword("owner", storePassword), Host: net.JoinHostPort(host, port), Path: "/usage", RawQuery: "sslmode=disable"}
	db := &database{bin: bin, url: at.String()}
	at.Path = "/postgres"
	db.server = &server{
		command: func() *exec.Cmd {
			return run("postgres", "-D", data, "-p", port, "-k", "", "-c", "listen_addresses="+host, "-c", "fsync=off", "-c", "max_connections=60", "-c", "shared_buffers=32MB")
		},
		ready: func(ctx context.Context) error {
			_, err := output(ctx, filepath.Join(bin, "psql"), at.String(), "-tAc", "select 1")
			return err
		},
	}
	db.start(ctx)
	DeferCleanup(func() { db.stop(syscall.SIGQUIT) })
	_, err = output(ctx, filepath.Join(bin, "psql"), at.String(), "-tAc", "create database usage")
	Expect(err).NotTo(HaveOccurred())
	return db
}

// postgresUser is the user of Debian's package, who gets the directory.
func postgresUser(dir string) *syscall.SysProcAttr {
	GinkgoHelper()
	account, err := user.Lookup("postgres")
	Expect(err).NotTo(HaveOccurred())
	uid, err := strconv.Atoi(account.Uid)
	Expect(err).NotTo(HaveOccurred())
	gid, err := strconv.Atoi(account.Gid)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Chown(dir, uid, gid)).To(Succeed())
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// query answers with the first row, its columns separated by "|".
func (d *database) query(ctx context.Context, g Gomega, statement string) []string {
	text, err := output(ctx, filepath.Join(d.bin, "psql"), d.url, "-tAc", statement)
	g.Expect(err).NotTo(HaveOccurred())
	return strings.Split(strings.TrimSpace(text), "|")
}

// systemSecret makes a Secret beside the manager, as the chart's values name one.
func systemSecret(ctx context.Context, name, key, value string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: systemNamespace}, StringData: map[string]string{key: value}}
	create(ctx, secret)
	DeferCleanup(func(ctx context.Context) { Expect(api.Delete(ctx, secret)).To(Succeed()) })
}

var _ = Describe("stores", Serial, func() {
	It("keep the ledger of a Hard budget in Valkey, which is killed and restarted", func(ctx context.Context) {
		replicas, clients, duration, amount := 3, "60", 40*time.Second, "0.30"
		if full() {
			replicas, clients, duration, amount = 8, "200", 3*time.Minute, "1.00"
		}
		valkey, address := startValkey(ctx)
		systemSecret(ctx, "valkey-admin", "password", storePassword)
		values := fmt.Sprintf(`ledger={"store":"Valkey","valkey":{"addresses":[%q],"username":"default","secret":{"name":"valkey-admin","passwordKey":"password"}}}`, address)
		installChart(ctx, chartPath(), "--set-json", values)
		DeferCleanup(func(ctx context.Context) { installChart(ctx, chartPath()) })
		t := newTreasuryWith(ctx, amount, replicas, []string{"--set-json", values})
		hammer := t.startHammer(ctx, "hammer", duration, "--clients", clients)
		watching, stopWatching := context.WithCancel(ctx)
		highest := t.watchServed(watching)
		for step := range 4 {
			pass(ctx, duration/8)
			switch step {
			case 0, 2:
				valkey.stop(syscall.SIGKILL)
				pass(ctx, 3*time.Second)
				valkey.start(ctx)
			default:
				t.killOne(ctx)
			}
		}
		sum := hammer.hammered(ctx, duration+2*time.Minute)
		stopWatching()
		Expect(<-highest).To(BeNumerically("<=", t.limit))
		t.expectExactBooks(ctx, sum)
	})

	It("get every usage record exactly once, though the database is away and a proxy is killed meanwhile", func(ctx context.Context) {
		away := 10 * time.Second
		if full() {
			away = time.Minute
		}
		db := startPostgres(ctx)
		systemSecret(ctx, "usage-database", "url", db.url)
		values := []string{"--set-json", `usage={"postgres":{"secret":{"name":"usage-database","urlKey":"url"}},"whenFull":"DropOldest","journalSize":"256Mi"}`}
		t := newTreasuryWith(ctx, "100", 2, values, func(b *v1alpha1.SpendBudget) { b.Spec.Enforcement = v1alpha1.EnforcementSoft })
		running := t.startHammer(ctx, "hammer", 15*time.Second+away, "--clients", "50", "--aborts", "0", "--words", "20", "--max-tokens", "5")
		pass(ctx, 5*time.Second)
		db.stop(syscall.SIGQUIT)
		pass(ctx, away/2)
		t.killOne(ctx)
		pass(ctx, away/2)
		db.start(ctx)
		sum := running.hammered(ctx, away+3*time.Minute)
		counters, err := t.provider.Counters(ctx)
		Expect(err).NotTo(HaveOccurred())
		arrived := counters.ByPath["/v1/chat/completions"].Requests
		var row []string
		Eventually(ctx, func(g Gomega) {
			row = db.query(ctx, g, `select count(*), count(distinct id), coalesce(sum(cost_nanodollars) filter (where outcome = 'completed'), 0), count(*) filter (where outcome = 'lost'),
				count(*) filter (where outcome = 'completed') from signalbox.usage`)
			g.Expect(row[0]).To(Equal(strconv.FormatInt(arrived, 10)), "%v", row)
		}).Should(Succeed())
		AddReportEntry("records", fmt.Sprintf("%d requests reached the provider, %d came whole; records, ids, cost, lost, completed: %v; outcomes %v", arrived, sum.Outcomes["whole"], row, sum.Outcomes),
			ReportEntryVisibilityAlways)
		Expect(row[1]).To(Equal(row[0]), "a record is there twice")
		completed, err := strconv.Atoi(row[4])
		Expect(err).NotTo(HaveOccurred())
		Expect(completed).To(BeNumerically(">=", sum.Outcomes["whole"]))
		cost, err := strconv.ParseInt(row[2], 10, 64)
		Expect(err).NotTo(HaveOccurred())
		Expect(cost).To(BeNumerically(">=", sum.CostNano))

		By("adding it up with the command")
		text, err := output(ctx, binary("signalbox"), "usage", "--by", "caller,model", "--since", "7d", "--postgres-url", db.url, "-o", "json")
		Expect(err).NotTo(HaveOccurred())
		Expect(text).To(ContainSubstring(`"caller":"serviceaccount:` + t.namespace + `/app"`))
	})
})
