package tier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/demo/scenario"
	"signalbox.dev/signalbox/hack/demo/shell"
)

// givenFile remembers a cluster that the demo was installed on.
const givenFile = "given.json"

// Loading says how images get to a given cluster; at most one is set.
type Loading struct {
	// Command is run by sh with each image archive as its last argument.
	Command string
	// Registry is host/repository, where images are pushed to and pulled from.
	Registry string
}

// Given is somebody's cluster.
type Given struct {
	pods
	loading Loading
	loader  loader
}

// loader brings one archive to the cluster's nodes.
type loader func(ctx context.Context, archive string) error

// NewGiven returns the tier for the cluster of a kubeconfig.
func NewGiven(sh shell.Shell, kubeconfig string, loading Loading) (*Given, error) {
	absolute, err := filepath.Abs(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("finding the kubeconfig: %w", err)
	}
	if _, err := os.Stat(absolute); err != nil {
		return nil, fmt.Errorf("DEMO_KUBECONFIG: %w", err)
	}
	if loading.Command != "" && loading.Registry != "" {
		return nil, errors.New("set DEMO_LOAD or DEMO_REGISTRY, not both")
	}
	sh.Kubeconfig = absolute
	images := imagesAt(registry, "IfNotPresent")
	if loading.Registry != "" {
		// The tag stays while its content changes, so nodes have to look each time.
		images = imagesAt(strings.TrimSuffix(loading.Registry, "/")+"/", "Always")
	}
	return &Given{pods: pods{shell: sh, images: images}, loading: loading}, nil
}

// Title names the tier.
func (g *Given) Title() string { return "(c) the cluster of DEMO_KUBECONFIG=" + g.shell.Kubeconfig }

// Shell runs programs against the cluster.
func (g *Given) Shell() shell.Shell { return g.shell }

// Prepare looks at the cluster before it builds anything, and changes nothing there that it did not make.
func (g *Given) Prepare(ctx context.Context, progress *shell.Progress) error {
	err := progress.Step("building kubectl and Helm, unless they are there", func() error {
		return g.shell.Show(ctx, "make", "--silent", "bin/kubectl", "bin/helm")
	})
	if err != nil {
		return err
	}
	var architecture string
	err = progress.Step("looking at the cluster", func() error {
		architecture, err = g.inspect(ctx)
		return err
	})
	if err != nil {
		return err
	}
	err = progress.Step("building signalbox and images", func() error {
		return g.shell.Show(ctx, progressScript, "images", "make", "--silent", "build", "demo-images", "ARCH="+architecture)
	})
	if err != nil {
		return err
	}
	return progress.Step("bringing images to the cluster", func() error {
		for _, archive := range archives(g.shell.Root) {
			if err := g.loader(ctx, archive); err != nil {
				return err
			}
		}
		return nil
	})
}

// inspect refuses a cluster that the demo cannot use without touching what is not its own, removes what an earlier demo left, and chooses the loader.
func (g *Given) inspect(ctx context.Context) (architecture string, err error) {
	text, err := g.shell.Read(ctx, "kubectl", "get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.architecture}")
	if err != nil {
		return "", err
	}
	architectures := slices.Compact(slices.Sorted(slices.Values(strings.Fields(text))))
	if len(architectures) != 1 {
		return "", fmt.Errorf("the demo builds images for one architecture, and the cluster's nodes have %q", architectures)
	}
	if err := g.removeEarlier(ctx); err != nil {
		return "", err
	}
	if g.loader, err = g.chooseLoader(ctx); err != nil {
		return "", err
	}
	return architectures[0], g.remember()
}

// removeEarlier removes an earlier demo and refuses what somebody else made.
func (g *Given) removeEarlier(ctx context.Context) error {
	for _, namespace := range []string{scenario.System, scenario.Team} {
		made, err := ownership(ctx, g.shell, namespace)
		if err != nil {
			return err
		}
		if made == foreign {
			return fmt.Errorf("namespace %s is in the cluster and was not made by this demo: it is not taken over. Use another cluster, or remove it", namespace)
		}
	}
	if err := removeFrom(ctx, g.shell); err != nil {
		return err
	}
	crds, err := g.shell.Read(ctx, "kubectl", "get", "crd", "modelroutes.signalbox.dev", "--ignore-not-found", "-o", "name")
	if err != nil {
		return err
	}
	if crds != "" {
		return errors.New("signalbox is installed in this cluster already, and not by this demo: it is not taken over")
	}
	return nil
}

