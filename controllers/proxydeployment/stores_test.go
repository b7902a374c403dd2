package proxydeployment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// secretFile writes a file that a configuration names.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func describe(t *testing.T, config *platform.Config, namespace string, before storeAccess) storeAccess {
	t.Helper()
	access, err := describeStores(config, namespace, before)
	if err != nil {
		t.Fatal(err)
	}
	return access
}

func TestDescribeStores(t *testing.T) {
	url := secretFile(t, "postgres://admin:hunter2@db.storage:5433/usage?sslmode=verify-full&sslrootcert=/etc/ca.crt&passfile=/x\n")
	authorities := secretFile(t, "pem")
	cases := map[string]struct {
		config string
		want   storeAccess
	}{
		"none":   {"", storeAccess{}},
		"refuse": {"usage: {whenFull: Refuse}", storeAccess{usage: table.UsageSinks{RefuseWhenFull: true}}},
		"collector": {
			"usage: {otlp: {endpoint: 'http://c:4318/v1/logs'}}", storeAccess{usage: table.UsageSinks{OTLPEndpoint: "http://c:4318/v1/logs"}},
		},
		"server": {
			"ledger: {store: Valkey, valkey: {addresses: ['a:1', 'b:2'], cluster: Enabled, username: root, caFile: " + authorities + "}}",
			storeAccess{ledgers: table.LedgerStore{Valkey: &table.Valkey{
				Addresses: []string{"a:1", "b:2"}, Cluster: true, Username: "signalbox-team-a", Prefix: "signalbox:{team-a}:", CAPEM: []byte("pem"),
			}}},
		},
		"database": {
			"usage: {postgres: {urlFile: " + url + ", caFile: " + authorities + "}}",
			storeAccess{usage: table.UsageSinks{Postgres: &table.Postgres{
				URL: "postgres://signalbox_usage_team-a:PASSWORD@db.storage:5433/usage?sslmode=verify-full", CAPEM: []byte("pem"),
			}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, plainConfig+"\n"+tc.config)
			got := describe(t, config, "team-a", storeAccess{})
			again := describe(t, config, "team-a", got)
			if diff := cmp.Diff(got, again, cmp.AllowUnexported(storeAccess{})); diff != "" {
				t.Errorf("a second time it differs (-first +second):\n%s", diff)
			}
			if got.usage.Postgres != nil {
				password := passwordOf(got.usage.Postgres.URL)
				if len(password) < passwordBytes {
					t.Errorf("the password has %d characters", len(password))
				}
				got.usage.Postgres.URL = strings.Replace(got.usage.Postgres.URL, password, "PASSWORD", 1)
			}
			if got.ledgers.Valkey != nil && len(got.ledgers.Valkey.Password) < passwordBytes {
				t.Errorf("the password has %d characters", len(got.ledgers.Valkey.Password))
			}
			options := []cmp.Option{cmp.AllowUnexported(storeAccess{}), cmpopts.IgnoreFields(table.Valkey{}, "Password")}
			if diff := cmp.Diff(tc.want, got, options...); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPasswordsAreOfOneNamespace: two namespaces, and two stores, never share one.
func TestPasswordsAreOfOneNamespace(t *testing.T) {
	config := parseConfig(t, plainConfig+"\nledger: {store: Valkey, valkey: {addresses: ['a:1']}}\nusage: {postgres: {urlFile: "+
		secretFile(t, "postgres://db/usage")+"}}")
	seen := map[string]bool{}
	for _, namespace := range []string{"team-a", "team-b"} {
		access := describe(t, config, namespace, storeAccess{})
		for _, password := range []string{access.ledgers.Valkey.Password, passwordOf(access.usage.Postgres.URL)} {
			if password == "" || seen[password] {
				t.Errorf("namespace %s has a password twice", namespace)
			}
			seen[password] = true
		}
	}
}

// TestBrokenURLIsNotRepeated: the error of a file that holds something else tells nothing of it.
func TestBrokenURLIsNotRepeated(t *testing.T) {
	for name, content := range map[string]string{
		"a scheme":    "mysql://admin:hunter2@db/usage",
		"no scheme":   "host=db user=admin password=hunter2",
		"no host":     "postgres:///hunter2",
		"a bad port":  "postgres://admin:hunter2@db:port/usage",
		"control":     "postgres://admin:hunter2@db/\x7f",
		"not escaped": "postgres://admin:hunter2%zz@db/usage",
	} {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, plainConfig+"\nusage: {postgres: {urlFile: "+secretFile(t, content)+"}}")
			_, err := describeStores(config, "team-a", storeAccess{})
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "usage.postgres.urlFile") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestUnreadableFileKeepsTheAccess: a Secret that is being replaced changes nothing for a namespace that is served, and its budgets say why.
func TestUnreadableFileKeepsTheAccess(t *testing.T) {
	path := secretFile(t, "pem")
	config := parseConfig(t, plainConfig+"\nledger: {store: Valkey, valkey: {addresses: ['a:1'], caFile: "+path+"}}")
	before := describe(t, config, "team-a", storeAccess{})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Config: config}
	served := newInput(t, func(in *input) {
		in.config, in.previous = config, &table.Table{Ledgers: before.ledgers, Usage: before.usage}
	})
	if err := r.gatherStores(t.Context(), served); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, served.stores, cmp.AllowUnexported(storeAccess{})); diff != "" {
		t.Errorf("the access changed (-before +after):\n%s", diff)
	}
	if !strings.Contains(served.ledgerTrouble, "ledger.valkey.caFile") {
		t.Errorf("the trouble is %q", served.ledgerTrouble)
	}
	// Without authorities a new namespace would speak in the clear, and ConfigMaps would be another ledger.
	if err := r.gatherStores(t.Context(), newInput(t, func(in *input) { in.config = config })); err == nil {
		t.Error("a new namespace was described without the file")
	}
}

func dailyBudget() v1alpha1.SpendBudget {
	return v1alpha1.SpendBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "daily", UID: "budget-uid", Generation: 1},
		Spec:       v1alpha1.SpendBudgetSpec{Limit: v1alpha1.SpendLimit{Amount: "1"}, Window: v1alpha1.BudgetWindow{Period: v1alpha1.PeriodDay}},
	}
}

