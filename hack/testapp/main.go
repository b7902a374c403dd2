// Command testapp plays the app in demo and end-to-end tests: it calls a proxy with OpenAI's own Go SDK, once or under load, and prints what came back.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testapp: "+err.Error())
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: testapp wait|chat|load|hammer|converse|get [flags]")
	}
	switch args[0] {
	case "wait":
		<-ctx.Done()
		return nil
	case "chat":
		return runChat(ctx, args[1:])
	case "load":
		return runLoad(ctx, args[1:])
	case "hammer":
		return runHammer(ctx, args[1:])
	case "converse":
		return runConverse(ctx, args[1:])
	case "get":
		return runGet(ctx, args[1:])
	default:
		return fmt.Errorf("unknown command %q", args[0])
	}
}

// target says where calls go and who makes them.
type target struct {
	baseURL   string
	model     string
	key       string
	tokenFile string
	// randomKeys has every call come with an access key that nobody has.
	randomKeys bool
}

func (t *target) register(flags *flag.FlagSet) {
	flags.StringVar(&t.baseURL, "base-url", "http://signalbox/v1", "base URL of the proxy")
	flags.StringVar(&t.model, "model", "chat", "model to ask for")
	flags.StringVar(&t.key, "key", "", "access key")
	flags.StringVar(&t.tokenFile, "token-file", "", "file of a ServiceAccount token; read again for every call")
	flags.BoolVar(&t.randomKeys, "random-keys", false, "an access key that nobody has, another one for every call")
}

func (t *target) token() (string, error) {
	if t.randomKeys {
		return "sb-" + rand.Text(), nil
	}
	if t.tokenFile == "" {
		return t.key, nil
	}
	raw, err := os.ReadFile(t.tokenFile)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

func runLoad(ctx context.Context, args []string) error {
	job := loadJob{}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	job.target.register(flags)
	flags.IntVar(&job.connections, "connections", 50, "connections held at once")
	flags.IntVar(&job.rate, "rate", 100, "requests begun a second, over all connections")
	flags.DurationVar(&job.duration, "duration", 10*time.Second, "how long new requests are begun; those under way are finished")
	flags.BoolVar(&job.stream, "stream", false, "ask for streams")
	flags.IntVar(&job.maxTokens, "max-tokens", 16, "tokens to ask for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	result, err := job.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
