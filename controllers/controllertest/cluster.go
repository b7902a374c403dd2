// Package controllertest is what the controllers' tests share: a real API server, and builders of objects in which a case states only what matters to
// it.
package controllertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"signalbox.dev/signalbox/api/v1alpha1"
)

// Cluster is an API server with our kinds and nothing that runs pods.
type Cluster struct {
	// Config reaches it as an administrator.
	Config *rest.Config
	// Client reads and writes without a cache.
	Client client.Client

	environment *envtest.Environment
}

// Start starts an API server from the binaries in $KUBEBUILDER_ASSETS, or in bin of this repository.
func Start() (*Cluster, error) {
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root(), "config", "crd")},
		ErrorIfCRDPathMissing: true,
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		environment.BinaryAssetsDirectory = filepath.Join(root(), "bin")
	}
	config, err := environment.Start()
	if err != nil {
		return nil, fmt.Errorf("starting an API server: %w", err)
	}
	config.QPS = -1
	direct, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	return &Cluster{Config: config, Client: direct, environment: environment}, nil
}

// Stop ends the API server.
func (c *Cluster) Stop() error { return c.environment.Stop() }

// Scheme knows the built-in kinds and ours.
func Scheme() *k8sruntime.Scheme {
	scheme := k8sruntime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		panic(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	return scheme
}

// NewNamespace makes a namespace with a name of its own.
func (c *Cluster) NewNamespace(ctx context.Context) (string, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Client.Create(ctx, namespace); err != nil {
		return "", fmt.Errorf("creating a namespace: %w", err)
	}
	return namespace.Name, nil
}

// User returns a configuration for somebody who has no rights but those of the groups.
func (c *Cluster) User(name string, groups ...string) (*rest.Config, error) {
	user, err := c.environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	if err != nil {
		return nil, fmt.Errorf("adding user %s: %w", name, err)
	}
	return user.Config(), nil
}

// ManagerRoles reads the roles that are generated for the manager.
func ManagerRoles() ([]client.Object, error) {
	content, err := os.ReadFile(filepath.Join(root(), "config", "rbac", "role.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the manager's roles: %w", err)
	}
	var roles []client.Object
	decode := serializer.NewCodecFactory(Scheme()).UniversalDeserializer().Decode
	for document := range strings.SplitSeq(string(content), "\n---") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		decoded, _, err := decode([]byte(document), nil, nil)
		if err != nil {
			return nil, fmt.Errorf("decoding the manager's roles: %w", err)
		}
		if role, ok := decoded.(client.Object); ok {
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// root is the root of the repository: tests run in the folder of their package, which is below it.
func root() string {
	folder, err := filepath.Abs(".")
	for err == nil && folder != filepath.Dir(folder) {
		if _, missing := os.Stat(filepath.Join(folder, "go.mod")); missing == nil {
			return folder
		}
		folder = filepath.Dir(folder)
	}
	return "."
}

// Labelled is a reader of Secrets that sees only those with a label, as the manager's caches do.
type Labelled struct {
	client.Reader
	// Label is the key, Value the value.
	Label string
	// Value of the label.
	Value string
}

// Get finds an object that carries the label.
func (l Labelled) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if err := l.Reader.Get(ctx, key, object, options...); err != nil {
		return err
	}
	if object.GetLabels()[l.Label] != l.Value {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
	}
	return nil
}

// List finds objects that carry the label.
func (l Labelled) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return l.Reader.List(ctx, list, append(options, client.MatchingLabels{l.Label: l.Value})...)
}
