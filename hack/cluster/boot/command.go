//go:build linux

package boot

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"signalbox.dev/signalbox/hack/cluster/process"
)

// run runs a program with the given input and returns its output; its errors are part of the error.
func run(ctx context.Context, input string, name string, arguments ...string) (string, error) {
	file, err := find(name)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, file, arguments...)
	command.Stdin = strings.NewReader(input)
	var output, errors strings.Builder
	command.Stdout, command.Stderr = &output, &errors
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("running %s: %w: %s", name, err, tail(errors.String(), 3))
	}
	return output.String(), nil
}

// runInside runs a program in the network namespace of a holder.
func runInside(ctx context.Context, holder process.Identity, input string, command ...string) error {
	_, err := run(ctx, input, "nsenter", append([]string{networkOf(holder), "--"}, command...)...)
	return err
}

func networkOf(holder process.Identity) string {
	return fmt.Sprintf("--net=/proc/%d/ns/net", holder.PID)
}
