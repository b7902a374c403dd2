package cmd

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/usage"
)

func TestInstant(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "90m": now.Add(-90 * time.Minute), "7d": now.AddDate(0, 0, -7), "2w": now.AddDate(0, 0, -14), "0d": now,
		"2026-11-01": time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), "2026-11-01T02:00:00+01:00": time.Date(2026, 11, 1, 1, 0, 0, 0, time.UTC),
	} {
		got, err := instant(text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("instant(%q) = %s, %v, want %s", text, got, err, want)
		}
	}
	for _, bad := range []string{"7", "-1h", "1y", "99999d", "yesterday", "2026-13-01"} {
		if got, err := instant(bad, now); err == nil {
			t.Errorf("instant(%q) = %s, want an error", bad, got)
		}
	}
}

// usageProxy answers as a proxy does and keeps what it was asked.
func usageProxy(t *testing.T) (address string, asked *http.Request) {
	t.Helper()
	asked = &http.Request{}
	summary := &usage.Summary{
		By: []usage.Dimension{"caller", "tag:team"}, From: time.Now(),
		Rows: []usage.Row{
			{Values: []string{"accesskey:app", "=1+1"}, Sums: usage.Sums{Requests: 2, Failed: 1, Prompt: 10, Completion: 5, Cost: 1_500_000_000}},
			{Values: []string{"accesskey:other", ""}, Sums: usage.Sums{Requests: 1, Estimated: 1, Cost: 1}},
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r
		if r.Header.Get("Authorization") != "Bearer the-key" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(usage.AppendSummary(nil, summary))
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

func TestUsageOfAProxy(t *testing.T) {
	address, asked := usageProxy(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("the-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		arguments []string
		want      string
	}{
		"table": {want: "" +
			"CALLER           TAG:TEAM  REQUESTS  FAILED  ESTIMATED  UNPRICED  PROMPT  CACHED  COMPLETION  REASONING  COST USD\n" +
			"accesskey:app    =1+1      2         1       0          0         10      0       5           0          1.5\n" +
			"accesskey:other  -         1         0       1          0         0       0       0           0          0.000000001\n" +
			"TOTAL                      3         1       1          0         10      0       5           0          1.500000001\n"},
		"csv": {arguments: []string{"-o", "csv"}, want: "" +
			"caller,tag:team,requests,failed,estimated,unpriced,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,cost_nanodollars,cost_usd\n" +
			"accesskey:app,'=1+1,2,1,0,0,10,0,5,0,1500000000,1.5\n" +
			"accesskey:other,,1,0,1,0,0,0,0,0,1,0.000000001\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, problems, err := runUsage(t, append(tc.arguments, "--proxy", address, "--token-file", key, "--by", "caller,tag:team", "--since", "7d")...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if !strings.Contains(problems, "remembers calls since") {
				t.Errorf("it does not say that older calls are missing: %q", problems)
			}
		})
	}
	checkUsageQuery(t, asked.URL)
	out, _, err := runUsage(t, "--proxy", address, "--token-file", key, "-o", "json")
	if err != nil || !strings.HasPrefix(out, `{"schema":"signalbox.dev/usage-summary/v1",`) {
		t.Errorf("as JSON it prints %q, %v", out, err)
	}
}

// checkUsageQuery looks at what a proxy was asked for the last seven days.
func checkUsageQuery(t *testing.T, asked *url.URL) {
	t.Helper()
	query := asked.Query()
	since, err := time.Parse(time.RFC3339Nano, query.Get("since"))
	if asked.Path != "/v1/usage" || query.Get("by") != "caller,tag:team" || err != nil || time.Since(since) < 7*24*time.Hour || query.Has("until") {
		t.Errorf("it asked for %s", asked)
	}
}

func TestUsageMistakes(t *testing.T) {
	address, _ := usageProxy(t)
	t.Setenv(tokenVariable, "wrong")
	t.Setenv(postgresURLVariable, "")
	for name, tc := range map[string]struct {
		arguments []string
		want      string
	}{
		"nowhere":            {want: "name a database"},
		"dimension":          {arguments: []string{"--by", "colour"}, want: "cannot be added up"},
		"twice":              {arguments: []string{"--by", "model,model"}, want: "twice"},
		"since":              {arguments: []string{"--since", "soon"}, want: "--since"},
		"until":              {arguments: []string{"--until", "soon"}, want: "--until"},
		"output":             {arguments: []string{"-o", "xml"}, want: "--output"},
		"proxy and database": {arguments: []string{"--proxy", address, "-n", "team-a"}, want: "for the database"},
		"proxy":              {arguments: []string{"--proxy", "signalbox"}, want: "--proxy is not"},
		"token":              {arguments: []string{"--proxy", address}, want: "401"},
		"database":           {arguments: []string{"--postgres-url", "mysql://a:hidden@b/c"}, want: "postgres://USER"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := runUsage(t, tc.arguments...)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("it returned %v, want %q", err, tc.want)
			}
		})
	}
}

func runUsage(t *testing.T, arguments ...string) (out, problems string, err error) {
	t.Helper()
	command := NewUsage()
	var stdout, stderr bytes.Buffer
	command.SetOut(&stdout)
	command.SetErr(&stderr)
	command.SetArgs(arguments)
	command.SilenceUsage, command.SilenceErrors = true, true
	err = command.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}
