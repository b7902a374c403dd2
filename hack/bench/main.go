// Command bench measures Signalbox.
//
//	bench data      the proxy against nginx as plain reverse proxy, in front of the same upstream
//	bench control   the time from kubectl apply to the first request that the new route serves
//
// Both print tables and write JSON. Figures decide nothing here: goals are shown as met or missed, the exit code tells only whether it could measure.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to measure: data or control")
	}
	switch args[0] {
	case "data":
		return runData(ctx, args[1:])
	case "control":
		return runControl(ctx, args[1:])
	default:
		return fmt.Errorf("%q is neither data nor control", args[0])
	}
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// writeJSON writes a report beside the other build products.
func writeJSON(file string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fmt.Errorf("making the report's directory: %w", err)
	}
	if err := os.WriteFile(filepath.Clean(file), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