// made tells who made a namespace.
type made string

const (
	absent  made = "absent"
	ours    made = "ours"
	foreign made = "foreign"
)

func ownership(ctx context.Context, sh shell.Shell, namespace string) (made, error) {
	text, err := sh.Read(ctx, "kubectl", "get", "namespace", namespace, "--ignore-not-found", "-o", "json")
	if err != nil || text == "" {
		return absent, err
	}
	var object struct {
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return absent, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	if object.Metadata.Labels[scenario.Mark] != "true" {
		return foreign, nil
	}
	return ours, nil
}

// chooseLoader takes what the user said, or what the cluster looks like.
func (g *Given) chooseLoader(ctx context.Context) (loader, error) {
	if g.loading.Command != "" {
		return func(ctx context.Context, archive string) error {
			return g.shell.Show(ctx, "sh", "-c", g.loading.Command+` "$1"`, "sh", archive)
		}, nil
	}
	if g.loading.Registry != "" {
		return g.push, nil
	}
	at, err := g.shell.Read(ctx, "kubectl", "config", "current-context")
	if err != nil {
		return nil, err
	}
	profile, err := g.shell.Read(ctx, "kubectl", "get", "nodes", "-o", `jsonpath={.items[0].metadata.labels.minikube\.k8s\.io/name}`)
	if err != nil {
		return nil, err
	}
	command := loadCommand(at, profile)
	if command == nil {
		return nil, fmt.Errorf("context %q is none of kind, k3d and minikube, so say how images get to its nodes: "+
			"DEMO_LOAD='COMMAND' is run with each image archive as its last argument; DEMO_REGISTRY=HOST/REPOSITORY is pushed to with buildah", at)
	}
	return func(ctx context.Context, archive string) error {
		line := command(archive)
		return g.shell.Show(ctx, line[0], line[1:]...)
	}, nil
}

// loadCommand is how well-known local clusters take an archive; nil for others.
func loadCommand(at, minikubeProfile string) func(archive string) []string {
	if name, found := strings.CutPrefix(at, "kind-"); found {
		return func(archive string) []string {
			return []string{"kind", "load", "image-archive", archive, "--name", name}
		}
	}
	if name, found := strings.CutPrefix(at, "k3d-"); found {
		return func(archive string) []string { return []string{"k3d", "image", "import", archive, "-c", name} }
	}
	if minikubeProfile != "" {
		return func(archive string) []string {
			return []string{"minikube", "--profile", minikubeProfile, "image", "load", archive}
		}
	}
	return nil
}

// push sends an archive to the registry, under the name that the pods will ask for.
func (g *Given) push(ctx context.Context, archive string) error {
	name := strings.TrimSuffix(filepath.Base(archive), ".tar")
	store := []string{"--storage-driver", "vfs", "--root", filepath.Join(g.shell.State, "buildah")}
	id, err := g.shell.Read(ctx, "buildah", append(store, "pull", "--quiet", "docker-archive:"+archive)...)
	if err != nil {
		return err
	}
	target := strings.TrimSuffix(g.loading.Registry, "/") + "/" + name + ":" + imageTag
	push := append(store, "push", "--quiet")
	if host, _, _ := strings.Cut(target, "/"); strings.HasPrefix(host, "localhost:") || strings.HasPrefix(host, "127.") {
		push = append(push, "--tls-verify=false")
	}
	return g.shell.Show(ctx, "buildah", append(push, id, "docker://"+target)...)
}

// ChartValues name the image where it was brought to.
func (g *Given) ChartValues() []string {
	prefix, _, _ := strings.Cut(g.images.Provider, "fakeprovider:")
	return []string{"--set", "image.repository=" + prefix + "signalbox", "--set", "image.tag=" + imageTag, "--set", "image.pullPolicy=" + g.images.PullPolicy}
}

// Next are lines to try.
func (g *Given) Next(context.Context) ([]string, error) { return g.tryLines(), nil }

// Closing is empty: nothing has to be added.
func (g *Given) Closing() string { return "" }

// remember notes the cluster for RemoveGiven, before anything is made there.
func (g *Given) remember() error {
	content, err := json.Marshal(g.shell.Kubeconfig)
	if err != nil {
		return fmt.Errorf("encoding the cluster: %w", err)
	}
	if err := os.MkdirAll(g.shell.State, 0o700); err != nil {
		return fmt.Errorf("making the demo's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(g.shell.State, givenFile), content, 0o600); err != nil {
		return fmt.Errorf("remembering the cluster: %w", err)
	}
	return nil
}

// RemoveGiven removes the demo from the cluster that it was installed on last, if any.
func RemoveGiven(ctx context.Context, sh shell.Shell) error {
	content, err := os.ReadFile(filepath.Join(sh.State, givenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which cluster was used: %w", err)
	}
	if err := json.Unmarshal(content, &sh.Kubeconfig); err != nil {
		return fmt.Errorf("reading which cluster was used: %w", err)
	}
	if _, err := os.Stat(sh.Kubeconfig); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(sh.Out, "    %s is gone, so nothing was removed from its cluster\n", sh.Kubeconfig)
		return nil
	}
	return removeFrom(ctx, sh)
}

// removeFrom removes an installation that carries the demo's mark, routes before the manager that looks after their proxies. The kinds stay if others have
// begun to use them.
func removeFrom(ctx context.Context, sh shell.Shell) error {
	team, err := ownership(ctx, sh, scenario.Team)
	if err != nil {
		return err
	}
	if team == ours {
		if err := removeTeam(ctx, sh); err != nil {
			return err
		}
	}
	system, err := ownership(ctx, sh, scenario.System)
	if err != nil || system != ours {
		return err
	}
	if err := sh.Show(ctx, "helm", "uninstall", "signalbox", "--namespace", scenario.System, "--ignore-not-found", "--wait"); err != nil {
		return err
	}
	if err := removeKinds(ctx, sh); err != nil {
		return err
	}
	// The mark goes last: without it the next attempt would take all of this for somebody else's.
	return sh.Show(ctx, "kubectl", "delete", "namespace", scenario.System, "--timeout=3m")
}

// removeTeam ends the proxies before the namespace goes: a namespace with pods looks at itself again only after half of their time to drain, which is
// minutes, although they end in seconds.
func removeTeam(ctx context.Context, sh shell.Shell) error {
	for _, args := range [][]string{
		{"delete", "modelroutes.signalbox.dev", "--all", "--namespace", scenario.Team},
		{"delete", "deployment", "signalbox", "--namespace", scenario.Team, "--ignore-not-found"},
		{"wait", "--for=delete", "pod", "--namespace", scenario.Team, "--selector", "app.kubernetes.io/name=signalbox-proxy", "--timeout=1m"},
		{"delete", "namespace", scenario.Team, "--timeout=3m"},
	} {
		if err := sh.Show(ctx, "kubectl", args...); err != nil {
			return err
		}
	}
	return nil
}

func removeKinds(ctx context.Context, sh shell.Shell) error {
	for _, kind := range []string{"modelroutes", "providercredentials", "spendbudgets"} {
		name := kind + ".signalbox.dev"
		there, err := sh.Read(ctx, "kubectl", "get", "crd", name, "--ignore-not-found", "-o", "name")
		if err != nil {
			return err
		}
		if there == "" {
			continue
		}
		left, err := sh.Read(ctx, "kubectl", "get", name, "--all-namespaces", "-o", "name")
		if err != nil {
			return err
		}
		if left != "" {
			fmt.Fprintf(sh.Out, "    the kind %s stays, for there are objects of it that the demo did not make\n", name)
			continue
		}
		if err := sh.Show(ctx, "kubectl", "delete", "crd", name, "--timeout=1m"); err != nil {
			return err
		}
	}
	return nil
}
