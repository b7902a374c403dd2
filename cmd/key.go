package cmd

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/compile"
)

const (
	// accessKeyPrefix tells people, and programs that look for leaked secrets, what a key is for.
	accessKeyPrefix = "sb-"
	// accessKeyBytes is how much of a key is random.
	accessKeyBytes = 32
	// maxKeyDays bounds the life of a key that has an end.
	maxKeyDays = 36500
	day        = 24 * time.Hour
	// apiPatience is how long the API server is waited for.
	apiPatience = 30 * time.Second
)

// NewKey returns the command that makes access keys.
func NewKey() *cobra.Command {
	command := &cobra.Command{
		Use:   "key",
		Short: "Make access keys for callers that have no token, and list them",
	}
	command.AddCommand(newKeyCreate(), newKeyList())
	return command
}

// keyPlace is the cluster and namespace that a command works in.
type keyPlace struct {
	kubeconfig, namespace string
}

func (p *keyPlace) addFlags(command *cobra.Command) {
	command.Flags().StringVar(&p.kubeconfig, "kubeconfig", "", "kubeconfig file; without it $KUBECONFIG or the usual one")
	command.Flags().StringVarP(&p.namespace, "namespace", "n", "", "namespace of the proxy that the key is for; without it that of the kubeconfig's context")
}

// load reads the kubeconfig as kubectl does.
func (p *keyPlace) load() (clientcmd.ClientConfig, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = p.kubeconfig
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	namespace := p.namespace
	if namespace == "" {
		var err error
		if namespace, _, err = config.Namespace(); err != nil {
			return nil, "", configProblem(err)
		}
	}
	if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
		return nil, "", fmt.Errorf("%q cannot be the name of a namespace: %s", namespace, strings.Join(problems, "; "))
	}
	return config, namespace, nil
}

// connect returns how to reach the API server, which is not waited for without end.
func connect(config clientcmd.ClientConfig) (*rest.Config, error) {
	restConfig, err := config.ClientConfig()
	if err != nil {
		return nil, configProblem(err)
	}
	restConfig.Timeout = apiPatience
	return restConfig, nil
}

// keyOptions are the flags of `signalbox key create`.
type keyOptions struct {
	keyPlace
	expires string
	routes  []string
	labels  map[string]string
	dryRun  bool
}

func newKeyCreate() *cobra.Command {
	options := keyOptions{}
	command := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an access key and print it, once",
		Long: "Create makes a Secret with a new random access key and prints the key on the standard output. It is not shown again: the proxies know only its\n" +
			"hash. A Secret that exists is never changed. Deleting the Secret takes the key out of every proxy within about a second. With --dry-run the\n" +
			"Secret is printed as YAML, key included, and nothing is created.",
		Example: "  signalbox key create laptop --expires 90d\n  signalbox key create ci -n team-a --routes chat,embed --labels team=search\n" +
			"  signalbox key create ci -n team-a --dry-run | kubeseal -o yaml > ci.yaml",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return createKey(command, args[0], &options, time.Now())
		},
	}
	options.addFlags(command)
	flags := command.Flags()
	flags.StringVar(&options.expires, "expires", "", "when the key ends: a time such as 2027-01-31T00:00:00Z, or a span from now such as 90d or 12h; without it never")
	flags.StringSliceVar(&options.routes, "routes", nil, "the only ModelRoutes that the key may use, as far as their access admits it; without it all that do")
	flags.StringToStringVar(&options.labels, "labels", nil, "labels of the Secret, which accessKeySelector of a ModelRoute can select by")
	flags.BoolVar(&options.dryRun, "dry-run", false, "print the Secret as YAML and create nothing")
	return command
}

func createKey(command *cobra.Command, name string, options *keyOptions, now time.Time) error {
	config, namespace, err := options.load()
	if err != nil {
		return err
	}
	key, err := newAccessKey()
	if err != nil {
		return err
	}
	secret, err := options.secret(name, namespace, key, now)
	if err != nil {
		return err
	}
	if options.dryRun {
		text, err := yaml.Marshal(secret)
		if err != nil {
			return fmt.Errorf("writing Secret %s: %w", name, err)
		}
		_, err = command.OutOrStdout().Write(text)
		return err
	}
	if err := storeKey(command.Context(), config, secret); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(command.OutOrStdout(), key); err != nil {
		return fmt.Errorf("the key could not be shown, so delete Secret %s in namespace %s: %w", name, namespace, err)
	}
	// The key is there and was shown: it is no failure if this line is not.
	_, _ = fmt.Fprintf(command.ErrOrStderr(), "Created Secret %s in namespace %s. The key above is not shown again.\n", name, namespace)
	return nil
}

