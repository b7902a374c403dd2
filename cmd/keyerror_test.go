package cmd

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigFor is a kubeconfig that leads to a server.
func kubeconfigFor(t *testing.T, url string) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: url}
	config.Contexts["c"] = &clientcmdapi.Context{Cluster: "c", Namespace: "team-a"}
	config.CurrentContext = "c"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// answering is an API server that answers everything so; with nothing to say it hangs up.
func answering(t *testing.T, status *metav1.Status) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status == nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Code))
		_ = json.NewEncoder(w).Encode(status)
	}))
	t.Cleanup(server.Close)
	return kubeconfigFor(t, server.URL)
}

// refusal is what an API server answers that does not do it.
func refusal(code int32, reason metav1.StatusReason, kind string) *metav1.Status {
	return &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Code: code, Reason: reason, Message: "in its own words", Details: &metav1.StatusDetails{Kind: kind},
	}
}

// wantKeyError runs a command that fails, writes nothing and says so; it returns the words.
func wantKeyError(t *testing.T, want string, args ...string) string {
	t.Helper()
	out, told, err := runKey(t, args...)
	if out != "" || told != "" || err == nil {
		t.Fatalf("%v: output %q, told %q, error %v", args, out, told, err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%v: %v, want %q", args, err, want)
	}
	return err.Error()
}

func TestKeyProblems(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, tc := range map[string]struct {
		kubeconfig string
		want       string
		unknown    bool
		listing    string
	}{
		"not known":         {answering(t, refusal(401, metav1.StatusReasonUnauthorized, "")), "does not know who you are", false, "does not know who you are"},
		"no right":          {answering(t, refusal(403, metav1.StatusReasonForbidden, "secrets")), "does not let you create Secrets in namespace team-a: in its own words", false, "list Secrets in namespace team-a"},
		"no namespace":      {answering(t, refusal(404, metav1.StatusReasonNotFound, "namespaces")), "there is no namespace team-a", false, "there is no namespace team-a"},
		"another server":    {answering(t, refusal(404, metav1.StatusReasonNotFound, "")), "did not create Secrets", false, "did not list Secrets"},
		"it exists":         {answering(t, refusal(409, metav1.StatusReasonAlreadyExists, "secrets")), "already, which stays as it is", false, "did not list"},
		"a policy":          {answering(t, refusal(422, metav1.StatusReasonInvalid, "secrets")), "in its own words", false, "in its own words"},
		"its own mistake":   {answering(t, refusal(500, metav1.StatusReasonInternalError, "")), "in its own words", true, "in its own words"},
		"not in time":       {answering(t, refusal(504, metav1.StatusReasonTimeout, "")), "in time", true, "in time"},
		"it hangs up":       {answering(t, nil), "did not answer", true, "did not answer"},
		"nobody listens":    {kubeconfigFor(t, gone.URL), "cannot be reached", false, "cannot be reached"},
		"no kubeconfig":     {filepath.Join(t.TempDir(), "none"), "kubeconfig", false, "kubeconfig"},
		"broken kubeconfig": {broken, "reading the kubeconfig", false, "reading the kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			created := wantKeyError(t, tc.want, "create", "ci", "--kubeconfig", tc.kubeconfig)
			if strings.Contains(created, "if Secret ci is there now, delete it") != tc.unknown || strings.Contains(created, accessKeyPrefix) {
				t.Errorf("creating: %s", created)
			}
			wantKeyError(t, tc.listing, "list", "--kubeconfig", tc.kubeconfig)
		})
	}
}

func TestKeyWithoutAKubeconfig(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	if out, _, err := runKey(t, "create", "ci"); out != "" || err == nil || !strings.Contains(err.Error(), "there is no kubeconfig") {
		t.Errorf("output %q, error %v", out, err)
	}
}

// deaf is an output that takes nothing.
type deaf struct{}

var errDeaf = errors.New("no room")

func (deaf) Write([]byte) (int, error) { return 0, errDeaf }

// TestKeyThatIsNotShown tells to delete a key that nobody has seen.
func TestKeyThatIsNotShown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"ci"}}`))
	}))
	defer server.Close()
	command := NewKey()
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetArgs([]string{"create", "ci", "--kubeconfig", kubeconfigFor(t, server.URL)})
	command.SetOut(deaf{})
	if err := command.ExecuteContext(t.Context()); !errors.Is(err, errDeaf) || !strings.Contains(err.Error(), "delete Secret ci in namespace team-a") {
		t.Errorf("error %v", err)
	}
}

// TestKeyListIsPlain shows that what others wrote on a Secret does nothing to a terminal.
func TestKeyListIsPlain(t *testing.T) {
	item := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "ci", Annotations: map[string]string{"signalbox.dev/routes": "chat\x1b[2J\nfake"}}}
	var out strings.Builder
	if err := writeKeys(&out, []metav1.PartialObjectMetadata{item}, item.CreationTimestamp.Time); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("the list is %q", out.String())
	}
}
