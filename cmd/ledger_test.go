package cmd

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientset "k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/file"
	"signalbox.dev/signalbox/proxy/ledger/kubernetes"
	"signalbox.dev/signalbox/proxy/ledger/migrate"
	"signalbox.dev/signalbox/proxy/ledger/valkey/valkeytest"
)

// runLedger runs `signalbox ledger` and returns what it prints.
func runLedger(t *testing.T, args ...string) (string, error) {
	t.Helper()
	command := NewLedger()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&out)
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// mustLedger fails the test when the command fails, or prints other than all of the texts.
func mustLedger(t *testing.T, texts []string, args ...string) {
	t.Helper()
	out, err := runLedger(t, args...)
	if err != nil {
		t.Errorf("ledger %q: %v", args, err)
	}
	for _, text := range texts {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), text) {
			t.Errorf("ledger %q does not print %q:\n%s", args, text, out)
		}
	}
}

// spentBy enters what owners counted.
func spentBy(owners map[ledger.Owner]ledger.Entry) ledger.Record {
	return ledger.Record{Windows: []ledger.Count{
		{Key: ledger.Key{Period: "Total", TimeZone: "UTC"}, Owners: owners},
		{Key: ledger.Key{Period: "Total", TimeZone: "UTC"}, Subject: "ann\nBOB", Folded: ledger.Folded{Totals: ledger.Totals{Spent: 7, Requests: 1}, Lost: 3}},
	}}
}

func entry(spent, allowance int64, lost ...bool) ledger.Entry {
	return ledger.Entry{
		Totals: ledger.Totals{Spent: spent, Requests: 2}, Allowance: allowance, Seq: 4, Lost: len(lost) > 0, Updated: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC),
	}
}

