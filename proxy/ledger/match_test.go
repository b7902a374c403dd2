package ledger

import (
	"testing"

	"signalbox.dev/signalbox/proxy/table"
)

func TestMatches(t *testing.T) {
	app := Caller{Namespace: "team-a", ServiceAccount: "app"}
	key := Caller{AccessKey: "laptop"}
	callers := func(matches ...table.CallerMatch) table.Budget { return table.Budget{Callers: matches} }
	for name, tc := range map[string]struct {
		budget table.Budget
		route  string
		caller Caller
		want   bool
	}{
		"everything":                          {table.Budget{}, "chat", app, true},
		"route":                               {table.Budget{Routes: []string{"embed", "chat"}}, "chat", key, true},
		"other route":                         {table.Budget{Routes: []string{"embed"}}, "chat", key, false},
		"service account":                     {callers(table.CallerMatch{ServiceAccount: "team-a/app"}), "chat", app, true},
		"service account of other namespace":  {callers(table.CallerMatch{ServiceAccount: "team-b/app"}), "chat", app, false},
		"longer name":                         {callers(table.CallerMatch{ServiceAccount: "team-a/app2"}), "chat", app, false},
		"shifted slash":                       {callers(table.CallerMatch{ServiceAccount: "team/a-app"}), "chat", app, false},
		"namespace":                           {callers(table.CallerMatch{Namespace: "team-a"}), "chat", app, true},
		"other namespace":                     {callers(table.CallerMatch{Namespace: "team-b"}), "chat", app, false},
		"access key":                          {callers(table.CallerMatch{AccessKey: "laptop"}), "chat", key, true},
		"other access key":                    {callers(table.CallerMatch{AccessKey: "desktop"}), "chat", key, false},
		"access key is no service account":    {callers(table.CallerMatch{ServiceAccount: "/laptop"}), "chat", key, false},
		"access key is in no namespace":       {callers(table.CallerMatch{Namespace: "team-a"}), "chat", key, false},
		"service account is no access key":    {callers(table.CallerMatch{AccessKey: "app"}), "chat", app, false},
		"any of several callers":              {callers(table.CallerMatch{AccessKey: "x"}, table.CallerMatch{Namespace: "team-a"}), "chat", app, true},
		"an empty match matches nobody":       {callers(table.CallerMatch{}), "chat", app, false},
		"right caller on the wrong route":     {table.Budget{Routes: []string{"embed"}, Callers: []table.CallerMatch{{Namespace: "team-a"}}}, "chat", app, false},
		"wrong caller on the right route":     {table.Budget{Routes: []string{"chat"}, Callers: []table.CallerMatch{{Namespace: "team-b"}}}, "chat", app, false},
		"right caller and route":              {table.Budget{Routes: []string{"chat"}, Callers: []table.CallerMatch{{Namespace: "team-a"}}}, "chat", app, true},
		"user":                                {callers(table.CallerMatch{User: "corp/a/b"}), "chat", Caller{Issuer: "corp", User: "a/b"}, true},
		"user of another issuer":              {callers(table.CallerMatch{User: "lab/a"}), "chat", Caller{Issuer: "corp", User: "a"}, false},
		"every user of an issuer":             {callers(table.CallerMatch{UserIssuer: "corp"}), "chat", Caller{Issuer: "corp", User: "a"}, true},
		"every user of another issuer":        {callers(table.CallerMatch{UserIssuer: "lab"}), "chat", Caller{Issuer: "corp", User: "a"}, false},
		"no user is of an issuer":             {callers(table.CallerMatch{UserIssuer: "team-a"}), "chat", app, false},
		"user is no service account":          {callers(table.CallerMatch{ServiceAccount: "corp/a"}, table.CallerMatch{Namespace: "corp"}), "chat", Caller{Issuer: "corp", User: "a"}, false},
		"service account is no user":          {callers(table.CallerMatch{User: "team-a/app"}), "chat", app, false},
		"access key is no user":               {callers(table.CallerMatch{User: "/laptop"}), "chat", key, false},
		"nobody is matched by an empty match": {callers(table.CallerMatch{}), "chat", Caller{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Matches(&tc.budget, tc.route, tc.caller); got != tc.want {
				t.Errorf("Matches = %t; want %t", got, tc.want)
			}
		})
	}
}
