package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/demo/background"
	"signalbox.dev/signalbox/hack/demo/controlplane"
	"signalbox.dev/signalbox/hack/demo/shell"
)

const image = "example.com/program:1"

// The test binary plays the container's program: it serves what it was given, so that the test can see it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

func serve(args []string) {
	flags := map[string]string{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		flags[name] = value
	}
	http.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(flags["--dir"], "message"))
	})
	server := http.Server{Addr: flags["--http-addr"], ReadHeaderTimeout: time.Second}
	fmt.Println(flags["--name"], server.ListenAndServe())
}

const objects = `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"server","namespace":"default"},
 "spec":{"replicas":1,"selector":{"matchLabels":{"app":"server"}},"template":{"metadata":{"labels":{"app":"server"}},
 "spec":{"serviceAccountName":"server","terminationGracePeriodSeconds":1,"containers":[{"name":"server","image":"` + image + `",
 "args":["serve","--dir=/etc/server","--name=$(POD_NAME)"],"env":[{"name":"POD_NAME","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],
 "ports":[{"name":"http","containerPort":8080}],"readinessProbe":{"httpGet":{"path":"/ready","port":"http"}},
 "volumeMounts":[{"name":"config","mountPath":"/etc/server"}]}],"volumes":[{"name":"config","configMap":{"name":"server"}}]}}}}`

type raw = map[string]any

// A Deployment on a real API server becomes a process that is seen as a ready pod, is replaced when its pod is deleted, and goes with the Deployment.
func TestNodeRunsADeployment(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	api, options := startAPI(ctx, t)
	run := func(path, object string) {
		t.Helper()
		if err := api.create(ctx, path, jsonText(object), nil); err != nil {
			t.Fatal(err)
		}
	}
	run("/api/v1/namespaces/default/serviceaccounts", `{"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"server"}}`)
	run("/api/v1/namespaces/default/configmaps", `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"server"},"data":{"message":"hello"}}`)
	run("/apis/apps/v1/namespaces/default/deployments", objects)
	nodeContext, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- New(options).Run(nodeContext) }()

	first := awaitReady(ctx, t, api, "")
	awaitText(ctx, t, first, "hello")
	if err := api.patch(ctx, "/api/v1/namespaces/default/configmaps/server", raw{"data": raw{"message": "changed"}}); err != nil {
		t.Fatal(err)
	}
	awaitText(ctx, t, first, "changed")
	if err := api.remove(ctx, podPath(first.Metadata), nil); err != nil {
		t.Fatal(err)
	}
	awaitReady(ctx, t, api, first.Metadata.Name)
	if err := api.remove(ctx, "/apis/apps/v1/namespaces/default/deployments/server", nil); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, func(ctx context.Context) error {
		if found := listPods(ctx, t, api); len(found) != 0 {
			return fmt.Errorf("%d pods are left", len(found))
		}
		return nil
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func startAPI(ctx context.Context, t *testing.T) (API, Options) {
	t.Helper()
	folder := t.TempDir()
	processes := background.Folder{Path: filepath.Join(folder, "run")}
	t.Cleanup(func() {
		if err := processes.StopAll(context.Background(), 10*time.Second, "none", "kube-apiserver", "etcd"); err != nil {
			t.Error(err)
		}
	})
	bin, err := filepath.Abs("../../../bin")
	if err != nil {
		t.Fatal(err)
	}
	server, err := controlplane.Start(ctx, controlplane.Options{
		Folder: folder, Bin: bin, Kubeconfig: filepath.Join(folder, "kubeconfig"), Background: processes,
	})
	if err != nil {
		t.Fatalf("%v (make envtest-binaries builds what is needed)", err)
	}
	client, err := controlplane.AdminClient(folder)
	if err != nil {
		t.Fatal(err)
	}
	api := API{Server: server, Client: client}
	return api, Options{
		API: api, Authority: controlplane.AuthorityFile(folder), Programs: map[string]string{image: os.Args[0]}, Folder: folder, Background: processes,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// jsonText is encoded as it is.
type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }

func until(ctx context.Context, t *testing.T, done func(context.Context) error) {
	t.Helper()
	if err := shell.Until(ctx, time.Minute, done); err != nil {
		t.Fatal(err)
	}
}

func listPods(ctx context.Context, t *testing.T, api API) []pod {
	t.Helper()
	var pods struct{ Items []pod }
	if err := api.get(ctx, "/api/v1/namespaces/default/pods", &pods); err != nil {
		t.Fatal(err)
	}
	return pods.Items
}

// awaitReady waits until the Deployment's status shows one ready pod that has another name.
func awaitReady(ctx context.Context, t *testing.T, api API, otherThan string) pod {
	t.Helper()
	var found pod
	until(ctx, t, func(ctx context.Context) error {
		var seen struct {
			Status struct{ ReadyReplicas, UpdatedReplicas int }
		}
		if err := api.get(ctx, "/apis/apps/v1/namespaces/default/deployments/server", &seen); err != nil {
			return err
		}
		pods := listPods(ctx, t, api)
		if len(pods) != 1 || pods[0].Metadata.Name == otherThan || seen.Status.ReadyReplicas != 1 || seen.Status.UpdatedReplicas != 1 {
			return fmt.Errorf("%d pods, status %+v", len(pods), seen.Status)
		}
		found = pods[0]
		return nil
	})
	return found
}

// awaitText waits until the pod serves a text from its mount.
func awaitText(ctx context.Context, t *testing.T, of pod, want string) {
	t.Helper()
	var spec podSpec
	decode(t, of.Spec, &spec)
	address, err := probeURL(spec.Containers[0])
	if err != nil {
		t.Fatal(err)
	}
	address = strings.TrimSuffix(address, "/ready") + "/file"
	until(ctx, t, func(ctx context.Context) error {
		got, err := read(ctx, address)
		if err != nil || got != want {
			return fmt.Errorf("%q, %w", got, err)
		}
		return nil
	})
}
