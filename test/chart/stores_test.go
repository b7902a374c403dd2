package chart

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"signalbox.dev/signalbox/controllers/platform"
)

const storeValues = `
ledger:
  store: Valkey
  valkey:
    addresses: ["a.storage:6379", "b.storage:6379"]
    cluster: Enabled
    username: root
    secret: {name: valkey-admin, passwordKey: password, caKey: ca.crt}
usage:
  postgres: {secret: {name: usage-database, urlKey: address, caKey: ca.pem}, retention: 720h, partitionsAhead: 6}
  otlp: {endpoint: "http://collector:4318/v1/logs"}
  whenFull: Refuse
  journalSize: 1Gi
`

// TestStores: what the chart writes is what the manager reads, and the files that it names are mounted from the Secrets that the values name.
func TestStores(t *testing.T) {
	objects := render(t, storeValues)
	config, err := platform.Parse([]byte(convert[corev1.ConfigMap](t, objects, "ConfigMap/signalbox-manager").Data["config.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	want := &platform.Valkey{
		Addresses: []string{"a.storage:6379", "b.storage:6379"}, Cluster: platform.Enabled, Username: "root",
		PasswordFile: "/etc/signalbox-stores/ledger/password", CAFile: "/etc/signalbox-stores/ledger/ca.crt",
	}
	if diff := cmp.Diff(want, config.Ledger.Valkey); diff != "" || !config.Ledger.UsesValkey() {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	checkUsageStores(t, &config.Usage)
	wanted := map[string]string{"/etc/signalbox-stores/ledger": "valkey-admin", "/etc/signalbox-stores/usage": "usage-database"}
	if diff := cmp.Diff(wanted, mountedSecrets(t, objects)); diff != "" {
		t.Errorf("mounted Secrets (-want +got):\n%s", diff)
	}
}

func checkUsageStores(t *testing.T, usage *platform.Usage) {
	t.Helper()
	if usage.Postgres.URLFile != "/etc/signalbox-stores/usage/address" || usage.Postgres.CAFile != "/etc/signalbox-stores/usage/ca.pem" ||
		usage.Postgres.Retention.Duration != 720*time.Hour || usage.Postgres.PartitionsAhead != 6 {
		t.Errorf("postgres is %+v", usage.Postgres)
	}
	if usage.OTLP.Endpoint != "http://collector:4318/v1/logs" || usage.WhenFull != platform.Refuse || usage.JournalSize.Value() != 1<<30 {
		t.Errorf("usage is %+v", usage)
	}
}

// mountedSecrets are the Secrets that the manager mounts to read, by where.
func mountedSecrets(t *testing.T, objects map[string]*unstructured.Unstructured) map[string]string {
	t.Helper()
	spec := convert[appsv1.Deployment](t, objects, "Deployment/signalbox-manager").Spec.Template.Spec
	secrets := map[string]string{}
	for _, volume := range spec.Volumes {
		if volume.Secret == nil {
			continue
		}
		for _, mount := range spec.Containers[0].VolumeMounts {
			if mount.Name == volume.Name && mount.ReadOnly {
				secrets[mount.MountPath] = volume.Secret.SecretName
			}
		}
	}
	return secrets
}

// TestNoStores: without them nothing is mounted, and the configuration is whole.
func TestNoStores(t *testing.T) {
	for name, values := range map[string]string{
		"default":         "",
		"without secrets": `ledger: {store: Valkey, valkey: {addresses: ["a:1"]}}`,
		"no keys":         `ledger: {store: Valkey, valkey: {addresses: ["a:1"], secret: {name: s, passwordKey: "", caKey: ""}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			objects := render(t, values)
			config, err := platform.Parse([]byte(convert[corev1.ConfigMap](t, objects, "ConfigMap/signalbox-manager").Data["config.yaml"]))
			if err != nil {
				t.Fatal(err)
			}
			if valkey := config.Ledger.Valkey; valkey != nil && (valkey.PasswordFile != "" || valkey.CAFile != "") {
				t.Errorf("valkey is %+v", valkey)
			}
			if name != "default" {
				return
			}
			for _, volume := range convert[appsv1.Deployment](t, objects, "Deployment/signalbox-manager").Spec.Template.Spec.Volumes {
				if volume.Secret != nil {
					t.Errorf("Secret %s is mounted", volume.Secret.SecretName)
				}
			}
		})
	}
}

// TestStoreValuesAreChecked shows that a mistake is refused, by name, and that no secret can be written into the values.
func TestStoreValuesAreChecked(t *testing.T) {
	cases := map[string]struct{ values, want string }{
		"another store":         {"ledger: {store: Disk}", "/ledger/store"},
		"a password":            {"ledger: {store: Valkey, valkey: {addresses: ['a:1'], password: x}}", "password"},
		"no address":            {"ledger: {store: Valkey, valkey: {addresses: []}}", "/ledger/valkey/addresses"},
		"a URL":                 {"usage: {postgres: {url: x}}", "url"},
		"no Secret":             {"usage: {postgres: {retention: 48h}}", "secret"},
		"a key with a path":     {"usage: {postgres: {secret: {name: a, urlKey: ../b}}}", "urlKey"},
		"a size":                {"usage: {journalSize: large}", "/usage/journalSize"},
		"when full":             {"usage: {whenFull: Panic}", "/usage/whenFull"},
		"an endpoint over gRPC": {"usage: {otlp: {endpoint: 'grpc://c'}}", "/usage/otlp/endpoint"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, tc.values)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s to be named", err, tc.want)
			}
		})
	}
}
