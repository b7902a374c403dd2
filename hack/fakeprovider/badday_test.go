package fakeprovider

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// frozen is a server whose clock stands still, so that no quota fills.
func frozen(t *testing.T, change func(*Settings)) rig {
	t.Helper()
	settings, now := DefaultSettings(), time.Now()
	settings.Models = []string{"*"}
	change(&settings)
	server, err := New(Options{Settings: &settings, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server.Data())
	t.Cleanup(listener.Close)
	return rig{server, t, listener.URL}
}

// Each provider refuses what exceeds the quota in its own words, and says when to come back where it does in life.
func TestQuotaInAllDialects(t *testing.T) {
	wants := map[string]struct{ header, body string }{
		"openai":        {"20", "on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s."},
		"responses":     {"20", "on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s."},
		"groq":          {"20", "in organization `org_fakeprovider` service tier `on_demand` on requests per minute (RPM): Limit 3, Used 3"},
		"openrouter":    {"20", "Rate limit exceeded: limit_rpm/m"},
		"azure":         {"20", "have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 20 seconds."},
		"compatible":    {"", "Rate limit reached for requests"},
		"anthropic":     {"20", `"type":"rate_limit_error"`},
		"gemini":        {"", `"retryDelay": "20s"`},
		"gemini list":   {"", `"retryDelay": "20s"`},
		"vertex":        {"", `"retryDelay": "20s"`},
		"vertex claude": {"", `"retryDelay": "20s"`},
		"converse":      {"", "Too many requests, please wait"},
		"invoke":        {"", "Too many requests, please wait"},
		"cohere":        {"", "You are past the per minute request limit"},
	}
	for name, d := range dialects() {
		t.Run(name, func(t *testing.T) {
			r := frozen(t, func(s *Settings) { s.Quota = &Quota{Requests: 3} })
			for range 3 {
				if status, _, body := r.post(d.plain, d.body, d.headers...); status != http.StatusOK {
					t.Fatalf("within the quota: %d %s", status, body)
				}
			}
			status, header, body := r.post(d.plain, d.body, d.headers...)
			want, known := wants[name]
			if !known || status != http.StatusTooManyRequests || header.Get("Retry-After") != want.header || !strings.Contains(body, want.body) {
				t.Errorf("got %d, Retry-After %q, %s; want %+v", status, header.Get("Retry-After"), body, want)
			}
			if record := r.record(); record.Status != http.StatusTooManyRequests || record.Fault != "" {
				t.Errorf("recorded as %d by %q", record.Status, record.Fault)
			}
		})
	}
}

// A withdrawn model is refused the way each provider refuses one, though all others are served, and is on no list.
func TestWithdrawnInAllDialects(t *testing.T) {
	const deprecated = "The model `m` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations"
	wants := map[string]struct {
		status int
		body   string
	}{
		"openai":        {404, deprecated},
		"responses":     {404, `"code": "model_not_found"`},
		"groq":          {400, `"code": "model_decommissioned"`},
		"openrouter":    {404, `"message": "No endpoints found for m."`},
		"azure":         {404, "DeploymentNotFound"},
		"compatible":    {404, "does not exist"},
		"anthropic":     {404, `"type":"not_found_error"`},
		"gemini":        {404, "NOT_FOUND"},
		"gemini list":   {404, "NOT_FOUND"},
		"vertex":        {404, "NOT_FOUND"},
		"vertex claude": {404, "NOT_FOUND"},
		"converse":      {404, "reached the end of its life"},
		"invoke":        {404, "reached the end of its life"},
		"cohere":        {404, "model 'm' was removed on"},
	}
	for name, d := range dialects() {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *Settings) { s.Withdrawn = []string{"m"} })
			want := wants[name]
			if status, _, body := r.post(d.plain, d.body, d.headers...); status != want.status || !strings.Contains(body, want.body) {
				t.Errorf("got %d %s, want %+v", status, body, want)
			}
			if err := r.SetSettings(func() Settings { s := r.Settings(); s.Withdrawn = nil; return s }()); err != nil {
				t.Fatal(err)
			}
			if status, _, body := r.post(d.plain, d.body, d.headers...); status != http.StatusOK {
				t.Errorf("offered again: %d %s", status, body)
			}
		})
	}
}

func TestWithdrawnModelsAreNotListed(t *testing.T) {
	r := start(t, func(s *Settings) { s.Models, s.Withdrawn = []string{"kept", "gone", "*"}, []string{"gone"} })
	for path, headers := range map[string][]string{
		"/v1/models": {"Authorization", "Bearer sk-test"}, "/openai/v1/models": {"Authorization", "Bearer sk-test"}, "/api/v1/models": nil,
		"/anthropic/v1/models":       {"X-Api-Key", "sk-test", "Anthropic-Version", "2023-06-01"},
		"/gemini/v1beta/models":      {"X-Goog-Api-Key", "sk-test"},
		"/cohere/v1/models":          {"Authorization", "Bearer sk-test"},
		"/compatible/v1/models":      {"Authorization", "Bearer sk-test"},
		"/bedrock/foundation-models": {"Authorization", "Bearer sk-test"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), "kept") || strings.Contains(string(body), "gone") {
			t.Errorf("%s: %d %v %s", path, response.StatusCode, err, body)
		}
	}
}

func TestGroqWithoutCapacity(t *testing.T) {
	r := start(t, nil)
	if err := r.AddFaults(Fault{Kind: FaultStatus, Status: 498}); err != nil {
		t.Fatal(err)
	}
	d := dialects()["groq"]
	if status, _, body := r.post(d.plain, d.body, d.headers...); status != 498 || !strings.Contains(body, `"code": "capacity_exceeded"`) {
		t.Errorf("got %d %s", status, body)
	}
}
