package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// runKey returns what the command writes on its two outputs.
func runKey(t *testing.T, args ...string) (out, told string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command := NewKey()
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs(args)
	command.SetOut(&stdout)
	command.SetErr(&stderr)
	err = command.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

var keyForm = regexp.MustCompile(`^sb-[A-Za-z0-9_-]{43}$`)

func TestKeyDryRun(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	seen := map[string]bool{}
	for range 3 {
		out, _, err := runKey(t, "create", "ci", "-n", "team-a", "--dry-run", "--expires", "2999-01-31T01:00:00+01:00", "--routes", "chat,embed", "--labels", "team=search")
		if err != nil {
			t.Fatal(err)
		}
		var secret corev1.Secret
		if err := yaml.UnmarshalStrict([]byte(out), &secret); err != nil {
			t.Fatal(err)
		}
		key := secret.StringData[v1alpha1.AccessKeySecretKey]
		if !keyForm.MatchString(key) || seen[key] {
			t.Errorf("the key is %q", key)
		}
		seen[key] = true
		secret.StringData = nil
		want := corev1.Secret{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, Type: corev1.SecretTypeOpaque,
			ObjectMeta: metav1.ObjectMeta{
				Name: "ci", Namespace: "team-a", Labels: map[string]string{"team": "search", "signalbox.dev/access-key": "true"},
				Annotations: map[string]string{"signalbox.dev/expires-at": "2999-01-31T00:00:00Z", "signalbox.dev/routes": "chat,embed"},
			},
		}
		if diff := cmp.Diff(want, secret); diff != "" {
			t.Errorf("the Secret (-want +got):\n%s", diff)
		}
	}
}

func TestKeyRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a name":           {[]string{"Laptop"}, "name of a Secret"},
		"no name":          {nil, "accepts 1 arg"},
		"an end that was":  {[]string{"ci", "--expires", "2020-01-01T00:00:00Z"}, "--expires"},
		"a day":            {[]string{"ci", "--expires", "2999-01-01"}, "--expires"},
		"no days":          {[]string{"ci", "--expires", "0d"}, "--expires"},
		"too many days":    {[]string{"ci", "--expires", "99999999999d"}, "--expires"},
		"a span back":      {[]string{"ci", "--expires", "-1h"}, "--expires"},
		"a route":          {[]string{"ci", "--routes", "chat,No Route"}, "--routes"},
		"an empty route":   {[]string{"ci", "--routes", "chat,"}, "--routes"},
		"too many routes":  {[]string{"ci", "--routes", strings.Repeat("chat,", 64) + "chat"}, "--routes"},
		"no namespace":     {[]string{"ci", "-n", "Team A"}, "name of a namespace"},
		"a path":           {[]string{"../ci"}, "name of a Secret"},
		"an empty name":    {[]string{""}, "name of a Secret"},
		"two names":        {[]string{"ci", "cd"}, "accepts 1 arg"},
		"a label":          {[]string{"ci", "--labels", "a b=c"}, "--labels"},
		"a label's value":  {[]string{"ci", "--labels", "a=b c"}, "--labels"},
		"provider's label": {[]string{"ci", "--labels", v1alpha1.LabelProviderKey + "=true"}, "that of a provider's key"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := runKey(t, append([]string{"create", "--dry-run", "-n", "team-a"}, tc.args...)...)
			if err == nil || !strings.Contains(err.Error(), tc.want) || out != "" {
				t.Errorf("output %q, error %v", out, err)
			}
		})
	}
}

func TestKeyEnd(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"90d": now.AddDate(0, 0, 90), "12h": now.Add(12 * time.Hour), "2026-03-01T12:00:01Z": now.Add(time.Second)} {
		if got, err := keyEnd(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, %v, want %s", text, got, err, want)
		}
	}
}

// startCluster starts a real API server, and returns how to reach it and the path of a kubeconfig for it.
func startCluster(t *testing.T) (config *rest.Config, kubeconfig string) {
	t.Helper()
	env := &envtest.Environment{}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		env.BinaryAssetsDirectory = filepath.Join("..", "bin")
	}
	config, err := env.Start()
	if err != nil {
		t.Fatalf("starting the API server from the binaries in $KUBEBUILDER_ASSETS or bin: %v", err)
	}
	t.Cleanup(func() { _ = env.Stop() })
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return config, kubeconfig
}

// wantStored compares the Secret "laptop" with a key.
func wantStored(t *testing.T, secrets corev1client.SecretInterface, key string) {
	t.Helper()
	stored, err := secrets.Get(t.Context(), "laptop", metav1.GetOptions{})
	if err != nil || string(stored.Data[v1alpha1.AccessKeySecretKey]) != key || stored.Labels[v1alpha1.LabelAccessKey] != "true" {
		t.Errorf("stored is another key, or %v", err)
	}
}

// TestKeyOnACluster makes keys at a real API server, and lists them.
func TestKeyOnACluster(t *testing.T) {
	config, kubeconfig := startCluster(t)
	out, told, err := runKey(t, "create", "laptop", "--kubeconfig", kubeconfig, "--expires", "90d", "--routes", "chat")
	key := strings.TrimSuffix(out, "\n")
	if err != nil || !keyForm.MatchString(key) || strings.Contains(told, key) {
		t.Fatalf("output %q, told %q, %v", out, told, err)
	}
	secrets := kubernetes.NewForConfigOrDie(config).CoreV1().Secrets("default")
	wantStored(t, secrets, key)
	if out, _, err := runKey(t, "create", "laptop", "--kubeconfig", kubeconfig); err == nil || out != "" || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second one of the same name: %q, %v", out, err)
	}
	wantStored(t, secrets, key)
	list, _, err := runKey(t, "list", "--kubeconfig", kubeconfig)
	if err != nil || strings.Contains(list, key) || !regexp.MustCompile(`laptop +\d+s +in 89d +chat\n`).MatchString(list) {
		t.Errorf("the list is %q, %v", list, err)
	}
}

func TestKeyExpiry(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"2026-03-01T12:00:00Z": "expired", "2026-03-11T12:00:00Z": "in 10d", "soon": "refused: no time", "": "refused: no time"} {
		if got := keyExpiry(map[string]string{v1alpha1.AnnotationExpiresAt: text}, now); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	if got := keyExpiry(nil, now); got != "never" {
		t.Errorf("without an end it is %q", got)
	}
}
