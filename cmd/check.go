package cmd

import (
	"errors"
	"fmt"
	"io"
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
	models    []string
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
		Example: "  signalbox check config/samples/\n  signalbox check routes.yaml --explain gpt-4o",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, paths []string) error {
			return check(command, paths, options)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&options.namespace, "namespace", "n", standalone.DefaultNamespace, "namespace of objects that name none")
	flags.StringArrayVar(&options.models, "explain", nil, "say where a request for this model would go; can be repeated")
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
	var unknown error
	for _, model := range options.models {
		text, known := linter.Explain(model)
		out.WriteString(text)
		if !known {
			unknown = fmt.Errorf("model %q is not served", model)
		}
	}
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
