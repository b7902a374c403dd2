package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"signalbox.dev/signalbox/hack/demo/background"
)

const (
	// refresh is the time between two looks at what is mounted.
	refresh = 2 * time.Second
	// tokenLifetime of a pod's ServiceAccount token; it is renewed at half of it.
	tokenLifetime = time.Hour
	// restartPause is the least time between two starts of one process.
	restartPause = 2 * time.Second
	// killAfter is how long a process has to end when the node itself ends, or its Pod object is gone.
	killAfter = 3 * time.Second
)

// run is one pod's process and what the API server was told of it.
type run struct {
	node    *Node
	pod     pod
	spec    podSpec
	probe   string
	process *background.Process

	started   time.Time
	refreshed time.Time
	renewed   time.Time
	restarts  int
	ready     bool
	ending    <-chan error
	told      string
}

func (r *run) isReady() bool { return r != nil && r.ready }

// step brings a pod on: mounts, token, process, readiness, status; or its end.
func (r *run) step(ctx context.Context, now pod) error {
	if now.Metadata.DeletionTimestamp != nil {
		return r.leave(ctx)
	}
	if r.spec.Containers == nil {
		if err := json.Unmarshal(now.Spec, &r.spec); err != nil {
			return fmt.Errorf("reading its spec: %w", err)
		}
		var err error
		if r.probe, err = probeURL(r.spec.Containers[0]); err != nil {
			return err
		}
	}
	// What cannot be mounted keeps a process from starting, and does not disturb one that runs.
	outdated := errors.Join(r.mount(ctx), r.authenticate(ctx))
	if outdated == nil {
		outdated = r.start()
	}
	if r.process == nil {
		return outdated
	}
	r.ready = r.process.Running() && r.answers(ctx)
	return errors.Join(outdated, r.tell(ctx))
}

// leave asks the process to end without holding up other pods, and lets the Pod object go when it has.
func (r *run) leave(ctx context.Context) error {
	r.ready = false
	if r.ending == nil {
		done := make(chan error, 1)
		grace := time.Duration(r.spec.TerminationGracePeriodSeconds) * time.Second
		go func() { done <- r.end(context.WithoutCancel(ctx), grace) }()
		r.ending = done
	}
	select {
	case err := <-r.ending:
		r.ending = nil
		if err != nil {
			return err
		}
		return r.node.options.API.remove(ctx, podPath(r.pod.Metadata), map[string]any{"gracePeriodSeconds": 0})
	default:
		return nil
	}
}

// end ends the process.
func (r *run) end(ctx context.Context, grace time.Duration) error {
	if r.process == nil {
		return nil
	}
	return r.process.Stop(ctx, grace)
}

func (r *run) folder() string { return r.node.podFolder(r.pod.Metadata.Namespace, r.pod.Metadata.Name) }

// mount writes what is mounted into folders, and again when it has changed.
func (r *run) mount(ctx context.Context) error {
	if time.Since(r.refreshed) < refresh {
		return nil
	}
	for _, volume := range r.spec.Volumes {
		content, err := r.content(ctx, volume)
		if err != nil {
			return err
		}
		folder := mountFolder(r.folder(), volume.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("making the folder of volume %s: %w", volume.Name, err)
		}
		for name, value := range content {
			if err := replace(filepath.Join(folder, filepath.Base(name)), value); err != nil {
				return err
			}
		}
	}
	r.refreshed = time.Now()
	return nil
}

func (r *run) content(ctx context.Context, from volume) (map[string][]byte, error) {
	namespace := "/api/v1/namespaces/" + r.pod.Metadata.Namespace
	switch {
	case from.Secret != nil:
		var found secret
		err := r.node.options.API.get(ctx, namespace+"/secrets/"+from.Secret.SecretName, &found)
		return found.Data, err
	case from.ConfigMap != nil:
		var found configMap
		if err := r.node.options.API.get(ctx, namespace+"/configmaps/"+from.ConfigMap.Name, &found); err != nil {
			return nil, err
		}
		content := make(map[string][]byte, len(found.Data))
		for name, value := range found.Data {
			content[name] = []byte(value)
		}
		return content, nil
	default:
		return nil, nil
	}
}