func keep(t *testing.T, store migrate.Store, record ledger.Record) {
	t.Helper()
	err := migrate.Place{Name: "x", Store: store}.Change(t.Context(), ledger.Name("b"), func(old *ledger.Record) (bool, error) {
		*old = record
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLedgerOfADirectory shows and releases what `signalbox run` counted.
func TestLedgerOfADirectory(t *testing.T) {
	dir := t.TempDir()
	store, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, store, spentBy(map[ledger.Owner]ledger.Entry{
		"gone/1": entry(1_500_000_000, 2_000_000_000, true), "lives/1": entry(1, 5), "moved-a/1": entry(2, 4, true),
	}))
	texts := []string{
		"budget b", "window Total, UTC", "(all calls) $1.500000003 $0.000000004 $0.500000002 $0 6 0", `"ann\nBOB" $0.000000007 $0 $0.000000003 $0 1 0`,
		"gone/1 (all calls) $1.5 $0 $0.5 2026-11-23T12:00:00Z", "lives/1 (all calls) $0.000000001 $0.000000004 $0 2026-11-23T12:00:00Z", "(owners no longer named) $0.000000003",
	}
	mustLedger(t, texts, "show", "--dir", dir)
	mustLedger(t, []string{"... and 1 more counters (--top 0 prints all)", "... and 2 more owners"}, "show", "b", "--dir", dir, "--top", "1")
	if _, err := runLedger(t, "release", "b", "--dir", dir, "--all-lost", "--yes"); !errors.Is(err, file.ErrInUse) {
		t.Errorf("release beside a process: %v; want ErrInUse", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := runLedger(t, "release", "b", "--dir", dir, "--all-lost"); err == nil || !strings.Contains(out, "would free $0.500000003 in 2 slices") {
		t.Errorf("release without --yes: %v\n%s", err, out)
	}
	mustLedger(t, texts, "show", "--dir", dir)
	for _, args := range [][]string{{"--owner", "lives/1", "--yes"}, {"--owner", "nobody/1", "--yes"}, {}, {"--owner", "gone/1", "--all-lost"}} {
		if out, err := runLedger(t, append([]string{"release", "b", "--dir", dir}, args...)...); err == nil {
			t.Errorf("release %q succeeded:\n%s", args, out)
		}
	}
	mustLedger(t, []string{"freed $0.5 of gone/1, (all calls), window Total, UTC", "freed $0.5 in 1 slices"}, "release", "b", "--dir", dir, "--owner", "gone/1", "--yes")
	mustLedger(t, []string{"(all calls) $1.500000003 $0.000000004 $0.000000002 $0"}, "show", "--dir", dir)
	mustLedger(t, []string{"freed $0.000000003 in 1 slices"}, "release", "b", "--dir", dir, "--all-lost", "--yes")
}

// TestLedgerMigration moves a ledger from ConfigMaps to a real server and back, and from there to a directory, by the command.
func TestLedgerMigration(t *testing.T) {
	env := &envtest.Environment{}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		env.BinaryAssetsDirectory = filepath.Join("..", "bin")
	}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server from the binaries in $KUBEBUILDER_ASSETS or bin: %v", err)
	}
	t.Cleanup(func() { _ = env.Stop() })
	dir := t.TempDir()
	kubeconfig, password := filepath.Join(dir, "kubeconfig"), filepath.Join(dir, "password")
	for name, content := range map[string][]byte{kubeconfig: env.KubeConfig, password: []byte(valkeytest.Password + "\n")} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	clients := clientset.NewForConfigOrDie(config)
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: ledger.Name("b"), Labels: kubernetes.Labels("b")}}
	if _, err := clients.CoreV1().ConfigMaps("default").Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "proxy"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "proxy"}}},
	}
	if pod, err = clients.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	keep(t, kubernetes.New(clients.CoreV1(), "default", nil), spentBy(map[ledger.Owner]ledger.Entry{
		ledger.Owner(string(pod.UID) + "/1"): entry(100, 150), "gone/1": entry(20, 50),
	}))
	server := "valkey://default@" + valkeytest.Start(t).Addr() + "?password=" + url.QueryEscape(password)
	cluster := []string{"--kubeconfig", kubeconfig}
	there := append([]string{"migrate", "b", "--from", "kubernetes", "--to", server}, cluster...)
	mustLedger(t, []string{"b: spent $0.000000127, held $0.00000005, lost $0.000000033; waiting for 1 counters"}, append(there, "--once")...)
	mustLedger(t, []string{"being moved to valkey-", "(all calls) $0.00000012 $0.00000008 $0"}, append([]string{"show"}, cluster...)...)
	mustLedger(t, []string{"(all calls) $0.00000012 $0 $0.00000008 $0", `"ann\nBOB" $0.000000007 $0 $0.000000003`, "moved-kubernetes/1"}, "show", "--valkey-url", server)
	grace := int64(0)
	if err := clients.CoreV1().Pods("default").Delete(t.Context(), "proxy", metav1.DeleteOptions{GracePeriodSeconds: &grace}); err != nil {
		t.Fatal(err)
	}
	mustLedger(t, []string{"lost $0.000000083; done"}, append(there, "--interval", "10ms")...)
	mustLedger(t, []string{"moved to valkey-"}, append([]string{"show", "b"}, cluster...)...)
	back := append([]string{"migrate", "--from", server, "--to", "kubernetes"}, cluster...)
	mustLedger(t, []string{"done"}, back...)
	mustLedger(t, []string{"budget b window", "(all calls) $0.00000012 $0.00000008 $0"}, append([]string{"show"}, cluster...)...)
	mustLedger(t, []string{"done"}, append([]string{"migrate", "--from", "kubernetes", "--to", "file:" + filepath.Join(dir, "files")}, cluster...)...)
	mustLedger(t, []string{"(all calls) $0.00000012 $0 $0.00000008 $0"}, "show", "--dir", filepath.Join(dir, "files"))
	if out, err := runLedger(t, back...); !errors.Is(err, migrate.ErrElsewhere) {
		t.Errorf("moving to a place that was moved elsewhere: %v\n%s", err, out)
	}
}

// TestPlaces has names of places that cannot be used. What may be a password is not repeated.
func TestPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		place, want string
	}{
		"nothing":           {place: "", want: "a place is"},
		"another":           {place: "etcd", want: "a place is"},
		"password in it":    {place: "valkey://me:hunter2@h:1", want: "does not belong into a URL"},
		"no such file":      {place: "valkey://h:1?password=/nowhere/hunter2file", want: "no such file"},
		"unknown option":    {place: "valkey://h:1?tls=1", want: `has "tls"`},
		"cannot be read":    {place: "valkey://h:1?%zz=hunter2", want: "cannot be read"},
		"no port":           {place: "valkey://h", want: "host:port"},
		"several addresses": {place: "valkey://a:1,b:2", want: "not of a cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&ledgerFlags{namespace: "team-a"}).open(tc.place, writing)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("open: %v; want %q", err, tc.want)
			}
			if strings.Contains(strings.ReplaceAll(err.Error(), "hunter2file", ""), "hunter2") {
				t.Errorf("the error repeats it: %v", err)
			}
		})
	}
}
