package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestReadSettings(t *testing.T) {
	got, err := readSettings(`{"completionTokens":3}`)
	if err != nil || got.CompletionTokens != 3 || got.ToolCalls != 1 {
		t.Errorf("got %+v, %v: want 3 tokens and the other defaults", got, err)
	}
	if _, err := readSettings(`{"tokens":3}`); err == nil || !strings.Contains(err.Error(), "unknown field") {
		t.Errorf("unknown field: got %v", err)
	}
}

func TestRunRefuses(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := taken.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, tc := range map[string]struct {
		args []string
		want error
		text string
	}{
		"data address taken":    {[]string{"--addr", taken.Addr().String(), "--control-addr", "127.0.0.1:0"}, syscall.EADDRINUSE, "listening on"},
		"control address taken": {[]string{"--addr", "127.0.0.1:0", "--control-addr", taken.Addr().String()}, syscall.EADDRINUSE, "listening on"},
		"bad settings":          {[]string{"--settings", `{"completionTokens":-1}`}, nil, "completionTokens"},
		"key without cert":      {[]string{"--tls-key", "x"}, nil, "belong together"},
		"help":                  {[]string{"-h"}, flag.ErrHelp, "reading flags"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), tc.args)
			if err == nil || !strings.Contains(err.Error(), tc.text) || (tc.want != nil && !errors.Is(err, tc.want)) {
				t.Errorf("got %v, want %v with %q", err, tc.want, tc.text)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"--addr", "127.0.0.1:0", "--control-addr", "127.0.0.1:0"}); err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
}
