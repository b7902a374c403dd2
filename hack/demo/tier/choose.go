package tier

import (
	"context"
	"strings"

	"signalbox.dev/signalbox/hack/demo/scenario"
	"signalbox.dev/signalbox/hack/demo/shell"
)

// Wishes are what the user said in the environment.
type Wishes struct {
	// Kubeconfig of a cluster to use; empty for none.
	Kubeconfig string
	// Loading says how images get there.
	Loading Loading
	// Processes asks for processes although a cluster may be possible, for whatever reason it holds; empty does not.
	Processes string
}

// Choose returns the ground to run on. What the machine can do is tried out, not guessed.
func Choose(ctx context.Context, sh shell.Shell, wishes Wishes) (scenario.Ground, error) {
	if wishes.Kubeconfig != "" {
		return NewGiven(sh, wishes.Kubeconfig, wishes.Loading)
	}
	if wishes.Processes != "" {
		return NewProcesses(sh, wishes.Processes), nil
	}
	if _, err := sh.Read(ctx, "cluster", "check"); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return NewProcesses(sh, Reason(err)), nil
	}
	return NewMachine(sh), nil
}

// Reason takes the one line out of an error of `cluster` that says what is missing, without its advice.
func Reason(err error) string {
	text := err.Error()
	for line := range strings.Lines(text) {
		if said, found := strings.CutPrefix(strings.TrimSpace(line), "cluster: "); found {
			text = said
		}
	}
	text, _, _ = strings.Cut(text, "; use `make run`")
	return strings.TrimSpace(text)
}
