package cmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/catalogue/sheet"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/standalone"
)

// pricesOptions are the flags of `signalbox prices`.
type pricesOptions struct {
	provider  string
	place     string
	files     []string
	namespace string
	output    string
}

// NewPrices returns the command that says what models cost.
func NewPrices() *cobra.Command {
	options := pricesOptions{}
	command := &cobra.Command{
		Use:   "prices [MODEL]",
		Short: "Say what a model costs and where that price comes from",
		Long: "Prices looks a model up as calls to it would be priced: by the id that the provider has for it, dated and regional ones included. Without a\n" +
			"model it lists all that the catalogue has of a provider. With manifests it shows what each target of their routes would be charged, the prices\n" +
			"of ProviderCredentials and ModelRoutes included; MODEL is then a route's model name or an upstream id. Prices are in US dollars, those of tokens\n" +
			"for a million of them. It fails if nothing is known of the model.",
		Example: "  signalbox prices gpt-4o\n  signalbox prices --provider AWSBedrock --place eu-central-1 eu.anthropic.claude-sonnet-4-5-20250929-v1:0\n" +
			"  signalbox prices --provider Groq -o json\n  signalbox prices -f routes.yaml",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return runPrices(command, strings.Join(args, ""), options)
		},
	}
	flags := command.Flags()
	flags.StringVarP(&options.provider, "provider", "p", "", "only this provider, as ProviderCredentials name it")
	flags.StringVar(&options.place, "place", "", "where calls are kept: region of AWS, location of Google Cloud, eu or us of OpenAI")
	flags.StringSliceVarP(&options.files, "filename", "f", nil, "manifests whose targets are priced; files, directories, or - for the standard input")
	flags.StringVarP(&options.namespace, "namespace", "n", standalone.DefaultNamespace, "namespace of objects in manifests that name none")
	flags.StringVarP(&options.output, "output", "o", "table", "table or json")
	return command
}

func runPrices(command *cobra.Command, model string, options pricesOptions) error {
	write, err := pricesWriter(options.output)
	if err != nil {
		return err
	}
	var lines []sheet.Line
	if len(options.files) > 0 {
		lines, err = targetPrices(command.Context(), command.InOrStdin(), model, options)
	} else {
		lines, err = cataloguePrices(model, options)
	}
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return fmt.Errorf("nothing is known of model %q; calls to it are unpriced unless a ProviderCredential or a ModelRoute has its prices", model)
	}
	return write(command.OutOrStdout(), lines)
}

func pricesWriter(output string) (func(io.Writer, []sheet.Line) error, error) {
	switch output {
	case "table":
		return sheet.WriteTable, nil
	case "json":
		return sheet.WriteJSON, nil
	default:
		return nil, fmt.Errorf("the output %q is neither table nor json", output)
	}
}

// cataloguePrices are what the catalogue has of a model at one provider or at all; of no model, all that it has of a provider.
func cataloguePrices(model string, options pricesOptions) ([]sheet.Line, error) {
	known := catalogue.Standard()
	providers := known.Providers()
	if options.provider != "" {
		if !slices.Contains(providers, options.provider) {
			return nil, fmt.Errorf("the catalogue has no provider %q, but %s", options.provider, strings.Join(providers, ", "))
		}
		providers = []string{options.provider}
	}
	var lines []sheet.Line
	for _, provider := range providers {
		if model != "" {
			if entry, found := lookUp(known, provider, options.place, model); found {
				lines = append(lines, catalogueLine(provider, model, &entry))
			}
			continue
		}
		if options.provider == "" {
			return nil, fmt.Errorf("name a model, or one of the providers %s", strings.Join(providers, ", "))
		}
		for _, key := range known.Keys(provider) {
			entry, _ := known.Entry(provider, key)
			lines = append(lines, catalogueLine(provider, key, &entry))
		}
	}
	return lines, nil
}

// lookUp finds a model as calls name it. Where those do not tell the model, as with deployments of Azure, an entry is shown for reference.
func lookUp(known *catalogue.Catalogue, provider, place, model string) (catalogue.Entry, bool) {
	if entry, found := known.LookupAt(provider, place, model); found {
		return entry, true
	}
	entry, found := known.Entry(provider, model)
	if found {
		entry.Prices.Source += "; not applied, because the id in a call does not tell the model"
	}
	return entry, found
}

func catalogueLine(provider, model string, entry *catalogue.Entry) sheet.Line {
	return sheet.Line{Provider: provider, Model: model, Source: entry.Prices.Source, Prices: sheet.Of(&entry.Prices), Entry: sheet.FactsOf(entry)}
}

// targetPrices are what the targets of manifests would be charged.
func targetPrices(ctx context.Context, stdin io.Reader, model string, options pricesOptions) ([]sheet.Line, error) {
	sources, err := manifest.Open(options.files, stdin)
	if err != nil {
		return nil, err
	}
	reader, err := manifest.NewReader()
	if err != nil {
		return nil, err
	}
	set, problems := reader.Read(ctx, sources, options.namespace)
	if manifest.Count(problems, manifest.Error) > 0 {
		return nil, fmt.Errorf("the manifests have errors; signalbox check lists them")
	}
	var lines []sheet.Line
	for _, namespace := range set.Names() {
		in := set.Input(namespace)
		in.Endpoints = table.EndpointRules{AllowCIDRs: standalone.Loopback()}
		result := compile.Compile(in)
		lines = append(lines, tableLines(&result.Table, model, options.provider)...)
	}
	return lines, nil
}

// tableLines are the targets of a table that answer to a model, or all.
func tableLines(compiled *table.Table, model, provider string) []sheet.Line {
	credentials := map[string]*table.Credential{}
	for i := range compiled.Credentials {
		credentials[compiled.Credentials[i].Name] = &compiled.Credentials[i]
	}
	var lines []sheet.Line
	for i := range compiled.Routes {
		route := &compiled.Routes[i]
		for j := range route.Targets {
			target := &route.Targets[j]
			backend, exists := credentials[target.Credential]
			if !exists || provider != "" && backend.Provider != provider {
				continue
			}
			for _, upstream := range upstreams(route, target, model) {
				lines = append(lines, targetLine(compiled.Namespace, route.Name, target, backend, upstream))
			}
		}
	}
	return lines
}

// upstreams are the ids that a target calls for a model, or for all models of its route: its own, or what its clients ask for.
func upstreams(route *table.Route, target *table.Target, model string) []string {
	const same = "*"
	asked := model == "" || target.Model == model || slices.Contains(route.Models, model)
	switch {
	case !asked:
		return nil
	case target.Model != same:
		return []string{target.Model}
	case model != "":
		return []string{model}
	default:
		return route.Models
	}
}

func targetLine(namespace, route string, target *table.Target, backend *table.Credential, upstream string) sheet.Line {
	line := sheet.Line{Namespace: namespace, Route: route, Target: target.Name, Provider: backend.Provider, Model: upstream}
	prices := target.Prices
	if listed, known := backend.Prices[upstream]; prices == nil && known {
		prices = &listed
	}
	if prices != nil {
		line.Source, line.Prices = prices.Source, sheet.Of(prices)
	}
	return line
}
