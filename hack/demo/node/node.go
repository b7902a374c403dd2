// Package node runs the pods of Deployments as processes of this machine, where there is no kubelet: for each it makes the Pod object, puts mounted
// Secrets and ConfigMaps into folders, runs the container's program with its arguments, and keeps the statuses, so that whoever looks at the API server
// sees what a node would show.
package node

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/demo/background"
	"signalbox.dev/signalbox/hack/demo/controlplane"
)

// Name is the node's name in the API server.
const Name = "processes"

// round is the time between two looks at everything.
const round = 250 * time.Millisecond

// Options say what a node needs.
type Options struct {
	// API to look at.
	API API
	// Authority is the file with the certificate of the API server's authority.
	Authority string
	// Programs are the program of each image.
	Programs map[string]string
	// Folder for mounts and logs.
	Folder string
	// Background keeps the processes.
	Background background.Folder
	// Path is the PATH of all programs.
	Path string
	// Log takes what goes wrong; it is tried again.
	Log *slog.Logger
}

// Node runs pods.
type Node struct {
	options Options
	prober  *http.Client
	runs    map[string]*run
	// told are the statuses of deployments that were written last, by UID.
	told map[string]string
}

// New returns a node without pods.
func New(options Options) *Node {
	return &Node{options: options, prober: &http.Client{Timeout: time.Second}, runs: map[string]*run{}, told: map[string]string{}}
}

// Run looks after pods until the context ends, and then ends their processes.
func (n *Node) Run(ctx context.Context) error {
	rounds := time.NewTicker(round)
	defer rounds.Stop()
	for {
		if err := n.once(ctx); err != nil && ctx.Err() == nil {
			n.options.Log.Error("a round had a problem", "error", err)
		}
		select {
		case <-ctx.Done():
			return n.stop(context.WithoutCancel(ctx))
		case <-rounds.C:
		}
	}
}

func (n *Node) stop(ctx context.Context) error {
	problems := make(chan error, len(n.runs))
	for _, r := range n.runs {
		go func() { problems <- r.end(ctx, killAfter) }()
	}
	var all []error
	for range n.runs {
		all = append(all, <-problems)
	}
	return errors.Join(all...)
}

// once is one look at all deployments and pods.
func (n *Node) once(ctx context.Context) error {
	var deployments struct{ Items []deployment }
	if err := n.options.API.get(ctx, "/apis/apps/v1/deployments", &deployments); err != nil {
		return err
	}
	var pods struct{ Items []pod }
	if err := n.options.API.get(ctx, "/api/v1/pods?fieldSelector=spec.nodeName%3D"+Name, &pods); err != nil {
		return err
	}
	problems := []error{n.advance(ctx, pods.Items)}
	owned := map[string][]observed{}
	for _, p := range pods.Items {
		if len(p.Metadata.OwnerReferences) == 1 {
			uid := p.Metadata.OwnerReferences[0].UID
			owned[uid] = append(owned[uid], observed{pod: p, ready: n.runs[p.Metadata.UID].isReady()})
		}
	}
	for _, d := range deployments.Items {
		problems = append(problems, n.reconcile(ctx, d, owned[d.Metadata.UID]))
		delete(owned, d.Metadata.UID)
	}
	for _, orphans := range owned {
		for _, orphan := range orphans {
			problems = append(problems, n.remove(ctx, orphan.pod))
		}
	}
	return errors.Join(problems...)
}

// advance brings each pod's process one step on, and ends those whose Pod objects are gone.
func (n *Node) advance(ctx context.Context, pods []pod) error {
	var problems []error
	present := map[string]bool{}
	for _, p := range pods {
		present[p.Metadata.UID] = true
		if n.runs[p.Metadata.UID] == nil {
			n.runs[p.Metadata.UID] = &run{node: n, pod: p}
		}
		if err := n.runs[p.Metadata.UID].step(ctx, p); err != nil {
			problems = append(problems, fmt.Errorf("pod %s/%s: %w", p.Metadata.Namespace, p.Metadata.Name, err))
		}
	}
	for uid, r := range n.runs {
		if !present[uid] {
			problems = append(problems, r.end(ctx, killAfter))
			delete(n.runs, uid)
		}
	}
	return errors.Join(problems...)
}

