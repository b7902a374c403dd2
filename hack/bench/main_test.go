package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":          {nil, "say what to measure"},
		"unknown":          {[]string{"speed"}, `"speed" is neither`},
		"few connections":  {[]string{"data", "--connections", "10"}, "connections are 50 at least"},
		"no rounds":        {[]string{"data", "--rounds", "0"}, "must be positive"},
		"no streams":       {[]string{"data", "--full-streams", "0"}, "must be positive"},
		"no outage":        {[]string{"data", "--outage-requests", "0"}, "must be positive"},
		"outage at once":   {[]string{"data", "--outage-every", "0s"}, "must be positive"},
		"unknown flag":     {[]string{"data", "--fast"}, "reading flags"},
		"no endpoint":      {[]string{"control"}, `endpoint "" is not a URL`},
		"sizes not number": {[]string{"control", "--sizes", "ten", "--endpoint", "http://x"}, "reading sizes"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), tc.args); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bin", "x.json")
	if err := writeJSON(file, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Clean(file))
	var got map[string]int
	if err != nil || json.Unmarshal(data, &got) != nil || got["a"] != 1 {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestFreeAddrsDiffer(t *testing.T) {
	addrs, err := freeAddrs(t.Context(), 4)
	seen := map[string]bool{}
	for _, addr := range addrs {
		seen[addr] = true
	}
	if err != nil || len(seen) != 4 {
		t.Errorf("got %v, %v", addrs, err)
	}
}
