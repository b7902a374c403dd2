// Package scenario is the demo's story, which is the same wherever it is told: install, apply the samples, call as an app, and see the cost arrive in the
// budget.
package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"signalbox.dev/signalbox/hack/demo/shell"
)

const (
	// System is the namespace of the manager.
	System = "signalbox-system"
	// Team is the namespace of config/samples.
	Team = "team-a"
	// Mark labels namespaces that the demo made, and may remove.
	Mark = "signalbox.dev/demo"
	// SampleEndpoint is where the ProviderCredential of config/samples points to.
	SampleEndpoint = "http://provider." + Team + ":9900/v1"

	readyPatience  = 2 * time.Minute
	budgetPatience = 30 * time.Second
)

// Ground is where the demo runs.
type Ground interface {
	// Title names the tier in a line.
	Title() string
	// Prepare builds what is needed and brings up a cluster, or an API server that passes for one.
	Prepare(ctx context.Context, progress *shell.Progress) error
	// Shell runs programs, kubectl and helm among them, against that cluster.
	Shell() shell.Shell
	// ChartValues are the values that the chart needs here, as flags of helm.
	ChartValues() []string
	// StartProvider starts the fake provider and returns the endpoint at which the proxies find it.
	StartProvider(ctx context.Context) (string, error)
	// Call makes a streamed call as the app, writes the text to out as it comes, and returns what testapp reported.
	Call(ctx context.Context, out io.Writer) (string, error)
	// Next are lines to try.
	Next(ctx context.Context) ([]string, error)
	// Closing is the last line; it can be empty.
	Closing() string
}

// Run tells the story. Its error says at which step it ended.
func Run(ctx context.Context, ground Ground, progress *shell.Progress, out io.Writer) error {
	if err := ground.Prepare(ctx, progress); err != nil {
		return err
	}
	teller := teller{ground: ground, shell: ground.Shell(), out: out}
	for _, step := range []struct {
		what string
		act  func(context.Context) error
	}{
		{"installing the chart with Helm", teller.install},
		{"starting a fake provider", teller.startProvider},
		{"applying config/samples", teller.applySamples},
		{"waiting until all three kinds are Ready", teller.awaitReady},
		{"calling as the app, with OpenAI's SDK, streamed", teller.call},
		{"waiting until the budget shows exactly that", teller.awaitBudget},
		{"what kubectl shows", teller.show},
	} {
		if err := progress.Step(step.what, func() error { return step.act(ctx) }); err != nil {
			return err
		}
	}
	return teller.close(ctx)
}

type teller struct {
	ground   Ground
	shell    shell.Shell
	out      io.Writer
	endpoint string
	cost     *big.Rat
}

// install makes both namespaces, with a mark on each, and installs the chart.
func (t *teller) install(ctx context.Context) error {
	for _, namespace := range []string{System, Team} {
		// --save-config makes the later kubectl apply of the same namespace a change and not a surprise.
		if err := t.shell.Show(ctx, "kubectl", "create", "namespace", namespace, "--save-config"); err != nil {
			return err
		}
		if err := t.shell.Show(ctx, "kubectl", "label", "namespace", namespace, Mark+"=true", "pod-security.kubernetes.io/enforce=restricted"); err != nil {
			return err
		}
	}
	args := []string{"install", "signalbox", "charts/signalbox", "--namespace", System, "--wait", "--timeout", "2m", "--hide-notes"}
	return t.shell.Show(ctx, "helm", append(args, t.ground.ChartValues()...)...)
}

func (t *teller) startProvider(ctx context.Context) error {
	endpoint, err := t.ground.StartProvider(ctx)
	t.endpoint = endpoint
	return err
}

// applySamples changes nothing of the samples but, where the provider is elsewhere, its address.
func (t *teller) applySamples(ctx context.Context) error {
	if t.endpoint == SampleEndpoint {
		return t.shell.Show(ctx, "kubectl", "apply", "-k", "config/samples")
	}
	samples, err := t.shell.Read(ctx, "kubectl", "kustomize", "config/samples")
	if err != nil {
		return err
	}
	if strings.Count(samples, SampleEndpoint) != 1 {
		return fmt.Errorf("config/samples should name %s once", SampleEndpoint)
	}
	fmt.Fprintf(t.out, "    one change: endpoint is %s, not %s\n", t.endpoint, SampleEndpoint)
	return t.shell.Feed(ctx, strings.Replace(samples, SampleEndpoint, t.endpoint, 1), "kubectl", "apply", "-f", "-")
}