// replace puts a file in place at once, so that no reader sees half of it. A file that is the same stays.
func replace(path string, content []byte) error {
	if old, err := os.ReadFile(filepath.Clean(path)); err == nil && bytes.Equal(old, content) {
		return nil
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		return fmt.Errorf("writing a mounted file: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("writing a mounted file: %w", err)
	}
	return nil
}

// authenticate gets a token of the pod's ServiceAccount, bound to the pod, and a kubeconfig that uses it.
func (r *run) authenticate(ctx context.Context) error {
	if time.Since(r.renewed) < tokenLifetime/2 {
		return nil
	}
	of := r.pod.Metadata
	request := map[string]any{"spec": map[string]any{
		"expirationSeconds": int(tokenLifetime.Seconds()),
		"boundObjectRef":    map[string]string{"kind": "Pod", "apiVersion": "v1", "name": of.Name, "uid": of.UID},
	}}
	var answer struct {
		Status struct{ Token string }
	}
	path := "/api/v1/namespaces/" + of.Namespace + "/serviceaccounts/" + r.spec.ServiceAccountName + "/token"
	if err := r.node.options.API.create(ctx, path, request, &answer); err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder(), 0o700); err != nil {
		return fmt.Errorf("making its folder: %w", err)
	}
	token := filepath.Join(r.folder(), "token")
	if err := errors.Join(replace(token, []byte(answer.Status.Token)), replace(r.kubeconfig(), r.node.kubeconfigWith(token))); err != nil {
		return err
	}
	r.renewed = time.Now()
	return nil
}

func (r *run) kubeconfig() string { return filepath.Join(r.folder(), "kubeconfig") }

// kubeconfigWith is JSON, which is YAML too.
func (n *Node) kubeconfigWith(token string) []byte {
	named := func(key string, value any) []any { return []any{map[string]any{"name": Name, key: value}} }
	return encode(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": Name,
		"clusters": named("cluster", map[string]string{"server": n.options.API.Server, "certificate-authority": n.options.Authority}),
		"users":    named("user", map[string]string{"tokenFile": token}),
		"contexts": named("context", map[string]string{"cluster": Name, "user": Name}),
	})
}

// encode is for values that always can be.
func encode(value any) []byte {
	plain, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return plain
}

// start runs the program, again if it has ended.
func (r *run) start() error {
	if r.process != nil && r.process.Running() || time.Since(r.started) < restartPause {
		return nil
	}
	if r.process != nil {
		r.restarts++
	}
	container := r.spec.Containers[0]
	values, err := variables(container, r.pod.Metadata)
	if err != nil {
		return err
	}
	environment := []string{"PATH=" + r.node.options.Path, "KUBECONFIG=" + r.kubeconfig(), "HOME=" + r.folder()}
	for name, value := range values {
		environment = append(environment, name+"="+value)
	}
	name := r.pod.Metadata.Namespace + "." + r.pod.Metadata.Name
	r.started = time.Now()
	r.process, err = r.node.options.Background.Start(background.Program{
		Name:        name,
		Command:     slices.Concat([]string{r.node.options.Programs[container.Image]}, expand(container.Args, values)),
		Environment: environment,
		Log:         filepath.Join(r.node.options.Folder, "log", name+".log"),
	})
	return err
}

// answers asks the readiness probe; a container without one is ready when it runs.
func (r *run) answers(ctx context.Context) bool {
	if r.probe == "" {
		return true
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.probe, http.NoBody)
	if err != nil {
		return false
	}
	answer, err := r.node.prober.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	return err == nil && answer.StatusCode == http.StatusOK
}

// tell writes the pod's status, if it is another one than before.
func (r *run) tell(ctx context.Context) error {
	ready := "False"
	if r.ready {
		ready = "True"
	}
	key := fmt.Sprint(ready, r.restarts, r.process.Running())
	if r.told == key {
		return nil
	}
	container := r.spec.Containers[0]
	now := time.Now().UTC().Truncate(time.Second)
	state := map[string]any{"running": map[string]any{"startedAt": r.started.UTC().Truncate(time.Second)}}
	if !r.process.Running() {
		state = map[string]any{"waiting": map[string]string{"reason": "CrashLoopBackOff"}}
	}
	var conditions []condition
	for _, kind := range []string{"PodScheduled", "Initialized", "ContainersReady", "Ready"} {
		status := "True"
		if kind == "ContainersReady" || kind == "Ready" {
			status = ready
		}
		conditions = append(conditions, condition{Type: kind, Status: status, LastTransitionTime: now})
	}
	status := map[string]any{
		"phase": "Running", "podIP": loopback, "hostIP": loopback, "podIPs": []map[string]string{{"ip": loopback}}, "startTime": r.started.UTC().Truncate(time.Second),
		"conditions": conditions,
		"containerStatuses": []map[string]any{{
			"name": container.Name, "image": container.Image, "imageID": "", "ready": r.ready, "started": r.process.Running(), "restartCount": r.restarts, "state": state,
		}},
	}
	if err := r.node.options.API.patch(ctx, podPath(r.pod.Metadata)+"/status", map[string]any{"status": status}); err != nil {
		return err
	}
	r.told = key
	return nil
}
