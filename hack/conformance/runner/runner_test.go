package runner

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox.dev/signalbox/hack/conformance/catalogue"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// program makes a client whose program is a shell script in place of the compiled one.
func program(t *testing.T, script string) (Runner, catalogue.Client) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fake"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := Runner{Installed: dir, Logs: dir, Plan: plan.Plan{Upstreams: []plan.Upstream{{Name: "a"}, {Name: "b"}}}, Exceptions: []catalogue.Exception{
		{Checks: []string{"stop"}, Upstreams: []string{"b"}, Refusal: plan.Refusal{Status: 400, Text: "no", Reason: "it cannot"}},
	}}
	return r, catalogue.Client{Name: "c", Runtime: catalogue.Go, File: "fake", Surfaces: []catalogue.Surface{{Name: "chat", Checks: []string{"stop"}}}}
}

func TestRun(t *testing.T) {
	cases := map[string]struct {
		script string
		want   map[string]bool
	}{
		"all is well": {
			`echo noise; for u in a b; do echo '{"client":"c","surface":"chat","check":"stop","upstream":"'$u'","ok":true}'; done`, map[string]bool{"a stop": true, "b stop": true},
		},
		"one is missing": {`echo '{"client":"c","surface":"chat","check":"stop","upstream":"a","ok":true}'`, map[string]bool{"a stop": true, "b stop": false}},
		"it fails at the end": {
			`for u in a b; do echo '{"client":"c","surface":"chat","check":"stop","upstream":"'$u'","ok":true}'; done; exit 3`,
			map[string]bool{"a stop": true, "b stop": true, "a program ends well": false},
		},
		"it prints nonsense": {`echo '{"client": 7'; echo '{"client"'`, map[string]bool{"a stop": false, "b stop": false, "a program ends well": false}},
		"the plan is there":  {`grep -q '"chat/stop"' "$CONFORMANCE_PLAN" && grep -q '"it cannot"' "$CONFORMANCE_PLAN" || exit 1`, map[string]bool{"a stop": false, "b stop": false}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, client := program(t, tc.script)
			got := map[string]bool{}
			for _, result := range r.Run(t.Context(), []catalogue.Client{client}) {
				got[result.Upstream+" "+result.Check] = result.OK
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
			for check, ok := range tc.want {
				if got[check] != ok {
					t.Errorf("%s: got %t, want %t", check, got[check], ok)
				}
			}
		})
	}
}

// TestEachProgramHasAKeyOfItsOwn where there is one; else all have the plan's.
func TestEachProgramHasAKeyOfItsOwn(t *testing.T) {
	cases := map[string]struct {
		keysOf func(string) plan.Keys
		want   string
	}{
		"of its own": {func(client string) plan.Keys { return plan.Keys{Key: "key of " + client} }, `"key": "key of c"`},
		"the plan's": {nil, `"key": "shared"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, client := program(t, "")
			r.Plan.Key, r.KeysOf = "shared", tc.keysOf
			file, err := r.writePlan(client)
			if err != nil {
				t.Fatal(err)
			}
			if written, err := os.ReadFile(file); err != nil || !strings.Contains(string(written), tc.want) {
				t.Errorf("%v, no %s in %s", err, tc.want, written)
			}
		})
	}
}

// TestEnvironment: nothing of the caller's environment sends a library elsewhere, or with another key.
func TestEnvironment(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "http_proxy", "OPENAI_API_KEY", "GROQ_BASE_URL"} {
		t.Setenv(name, "elsewhere")
	}
	t.Setenv("LC_CONFORMANCE", "kept")
	all := strings.Join(environment(), "\n")
	if strings.Contains(all, "elsewhere") || !strings.Contains(all, "LC_CONFORMANCE=kept") {
		t.Errorf("environment:\n%s", all)
	}
}

func TestParseSkipsOtherLines(t *testing.T) {
	results, err := parse(bytes.NewBufferString("warning\n{\"other\":1}\n{\"client\":\"c\",\"milliseconds\":5}\n"))
	if err != nil || len(results) != 1 || results[0].Milliseconds != 5 {
		t.Errorf("%+v, %v", results, err)
	}
}