func (t *teller) awaitReady(ctx context.Context) error {
	objects := []string{"providercredential/provider", "modelroute/chat", "spendbudget/team-a"}
	wait := append([]string{"wait", "--namespace", Team, "--for=condition=Ready", "--timeout=" + readyPatience.String()}, objects...)
	if err := t.shell.Show(ctx, "kubectl", wait...); err != nil {
		describe := append([]string{"describe", "--namespace", Team}, objects...)
		return errors.Join(err, t.shell.Show(ctx, "kubectl", describe...))
	}
	return nil
}

// answer is what testapp prints after a call.
type answer struct {
	Status  int             `json:"status"`
	Text    string          `json:"text"`
	Chunks  int             `json:"chunks"`
	Finish  string          `json:"finish"`
	Error   json.RawMessage `json:"error"`
	CostUSD json.Number     `json:"costUSD"`
	Usage   struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	} `json:"usage"`
	Headers map[string][]string `json:"headers"`
}

func (t *teller) call(ctx context.Context) error {
	fmt.Fprint(t.out, "\n      ")
	text, err := t.ground.Call(ctx, t.out)
	if err != nil {
		return err
	}
	var got answer
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return fmt.Errorf("reading what the app reported: %w", err)
	}
	cost, err := got.cost()
	if err != nil {
		return err
	}
	t.cost = cost
	fmt.Fprintf(t.out, "\n    answered by target %s in %d chunks, finish reason %s: %d prompt and %d completion tokens cost $%s\n",
		strings.Join(got.Headers["X-Signalbox-Target"], ""), got.Chunks, got.Finish, got.Usage.Prompt, got.Usage.Completion, got.CostUSD)
	return nil
}

// cost is that of a good streamed answer; anything else is an error.
func (a answer) cost() (*big.Rat, error) {
	switch {
	case len(a.Error) > 0:
		return nil, fmt.Errorf("the proxy answered %d: %s", a.Status, a.Error)
	case a.Text == "" || a.Chunks < 2:
		return nil, fmt.Errorf("that was no stream: %d chunks, %d bytes of text", a.Chunks, len(a.Text))
	}
	cost, ok := new(big.Rat).SetString(a.CostUSD.String())
	if !ok || cost.Sign() <= 0 {
		return nil, fmt.Errorf("the answer's cost is %q", a.CostUSD)
	}
	return cost, nil
}

// awaitBudget is exact: the first call of a new namespace is all that was spent.
func (t *teller) awaitBudget(ctx context.Context) error {
	return shell.Until(ctx, budgetPatience, func(ctx context.Context) error {
		text, err := t.shell.Read(ctx, "kubectl", "get", "--namespace", Team, "spendbudget/team-a", "-o", "jsonpath={.status.spent}")
		if err != nil {
			return err
		}
		spent, ok := new(big.Rat).SetString(text)
		if !ok || spent.Cmp(t.cost) != 0 {
			return fmt.Errorf("the budget's status says that %q was spent, and the call cost %s", text, t.cost.FloatString(12))
		}
		fmt.Fprintf(t.out, "    spendbudget/team-a: spent %s\n", text)
		return nil
	})
}

func (t *teller) show(ctx context.Context) error {
	for _, kind := range []string{"modelroutes", "providercredentials", "spendbudgets"} {
		fmt.Fprintf(t.out, "\n    $ kubectl get %s -n %s\n", kind, Team)
		if err := t.shell.Show(ctx, "kubectl", "get", kind, "--namespace", Team); err != nil {
			return err
		}
	}
	text, err := t.shell.Read(ctx, "kubectl", "describe", "--namespace", Team, "modelroute/chat")
	if err != nil {
		return err
	}
	_, status, found := strings.Cut(text, "\nStatus:\n")
	if !found {
		return errors.New("kubectl describe shows no status")
	}
	fmt.Fprintf(t.out, "\n    $ kubectl describe modelroute chat -n %s | sed -n '/^Status/,$p'\n    Status:\n", Team)
	for line := range strings.Lines(status) {
		fmt.Fprint(t.out, "    "+line)
	}
	fmt.Fprintln(t.out)
	return nil
}

func (t *teller) close(ctx context.Context) error {
	lines, err := t.ground.Next(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, "\nIt keeps running. Try:")
	for _, line := range lines {
		fmt.Fprintln(t.out, "  "+line)
	}
	fmt.Fprintln(t.out, "  make demo-down        # removes everything")
	if closing := t.ground.Closing(); closing != "" {
		fmt.Fprintln(t.out, "\n"+closing)
	}
	return nil
}
