package cmd

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/api/v1alpha1"
)

const (
	// accessKeyPrefix tells people, and programs that look for leaked secrets, what a key is for.
	accessKeyPrefix = "sb-"
	// accessKeyBytes is how much of a key is random.
	accessKeyBytes = 32
	// maxKeyDays bounds the life of a key that has an end.
	maxKeyDays = 36500
	day        = 24 * time.Hour
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
	if p.namespace != "" {
		return config, p.namespace, nil
	}
	namespace, _, err := config.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return config, namespace, nil
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
	restConfig, err := config.ClientConfig()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	clients, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return fmt.Errorf("making a client for the API server: %w", err)
	}
	_, err = clients.CoreV1().Secrets(namespace).Create(command.Context(), secret, metav1.CreateOptions{FieldManager: "signalbox-key"})
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("there is a Secret %s in namespace %s already, which stays as it is: choose another name, or delete it first", name, namespace)
	}
	if err != nil {
		return fmt.Errorf("creating Secret %s in namespace %s: %w", name, namespace, err)
	}
	if _, err := fmt.Fprintln(command.OutOrStdout(), key); err != nil {
		return fmt.Errorf("the key could not be shown, so delete Secret %s in namespace %s: %w", name, namespace, err)
	}
	// The key is there and was shown: it is no failure if this line is not.
	_, _ = fmt.Fprintf(command.ErrOrStderr(), "Created Secret %s in namespace %s. The key above is not shown again.\n", name, namespace)
	return nil
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
		if len(problems) > 0 || label == v1alpha1.LabelProviderKey {
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

func newKeyList() *cobra.Command {
	place := keyPlace{}
	command := &cobra.Command{
		Use:   "list",
		Short: "List the access keys of a namespace, without the keys",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, namespace, err := place.load()
			if err != nil {
				return err
			}
			restConfig, err := config.ClientConfig()
			if err != nil {
				return fmt.Errorf("reading the kubeconfig: %w", err)
			}
			clients, err := metadata.NewForConfig(restConfig)
			if err != nil {
				return fmt.Errorf("making a client for the API server: %w", err)
			}
			return listKeys(command.Context(), command.OutOrStdout(), clients.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace), time.Now())
		},
	}
	place.addFlags(command)
	return command
}

// listKeys writes a table. Only the metadata of Secrets is asked for, so that no key leaves the API server.
func listKeys(ctx context.Context, out io.Writer, secrets metadata.ResourceInterface, now time.Time) error {
	found, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelAccessKey + "=true"})
	if err != nil {
		return fmt.Errorf("listing access keys: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if _, err := fmt.Fprintln(table, "NAME\tAGE\tEXPIRES\tROUTES"); err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	for i := range found.Items {
		item := &found.Items[i]
		routes := item.Annotations[v1alpha1.AnnotationRoutes]
		if strings.TrimSpace(routes) == "" {
			routes = "*"
		}
		age := duration.HumanDuration(now.Sub(item.CreationTimestamp.Time))
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", item.Name, age, keyExpiry(item.Annotations, now), routes); err != nil {
			return fmt.Errorf("writing the list: %w", err)
		}
	}
	return table.Flush()
}

// keyExpiry tells in words when a key ends.
func keyExpiry(annotations map[string]string, now time.Time) string {
	text, given := annotations[v1alpha1.AnnotationExpiresAt]
	if !given {
		return "never"
	}
	end, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	switch {
	case err != nil:
		return "refused: no time"
	case !end.After(now):
		return "expired"
	default:
		return "in " + duration.HumanDuration(end.Sub(now))
	}
}
