package cmd

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManagerRefusesToStartWithoutAGoodConfiguration(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "proxy: {image: example/signalbox:1}")
	cases := map[string]struct {
		args []string
		want string
	}{
		"no file":       {want: "--config is required"},
		"missing file":  {args: []string{"--config", filepath.Join(dir, "none.yaml")}, want: "none.yaml"},
		"unknown field": {args: []string{"--config", write("typo.yaml", "proxy: {image: a, replcas: 3}")}, want: "proxy.replcas"},
		"bad value":     {args: []string{"--config", write("bad.yaml", "proxy: {image: a, replicas: -3}")}, want: "proxy.replicas"},
		"bad flag":      {args: []string{"--config", good, "--log-level", "LOUD"}, want: "LOUD"},
		"no cluster":    {args: []string{"--config", good, "--kubeconfig", filepath.Join(dir, "kubeconfig")}, want: "reading the kubeconfig"},
		"an argument":   {args: []string{"surplus"}, want: "surplus"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			command := NewManager()
			command.SetArgs(tc.args)
			command.SetOut(io.Discard)
			command.SetErr(io.Discard)
			if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