// stub tells a trouble.
type stub string

func (s stub) LedgerTrouble(string) string { return string(s) }

// TestLedgerTroubleIsTold: budgets say that their ledger cannot be reached, routes go on, and the table is the same.
func TestLedgerTroubleIsTold(t *testing.T) {
	in := newInput(t, func(in *input) { in.budgets = []v1alpha1.SpendBudget{dailyBudget()} })
	well := compile.Compile(in.compileInput())
	r := &Reconciler{Config: in.config, Stores: stub("the server is away")}
	if err := r.gatherStores(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	compiled := compile.Compile(in.compileInput())
	addLedgerTrouble(&compiled.Report, in.ledgerTrouble)
	if diff := cmp.Diff(well.Table, compiled.Table); diff != "" {
		t.Errorf("the table changed (-before +after):\n%s", diff)
	}
	told := map[string][]compile.Finding{}
	for _, object := range compiled.Report.Objects {
		if len(object.Findings) > 0 {
			told[object.Kind] = object.Findings
		}
	}
	want := map[string][]compile.Finding{compile.KindSpendBudget: {{
		Condition: v1alpha1.ConditionEnforced, Reason: v1alpha1.ReasonLedgerUnavailable, Message: "the server is away",
	}}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestMovedLedgersReplaceTheProxies: the pods differ with the store, and with nothing else of a table; with ledgers elsewhere the Role is left with those that
// are still in ConfigMaps.
func TestMovedLedgersReplaceTheProxies(t *testing.T) {
	valkey := &table.Valkey{Addresses: []string{"a:1"}, Username: "u", Password: "p", Prefix: "x"}
	store := func(in *input) (argument string, rules int) {
		t.Helper()
		planned := planFor(t, in)
		for _, object := range append(planned.access, planned.objects...) {
			switch object.document.GetKind() {
			case kindDeployment:
				argument = proxyArgument(t, object, "--ledger-store=")
			case kindRole:
				list, _ := object.document.Object["rules"].([]any)
				rules = len(list)
			}
		}
		return argument, rules
	}
	budget := func(in *input) { in.budgets = []v1alpha1.SpendBudget{dailyBudget()} }
	inConfigMaps, rules := store(newInput(t, budget))
	if inConfigMaps != table.ConfigMaps || rules != 2 {
		t.Errorf("ledgers in ConfigMaps: %q with %d rules", inConfigMaps, rules)
	}
	moved := func(in *input) { in.stores.ledgers.Valkey = valkey }
	elsewhere, rules := store(newInput(t, budget, moved))
	if elsewhere == inConfigMaps || elsewhere == "" || rules != 1 {
		t.Errorf("ledgers elsewhere: %q with %d rules", elsewhere, rules)
	}
	if same, _ := store(newInput(t, budget, moved, func(in *input) { in.stores.usage.OTLPEndpoint = "http://c" })); same != elsewhere {
		t.Errorf("another sink of records made %q of %q", same, elsewhere)
	}
	_, rules = store(newInput(t, budget, moved, func(in *input) { in.ledgers = []string{"signalbox-ledger-old"} }))
	if rules != 2 {
		t.Errorf("the proxies before the move cannot write their ledgers: %d rules", rules)
	}
}

// proxyArgument is the value of an argument of a Deployment's container.
func proxyArgument(t *testing.T, w write, name string) string {
	t.Helper()
	built := &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(w.document.Object, built); err != nil {
		t.Fatal(err)
	}
	for _, argument := range built.Spec.Template.Spec.Containers[0].Args {
		if value, ok := strings.CutPrefix(argument, name); ok {
			return value
		}
	}
	return ""
}

// TestJournalHasItsRoom: the volume is larger than the journal, the proxy is told its bound, and the node is asked for it where nothing else was said.
func TestJournalHasItsRoom(t *testing.T) {
	const journal = 100 << 20
	cases := map[string]struct {
		resources string
		want      string
	}{
		"default":          {"", "100Mi"},
		"memory alone":     {"resources: {limits: {memory: 1Gi}}", "100Mi"},
		"asked for":        {"resources: {requests: {ephemeral-storage: 5Gi}}", "5Gi"},
		"limited":          {"resources: {limits: {ephemeral-storage: 5Gi}}", ""},
		"nothing asked":    {"resources: {requests: {}}", "100Mi"},
		"limits and other": {"resources: {requests: {cpu: 1}, limits: {ephemeral-storage: 5Gi}}", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			config := parseConfig(t, "proxy:\n  image: registry.example/signalbox:1.0\n  "+tc.resources)
			spec := podSpec(settings{proxy: config.Proxy, journalBytes: journal})
			got := ""
			if asked, ok := spec.Containers[0].Resources.Requests[corev1.ResourceEphemeralStorage]; ok {
				got = asked.String()
			}
			if got != tc.want {
				t.Errorf("the node is asked for %q, want %q", got, tc.want)
			}
			if _, changed := config.Proxy.Resources.Requests[corev1.ResourceEphemeralStorage]; changed != (tc.want == "5Gi") {
				t.Error("the configuration changed")
			}
			if got := argument(spec.Containers[0].Args, "--journal-bytes"); got != "--journal-bytes=104857600" {
				t.Errorf("the proxy is told %q", got)
			}
			for _, volume := range spec.Volumes {
				if volume.Name == "state" && volume.EmptyDir.SizeLimit.Cmp(*resource.NewQuantity(journal, resource.BinarySI)) <= 0 {
					t.Errorf("the volume has %s", volume.EmptyDir.SizeLimit)
				}
			}
		})
	}
}
