package catalogue

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

func names() []string {
	var all []string
	for _, u := range Upstreams() {
		all = append(all, u.Name)
	}
	return all
}

func TestUpstreams(t *testing.T) {
	ids := map[string]string{}
	seen := map[string]bool{}
	for _, u := range Upstreams() {
		if seen[u.Name] || u.Name == "" || u.Provider == "" || u.Path == "" {
			t.Errorf("%+v: the name comes twice, or something is missing", u)
		}
		seen[u.Name] = true
		for _, purpose := range []string{plan.Chat, plan.Busy, plan.Stall, plan.Broken, plan.Picky, plan.Reason} {
			id := u.Models[purpose]
			if id == "" || ids[id] != "" {
				t.Errorf("%s: the model %q for %s is missing, or %s has it too: faults are chosen by it", u.Name, id, purpose, ids[id])
			}
			ids[id] = u.Name
		}
	}
}

func TestClients(t *testing.T) {
	folders := map[Runtime]string{PythonSDK: "python", PythonFrameworks: "python", Node: "node", Go: "go"}
	seen := map[string]bool{}
	for _, c := range append(Clients(), RealModel()) {
		if seen[c.Name] {
			t.Errorf("%s comes twice", c.Name)
		}
		seen[c.Name] = true
		if _, err := os.Stat(filepath.Join("..", "clients", folders[c.Runtime], c.File)); err != nil {
			t.Errorf("%s has no program: %v", c.Name, err)
		}
		for _, s := range c.Surfaces {
			sorted := slices.Sorted(slices.Values(s.Checks))
			if len(sorted) == 0 || len(slices.Compact(sorted)) != len(s.Checks) {
				t.Errorf("%s, %s: there are no checks, or one comes twice", c.Name, s.Name)
			}
			for _, u := range s.Upstreams {
				if !slices.Contains(names(), u) {
					t.Errorf("%s, %s: there is no upstream %s", c.Name, s.Name, u)
				}
			}
		}
	}
}

// TestExceptionsAreNeeded: each is about a check that some client makes, and says how it fails and why.
func TestExceptionsAreNeeded(t *testing.T) {
	for _, e := range Exceptions() {
		used := false
		for _, c := range Clients() {
			for _, s := range c.Surfaces {
				for _, check := range s.Checks {
					for _, u := range names() {
						if _, ok := RefusalOf([]Exception{e}, c.Name, s.Name, check, u); ok && s.Serves(u) {
							used = true
						}
					}
				}
			}
		}
		if !used || e.Status == 0 || e.Text == "" || e.Reason == "" {
			t.Errorf("%+v: no check is meant, or status, text or reason is missing", e)
		}
	}
}

func TestRefusalOf(t *testing.T) {
	exceptions := []Exception{
		{Surfaces: []string{"chat"}, Checks: []string{"stop"}, Upstreams: []string{"a", "b"}, Refusal: plan.Refusal{Reason: "first"}},
		{Clients: []string{"x"}, Refusal: plan.Refusal{Reason: "second"}},
	}
	cases := map[string]struct {
		client, surface, check, upstream, want string
	}{
		"all of it":        {"y", "chat", "stop", "b", "first"},
		"the first counts": {"x", "chat", "stop", "a", "first"},
		"another upstream": {"y", "chat", "stop", "c", ""},
		"another surface":  {"y", "responses", "stop", "a", ""},
		"another check":    {"y", "chat", "plain", "a", ""},
		"a whole client":   {"x", "responses", "plain", "c", "second"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := RefusalOf(exceptions, tc.client, tc.surface, tc.check, tc.upstream)
			if got.Reason != tc.want || ok != (tc.want != "") {
				t.Errorf("got %q, %t, want %q", got.Reason, ok, tc.want)
			}
		})
	}
}

// TestDirect: what is for the proxy only is not tried against the fakes, and all else is.
func TestDirect(t *testing.T) {
	all := []Client{{Name: "c", Surfaces: []Surface{{Name: "chat"}, {Name: "routing", ProxyOnly: true}, {Name: "models"}}}}
	direct := Direct(all)
	if len(direct[0].Surfaces) != 2 || direct[0].Surfaces[0].Name != "chat" || direct[0].Surfaces[1].Name != "models" {
		t.Errorf("directly: %+v", direct[0].Surfaces)
	}
	if len(all[0].Surfaces) != 3 {
		t.Errorf("the catalogue itself has changed: %+v", all[0].Surfaces)
	}
}