// storeKey creates the Secret of a key.
func storeKey(ctx context.Context, config clientcmd.ClientConfig, secret *corev1.Secret) error {
	restConfig, err := connect(config)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return fmt.Errorf("making a client for the API server: %w", err)
	}
	_, err = clients.CoreV1().Secrets(secret.Namespace).Create(ctx, secret, metav1.CreateOptions{FieldManager: "signalbox-key"})
	switch {
	case err == nil:
		return nil
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("there is a Secret %s in namespace %s already, which stays as it is: choose another name, or delete it first", secret.Name, secret.Namespace)
	}
	problem := apiProblem(err, "create Secrets in namespace "+secret.Namespace, secret.Namespace)
	if leavesOpen(err) {
		return fmt.Errorf("%w; if Secret %s is there now, delete it, for its key was not shown", problem, secret.Name)
	}
	return problem
}

func newAccessKey() (string, error) {
	random := make([]byte, accessKeyBytes)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	return accessKeyPrefix + base64.RawURLEncoding.EncodeToString(random), nil
}

// secret is the Secret of a key, checked as far as that can be without a cluster.
func (o *keyOptions) secret(name, namespace, key string, now time.Time) (*corev1.Secret, error) {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return nil, fmt.Errorf("%q cannot be the name of a Secret: %s", name, strings.Join(problems, "; "))
	}
	labels := map[string]string{}
	for _, label := range slices.Sorted(maps.Keys(o.labels)) {
		problems := append(validation.IsQualifiedName(label), validation.IsValidLabelValue(o.labels[label])...)
		if label == v1alpha1.LabelProviderKey {
			problems = append(problems, "it is that of a provider's key")
		}
		if len(problems) > 0 {
			return nil, fmt.Errorf("--labels: %s=%s cannot be a label of an access key: %s", label, o.labels[label], strings.Join(problems, "; "))
		}
		labels[label] = o.labels[label]
	}
	labels[v1alpha1.LabelAccessKey] = "true"
	annotations := map[string]string{}
	if o.expires != "" {
		end, err := keyEnd(o.expires, now)
		if err != nil {
			return nil, err
		}
		annotations[v1alpha1.AnnotationExpiresAt] = end.UTC().Format(time.RFC3339)
	}
	for _, route := range o.routes {
		if problems := validation.IsDNS1123Subdomain(route); len(problems) > 0 {
			return nil, fmt.Errorf("--routes: %q cannot be the name of a ModelRoute: %s", route, strings.Join(problems, "; "))
		}
	}
	if len(o.routes) > compile.MaxKeyRoutes {
		return nil, fmt.Errorf("--routes: a key can list %d ModelRoutes, and these are %d", compile.MaxKeyRoutes, len(o.routes))
	}
	if len(o.routes) > 0 {
		annotations[v1alpha1.AnnotationRoutes] = strings.Join(o.routes, ",")
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels, Annotations: annotations},
		Type:       corev1.SecretTypeOpaque,
		StringData: map[string]string{v1alpha1.AccessKeySecretKey: key},
	}, nil
}

// errKeyEnd says how the end of a key is written.
var errKeyEnd = errors.New("--expires must be a time to come such as 2027-01-31T00:00:00Z, or a span such as 90d or 12h")

// keyEnd reads when a key ends.
func keyEnd(text string, now time.Time) (time.Time, error) {
	end, err := time.Parse(time.RFC3339, text)
	if err != nil {
		span, err := keySpan(text)
		if err != nil {
			return time.Time{}, err
		}
		end = now.Add(span)
	}
	if !end.After(now) {
		return time.Time{}, errKeyEnd
	}
	return end, nil
}

func keySpan(text string) (time.Duration, error) {
	if days, inDays := strings.CutSuffix(text, "d"); inDays {
		count, err := strconv.Atoi(days)
		if err != nil || count < 1 || count > maxKeyDays {
			return 0, errKeyEnd
		}
		return time.Duration(count) * day, nil
	}
	span, err := time.ParseDuration(text)
	if err != nil || span < time.Second {
		return 0, errKeyEnd
	}
	return span, nil
}
