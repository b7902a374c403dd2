package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/manifest/lint"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/standalone"
)

// checkOptions are the flags of `signalbox check`.
type checkOptions struct {
	namespace string
	explain   []string
	path      string
	local     bool
}

// NewCheck returns the command that lints manifests.
func NewCheck() *cobra.Command {
	options := checkOptions{}
	command := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check manifests and say where a request would go",
		Long: "Check reads YAML and JSON files, directories of them, and the standard input (-), and prints what is wrong with each object as\n" +
			"file:line: kind/name: field: message. It needs no cluster: it applies the schemas and rules that the API server applies, and those of\n" +
			"the manager. It fails if there is an error; warnings do not count.",
		Example: "  signalbox check config/samples/\n  signalbox check routes.yaml --explain gpt-4o\n  signalbox check routes.yaml --explain request.json --path /v1/messages",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, paths []string) error {
			return check(command, paths, options)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&options.namespace, "namespace", "n", standalone.DefaultNamespace, "namespace of objects that name none")
	flags.StringArrayVar(&options.explain, "explain", nil, "say where a request for this model, or the one in this JSON file, would go; can be repeated")
	flags.StringVar(&options.path, "path", lint.DefaultRequestPath, "path that the requests of --explain are sent to")
	flags.BoolVar(&options.local, "local", false, "check for 'signalbox run', where loopback endpoints are allowed")
	return command
}

func check(command *cobra.Command, paths []string, options checkOptions) error {
	sources, err := manifest.Open(paths, command.InOrStdin())
	if err != nil {
		return err
	}
	reader, err := manifest.NewReader()
	if err != nil {
		return err
	}
	set, problems := reader.Read(command.Context(), sources, options.namespace)
	linter := lint.Linter{Set: set}
	if options.local {
		linter.Endpoints = table.EndpointRules{AllowCIDRs: standalone.Loopback()}
	}
	problems = append(problems, linter.Problems()...)
	manifest.Sort(problems)
	var out strings.Builder
	for i := range problems {
		out.WriteString(problems[i].String() + "\n")
	}
	unknown := explain(command.Context(), &out, linter, options)
	faults, warnings := manifest.Count(problems, manifest.Error), manifest.Count(problems, manifest.Warning)
	fmt.Fprintf(&out, "%d errors, %d warnings\n", faults, warnings)
	if _, err := io.WriteString(command.OutOrStdout(), out.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	if faults > 0 {
		return errors.Join(errors.New("the manifests have errors"), unknown)
	}
	return unknown
}

// explain writes where requests would go. A name that ends in .json is a file with a request, any other is a model's.
func explain(ctx context.Context, out *strings.Builder, linter lint.Linter, options checkOptions) error {
	var failed error
	for _, name := range options.explain {
		text, err := explainOne(ctx, linter, name, options.path)
		out.WriteString(text)
		failed = errors.Join(failed, err)
	}
	return failed
}

func explainOne(ctx context.Context, linter lint.Linter, name, path string) (string, error) {
	if !strings.HasSuffix(name, ".json") {
		text, known := linter.Explain(name)
		if !known {
			return text, fmt.Errorf("model %q is not served", name)
		}
		return text, nil
	}
	request, err := os.ReadFile(filepath.Clean(name))
	if err != nil {
		return "", fmt.Errorf("reading the request: %w", err)
	}
	text, known, err := linter.ExplainRequest(ctx, path, request)
	switch {
	case err != nil:
		return "", fmt.Errorf("the request in %s: %w", name, err)
	case !known:
		return text, fmt.Errorf("the model of the request in %s is not served", name)
	default:
		return text, nil
	}
}
