package cmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/metadata"

	"signalbox.dev/signalbox/api/v1alpha1"
)

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
			restConfig, err := connect(config)
			if err != nil {
				return err
			}
			clients, err := metadata.NewForConfig(restConfig)
			if err != nil {
				return fmt.Errorf("making a client for the API server: %w", err)
			}
			secrets := clients.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace)
			found, err := secrets.List(command.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelAccessKey + "=true"})
			if err != nil {
				return apiProblem(err, "list Secrets in namespace "+namespace, namespace)
			}
			return writeKeys(command.OutOrStdout(), found.Items, time.Now())
		},
	}
	place.addFlags(command)
	return command
}

// writeKeys writes a table of access keys, of which there is only the metadata here: no key has left the API server.
func writeKeys(out io.Writer, secrets []metav1.PartialObjectMetadata, now time.Time) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if _, err := fmt.Fprintln(table, "NAME\tAGE\tEXPIRES\tROUTES"); err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	for i := range secrets {
		item := &secrets[i]
		routes := item.Annotations[v1alpha1.AnnotationRoutes]
		switch {
		case strings.TrimSpace(routes) == "":
			routes = "*"
		case strings.ContainsFunc(routes, func(r rune) bool { return !unicode.IsPrint(r) }):
			// A terminal would do what others have written there.
			routes = strconv.QuoteToASCII(routes)
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