func (n *Node) reconcile(ctx context.Context, d deployment, pods []observed) error {
	hash := templateHash(d.Spec.Template)
	next := planPods(d.replicas(), hash, pods)
	var problems []error
	for range next.create {
		problems = append(problems, n.create(ctx, d, hash))
	}
	for _, p := range next.remove {
		problems = append(problems, n.remove(ctx, p))
	}
	return errors.Join(append(problems, n.tell(ctx, d, hash, pods))...)
}

func (n *Node) create(ctx context.Context, d deployment, hash string) error {
	var spec podSpec
	if err := json.Unmarshal(d.Spec.Template.Spec, &spec); err != nil {
		return fmt.Errorf("reading the template of %s: %w", d.Metadata.Name, err)
	}
	if len(spec.Containers) == 0 || n.options.Programs[spec.Containers[0].Image] == "" {
		return fmt.Errorf("deployment %s/%s has an image that no program stands for", d.Metadata.Namespace, d.Metadata.Name)
	}
	ports, err := controlplane.FreePorts(ctx, len(spec.Containers[0].Ports))
	if err != nil {
		return err
	}
	name := d.Metadata.Name + "-" + hash + "-" + strings.ToLower(rand.Text()[:5])
	adapted, err := adapt(d.Spec.Template.Spec, place{folder: n.podFolder(d.Metadata.Namespace, name), ports: ports})
	if err != nil {
		return fmt.Errorf("deployment %s/%s: %w", d.Metadata.Namespace, d.Metadata.Name, err)
	}
	labels := map[string]string{hashLabel: hash}
	for key, value := range d.Spec.Template.Metadata.Labels {
		labels[key] = value
	}
	made := pod{Spec: adapted, Metadata: meta{
		Name: name, Namespace: d.Metadata.Namespace, Labels: labels, Annotations: d.Spec.Template.Metadata.Annotations,
		OwnerReferences: []owner{{APIVersion: "apps/v1", Kind: "Deployment", Name: d.Metadata.Name, UID: d.Metadata.UID, Controller: true}},
	}}
	return n.options.API.create(ctx, "/api/v1/namespaces/"+d.Metadata.Namespace+"/pods", made, nil)
}

// remove begins the deletion of a pod; its process is asked to end when the deletion is seen.
func (n *Node) remove(ctx context.Context, p pod) error {
	if p.Metadata.DeletionTimestamp != nil {
		return nil
	}
	return n.options.API.remove(ctx, podPath(p.Metadata), nil)
}

func podPath(of meta) string { return "/api/v1/namespaces/" + of.Namespace + "/pods/" + of.Name }

func (n *Node) podFolder(namespace, name string) string {
	return filepath.Join(n.options.Folder, "pods", namespace+"."+name)
}

// tell writes a deployment's status, if it is another one than before.
func (n *Node) tell(ctx context.Context, d deployment, hash string, pods []observed) error {
	total, updated, ready := 0, 0, 0
	for _, seen := range pods {
		if seen.pod.Metadata.DeletionTimestamp != nil {
			continue
		}
		total++
		if seen.ready {
			ready++
		}
		if seen.pod.Metadata.Labels[hashLabel] == hash {
			updated++
		}
	}
	available, reason := "False", "ReplicaSetUpdated"
	if ready >= d.replicas() {
		available = "True"
	}
	if ready >= d.replicas() && updated == total {
		reason = "NewReplicaSetAvailable"
	}
	key := fmt.Sprint(d.Metadata.Generation, total, updated, ready, available, reason)
	if n.told[d.Metadata.UID] == key {
		return nil
	}
	now := time.Now().UTC().Truncate(time.Second)
	status := map[string]any{
		"observedGeneration": d.Metadata.Generation, "replicas": total, "updatedReplicas": updated, "readyReplicas": ready,
		"availableReplicas": ready, "unavailableReplicas": max(0, d.replicas()-ready),
		"conditions": []condition{
			{Type: "Available", Status: available, LastTransitionTime: now},
			{Type: "Progressing", Status: "True", Reason: reason, LastTransitionTime: now},
		},
	}
	path := "/apis/apps/v1/namespaces/" + d.Metadata.Namespace + "/deployments/" + d.Metadata.Name + "/status"
	if err := n.options.API.patch(ctx, path, map[string]any{"status": status}); err != nil {
		return err
	}
	n.told[d.Metadata.UID] = key
	return nil
}
