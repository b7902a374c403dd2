package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
	"signalbox.dev/signalbox/hack/conformance/report"
	"signalbox.dev/signalbox/hack/conformance/runner"
	"signalbox.dev/signalbox/hack/conformance/world"
)

// Prices of the real model in nano-dollars a token. They are so far apart that one sum tells both counts.
const (
	promptPrice     = 1_000
	completionPrice = 1_000_000
)

// modelNamespace is where `signalbox run` puts objects that name no namespace.
const modelNamespace = "default"

// runModel calls a real model through the proxy, and compares the tokens that clients are told with those that the budgets were charged.
func runModel(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	started := time.Now()
	installed, logs, err := o.folders()
	if err != nil {
		return err
	}
	model, err := world.StartModel(ctx, installed, o.sources, logs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, model.Stop()) }()
	client := catalogue.RealModel()
	proxy, err := world.StartProxy(ctx, filepath.Join(o.bin, "signalbox"), logs, modelManifests(client, model))
	if err != nil {
		return err
	}
	r := runner.Runner{Sources: o.sources, Installed: installed, Logs: logs, Plan: plan.Plan{
		Bases: world.ProxyBases(proxy.Base), Keys: plan.Keys{Key: world.AccessKey(client.Name)}, Checks: o.checkNames(), Upstreams: []plan.Upstream{{Name: catalogue.LlamaCPP, Models: map[string]string{}}},
	}}
	results := r.Run(ctx, []catalogue.Client{client})
	if err := proxy.Stop(); err != nil {
		return err
	}
	return finish(report.New(started, append(results, charged(proxy, results)...)), o.out)
}

// charged compares each answer's tokens with what the budget of its route was charged.
func charged(proxy *world.Proxy, results []plan.Result) []plan.Result {
	var all []plan.Result
	for _, r := range results {
		told := plan.Result{Client: r.Client, Surface: r.Surface + ", charged", Check: r.Check, Upstream: r.Upstream}
		spent, err := proxy.Spent(modelNamespace, routeName(r.Surface, r.Check))
		switch want := r.PromptTokens*promptPrice + r.CompletionTokens*completionPrice; {
		case err != nil:
			told.Problem = err.Error()
		case r.PromptTokens == 0:
			told.Problem = "the answer told no tokens"
		case spent != want:
			told.Problem = fmt.Sprintf("the answer told %d and %d tokens, the budget was charged for %d and %d",
				r.PromptTokens, r.CompletionTokens, spent%completionPrice/promptPrice, spent/completionPrice)
		default:
			told.OK = true
		}
		all = append(all, told)
	}
	return all
}

// routeName is that of the route, and of its budget, that one check uses alone.
func routeName(surface, check string) string { return surface + "-" + check }

// modelManifests are a route with a budget of its own for each check.
func modelManifests(client catalogue.Client, model *world.Model) string {
	var out strings.Builder
	fmt.Fprintf(&out, "apiVersion: v1\nkind: Secret\nmetadata: {name: client, labels: {signalbox.dev/access-key: \"true\"}}\nstringData: {key: %s}\n", world.AccessKey(client.Name))
	for name, endpoint := range map[string]string{"text": model.Text, "vectors": model.Vectors} {
		fmt.Fprintf(&out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ProviderCredential\nmetadata: {name: %s}\nspec:\n  provider: OpenAICompatible\n"+
			"  endpoint: %s/v1\n  auth: {none: {}}\n  prices: [{model: gemma, input: \"1\", output: \"1000\"}]\n", name, endpoint)
	}
	for _, surface := range client.Surfaces {
		for _, check := range surface.Checks {
			writeModelRoute(&out, surface.Name, check)
		}
	}
	return out.String()
}

func writeModelRoute(out *strings.Builder, surface, check string) {
	credential, api := "text", ""
	switch surface {
	case "embeddings":
		credential = "vectors"
	case "responses-native":
		api = ", api: Responses"
	case "messages-native":
		api = ", api: Messages"
	}
	name := routeName(surface, check)
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: %[1]s}\nspec:\n  models: [%[1]s]\n"+
		"  targets: [{name: only, credentialRef: {name: %[2]s}, model: gemma%[3]s}]\n", name, credential, api)
	fmt.Fprintf(out, "---\napiVersion: signalbox.dev/v1alpha1\nkind: SpendBudget\nmetadata: {name: %[1]s}\nspec: {limit: {amount: \"1000\"}, window: {period: Total}, "+
		"appliesTo: {routes: [%[1]s]}}\n", name)
}
