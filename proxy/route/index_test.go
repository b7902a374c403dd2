package route

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/table"
)

func routeNamed(name string, age time.Duration, models ...string) table.Route {
	return table.Route{
		Object:  table.Object{Name: name},
		Models:  models,
		Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-age),
	}
}

func TestLookup(t *testing.T) {
	cases := map[string]struct {
		routes []table.Route
		model  string
		want   string
	}{
		"exact": {
			routes: []table.Route{routeNamed("a", 0, "chat")}, model: "chat", want: "a",
		},
		"unknown": {
			routes: []table.Route{routeNamed("a", 0, "chat")}, model: "chat2", want: "",
		},
		"no routes": {model: "chat", want: ""},
		"exact beats pattern of an older route": {
			routes: []table.Route{routeNamed("old", time.Hour, "groq/*"), routeNamed("young", 0, "groq/llama")},
			model:  "groq/llama", want: "young",
		},
		"longer pattern beats shorter one of an older route": {
			routes: []table.Route{routeNamed("old", time.Hour, "g*"), routeNamed("young", 0, "groq/*")},
			model:  "groq/llama", want: "young",
		},
		"shorter pattern takes the rest": {
			routes: []table.Route{routeNamed("old", time.Hour, "g*"), routeNamed("young", 0, "groq/*")},
			model:  "gpt", want: "old",
		},
		"bare wildcard takes everything": {
			routes: []table.Route{routeNamed("all", 0, "*"), routeNamed("one", 0, "chat")},
			model:  "whatever/else:8b", want: "all",
		},
		"older route wins an equal pattern": {
			routes: []table.Route{routeNamed("a-young", 0, "groq/*"), routeNamed("b-old", time.Hour, "groq/*")},
			model:  "groq/x", want: "b-old",
		},
		"older route wins an equal name": {
			routes: []table.Route{routeNamed("a-young", 0, "chat"), routeNamed("b-old", time.Hour, "chat")},
			model:  "chat", want: "b-old",
		},
		"name decides between equals": {
			routes: []table.Route{routeNamed("b", 0, "chat"), routeNamed("a", 0, "chat")},
			model:  "chat", want: "a",
		},
		"pattern matches its own prefix": {
			routes: []table.Route{routeNamed("a", 0, "groq/*")}, model: "groq/", want: "a",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, ok := NewIndex(&table.Table{Routes: tc.routes}).Lookup(tc.model)
			got := ""
			if ok {
				got = r.Name
			}
			if got != tc.want {
				t.Errorf("Lookup(%q) = %q, want %q", tc.model, got, tc.want)
			}
		})
	}
}

func TestModels(t *testing.T) {
	index := NewIndex(&table.Table{Routes: []table.Route{
		routeNamed("open", time.Hour, "chat", "groq/*"),
		routeNamed("closed", 0, "secret"),
		routeNamed("younger", 0, "groq/*", "zeta"),
	}})
	type entry struct {
		Name, Route string
		Pattern     bool
	}
	var got []entry
	for _, m := range index.Models(func(r *table.Route) bool { return r.Name != "closed" }) {
		got = append(got, entry{m.Name, m.Route.Name, m.IsPattern()})
	}
	want := []entry{{"chat", "open", false}, {"groq/*", "open", true}, {"zeta", "younger", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Models (-want +got):\n%s", diff)
	}
}
