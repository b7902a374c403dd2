package keyprovision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/keyprovision/management"
	"signalbox.dev/signalbox/controllers/keyprovision/openai"
	"signalbox.dev/signalbox/controllers/keyprovision/openrouter"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/endpoint"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

const adminKey = "sk-admin-key"

type facts struct{}

func (facts) Facts() (apiserver.Facts, bool) { return apiserver.Facts{}, true }

// opened opens the management API of a test server, as the manager does.
func opened(t *testing.T, handler http.HandlerFunc, change func(*v1alpha1.ProviderCredential)) management.Keys {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := credential()
	c.Spec.Endpoint = server.URL
	if change != nil {
		change(c)
	}
	config := &platform.Config{Endpoints: platform.Endpoints{AllowCIDRs: []string{"127.0.0.0/8"}}}
	keys, closing, err := Opener{Config: config, Facts: facts{}, Providers: registry.Default()}.Open(c, adminKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closing)
	return keys
}

func atOpenAI(c *v1alpha1.ProviderCredential) {
	c.Spec.Provider = v1alpha1.ProviderOpenAI
	c.Spec.Rotation.Provision = &v1alpha1.KeyProvision{
		Every: &metav1.Duration{Duration: every}, OpenAI: &v1alpha1.OpenAIProvision{Project: "proj_abc", AdminKeyRef: v1alpha1.SecretKeyReference{Name: managementSecret, Key: dataKey}},
	}
}

// The calls are those of the vendors' own documentation and libraries, and both APIs are below the credential's endpoint.
func TestCalls(t *testing.T) {
	cases := map[string]struct {
		change func(*v1alpha1.ProviderCredential)
		answer string
		do     func(context.Context, management.Keys) error
		want   string
	}{
		"OpenRouter makes": {
			answer: `{"data":{"hash":"f01d","name":"a-1"},"key":"sk-or-v1-x"}`, do: create1, want: `POST /api/v1/keys {"name":"a-1"}`,
		},
		"OpenRouter makes with a limit": {
			change: func(c *v1alpha1.ProviderCredential) { c.Spec.Rotation.Provision.OpenRouter.Limit = "007.50" },
			answer: `{"data":{"hash":"f01d","name":"a-1"},"key":"sk-or-v1-x"}`, do: create1, want: `POST /api/v1/keys {"name":"a-1","limit":7.50}`,
		},
		"OpenRouter deletes": {
			answer: `{"deleted":true}`, do: delete1, want: "DELETE /api/v1/keys/f01d ",
		},
		"OpenAI makes": {
			change: atOpenAI, answer: `{"id":"user-1","api_key":{"value":"sk-svcacct-x"}}`, do: create1, want: `POST /v1/organization/projects/proj_abc/service_accounts {"name":"a-1"}`,
		},
		"OpenAI deletes": {
			change: atOpenAI, answer: `{"deleted":true}`, do: delete1, want: "DELETE /v1/organization/projects/proj_abc/service_accounts/f01d ",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got string
			keys := opened(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := readAll(r)
				got = r.Method + " " + r.URL.RequestURI() + " " + body
				if r.Header.Get("Authorization") != "Bearer "+adminKey {
					t.Errorf("the call is authorized with %q", r.Header.Get("Authorization"))
				}
				_, _ = w.Write([]byte(tc.answer))
			}, tc.change)
			if err := tc.do(t.Context(), keys); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func create1(ctx context.Context, keys management.Keys) error {
	made, err := keys.Create(ctx, "a-1")
	if err == nil && (made.ID == "" || !strings.HasPrefix(made.Value, "sk-")) {
		return fmt.Errorf("made %v", made.ID)
	}
	return err
}

func delete1(ctx context.Context, keys management.Keys) error { return keys.Delete(ctx, "f01d") }

func readAll(r *http.Request) (string, error) {
	var body json.RawMessage
	err := json.NewDecoder(r.Body).Decode(&body)
	return string(body), err
}

// Lists are read over all their pages, and only keys with our prefix are kept.
func TestPages(t *testing.T) {
	names := make([]string, 250)
	for i := range names {
		names[i] = "somebody-else-" + strconv.Itoa(i)
	}
	names[3], names[120], names[249] = "ours-1", "ours-2", "ours-3"
	names[130] = "not-ours-1"
	want := []management.Key{{ID: "id3", Name: "ours-1"}, {ID: "id120", Name: "ours-2"}, {ID: "id249", Name: "ours-3"}}
	page := func(from int, id string) []map[string]string {
		rows := []map[string]string{}
		for i := from; i < min(from+100, len(names)); i++ {
			rows = append(rows, map[string]string{id: "id" + strconv.Itoa(i), "name": names[i]})
		}
		return rows
	}
	cases := map[string]struct {
		change func(*v1alpha1.ProviderCredential)
		serve  func(*http.Request) any
	}{
		"OpenRouter": {serve: func(r *http.Request) any {
			offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
			return map[string]any{"data": page(offset, "hash")}
		}},
		"OpenAI": {change: atOpenAI, serve: func(r *http.Request) any {
			from := 0
			if after := r.URL.Query().Get("after"); after != "" {
				last, _ := strconv.Atoi(strings.TrimPrefix(after, "id"))
				from = last + 1
			}
			return map[string]any{"data": page(from, "id"), "has_more": from+100 < len(names)}
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			keys := opened(t, func(w http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(w).Encode(tc.serve(r)) }, tc.change)
			got, err := keys.List(t.Context(), "ours-")
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

// What is no list of keys is never taken for an empty one, or for the whole: keys that are not in it would be left behind.
func TestLists(t *testing.T) {
	filler := func(from int) string {
		var rows []string
		for i := from; i < from+100; i++ {
			rows = append(rows, fmt.Sprintf(`{"hash":"h%d","id":"h%d","name":"x"}`, i, i))
		}
		return strings.Join(rows, ",")
	}
	ours := `{"hash":"a","id":"a","name":"ours-1"}`
	one := []management.Key{{ID: "a", Name: "ours-1"}}
	cases := map[string]struct {
		openAI bool
		// answer to the call with a number, from 0.
		answer func(call int) string
		want   []management.Key
		// fails is a part of the error; empty for none.
		fails string
		calls int
	}{
		"OpenRouter, empty":                  {answer: always(`{"data":[]}`), calls: 1},
		"OpenRouter, null":                   {answer: always(`{"data":null}`), calls: 1},
		"OpenRouter, no list":                {answer: always(`{}`), fails: "no list", calls: 1},
		"OpenRouter, an error inside a 200":  {answer: always(`{"error":{"code":500}}`), fails: "no list", calls: 1},
		"OpenRouter, a list of another kind": {answer: always(`{"data":"none"}`), fails: "JSON", calls: 1},
		"OpenRouter, cut":                    {answer: always(`{"data":[` + ours), fails: "JSON", calls: 1},
		"OpenRouter, the same page again":    {answer: always(`{"data":[` + ours + `]}`), want: one, calls: 2},
		"OpenRouter, an id that is none":     {answer: always(`{"data":[{"hash":"../a","name":"ours-1"}]}`), fails: "delete that key by hand", calls: 1},
		"OpenRouter, no ids":                 {answer: always(`{"data":[{"name":"x"},{"name":"ours-1"}]}`), fails: "delete that key by hand", calls: 1},
		"OpenRouter, no end":                 {answer: func(call int) string { return `{"data":[` + filler(100*call) + `]}` }, fails: "more than 5000", calls: 50},
		"OpenAI, empty":                      {openAI: true, answer: always(`{"data":[],"has_more":false}`), calls: 1},
		"OpenAI, no list":                    {openAI: true, answer: always(`{"object":"list"}`), fails: "no list", calls: 1},
		"OpenAI, more of nothing":            {openAI: true, answer: always(`{"data":[],"has_more":true}`), fails: "circles", calls: 1},
		"OpenAI, the same page again":        {openAI: true, answer: always(`{"data":[` + ours + `],"has_more":true}`), fails: "circles", calls: 2},
		"OpenAI, no end":                     {openAI: true, answer: func(call int) string { return `{"has_more":true,"data":[` + filler(100*call) + `]}` }, fails: "more than 5000", calls: 50},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			calls := 0
			change := func(*v1alpha1.ProviderCredential) {}
			if tc.openAI {
				change = atOpenAI
			}
			keys := opened(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(tc.answer(calls)))
				calls++
			}, change)
			got, err := keys.List(t.Context(), "ours-")
			if diff := cmp.Diff(tc.want, got); diff != "" || (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%v; %s", err, diff)
			}
			if _, known := problemOf(err); err != nil && !known {
				t.Errorf("nobody is told of %v", err)
			}
			if calls != tc.calls {
				t.Errorf("%d calls, want %d", calls, tc.calls)
			}
		})
	}
}

func always(answer string) func(int) string { return func(int) string { return answer } }

// What an answer says about a key that was to be made: made, not made, or nobody knows. No error repeats the answer, which may hold a key.
func TestAnswersOfCreate(t *testing.T) {
	const secret = "sk-or-v1-secret"
	cases := map[string]struct {
		status   int
		body     string
		nothing  bool
		contains string
	}{
		"refused":               {http.StatusUnauthorized, `{"error":"` + secret + `"}`, true, "management key (401)"},
		"forbidden":             {http.StatusForbidden, secret, true, "right to manage keys"},
		"limit reached":         {http.StatusBadRequest, secret, true, "number of keys"},
		"too many calls":        {http.StatusTooManyRequests, secret, true, "later"},
		"redirect":              {http.StatusTemporaryRedirect, secret, true, "307"},
		"request timeout":       {http.StatusRequestTimeout, secret, false, "408"},
		"server error":          {http.StatusInternalServerError, secret, false, "500"},
		"no JSON":               {http.StatusOK, secret, false, "JSON"},
		"no key":                {http.StatusOK, `{"data":{"hash":"f01d"}}`, false, "missing"},
		"no id":                 {http.StatusOK, `{"key":"` + secret + `"}`, false, "missing"},
		"id is a path":          {http.StatusOK, `{"data":{"hash":"../x"},"key":"` + secret + `"}`, false, "cannot be one"},
		"id is dots":            {http.StatusOK, `{"data":{"hash":".."},"key":"` + secret + `"}`, false, "cannot be one"},
		"id is the key":         {http.StatusOK, `{"data":{"hash":"` + secret + `"},"key":"` + secret + `"}`, false, "cannot be one"},
		"key with a line break": {http.StatusOK, `{"data":{"hash":"f01d"},"key":"` + secret + `\n"}`, false, "cannot be one"},
		"too long":              {http.StatusOK, `{"pad":"` + strings.Repeat("x", 300<<10) + `"}`, false, "too long"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			keys := opened(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.Header().Set("Retry-After", "120")
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}, nil)
			_, err := keys.Create(t.Context(), "a-1")
			if err == nil || management.NothingDone(err) != tc.nothing {
				t.Fatalf("nothing done is %t, want %t: %v", management.NothingDone(err), tc.nothing, err)
			}
			if !strings.Contains(err.Error(), tc.contains) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), adminKey) {
				t.Errorf("the error is %q, want %q in it and no key", err, tc.contains)
			}
			found, known := problemOf(err)
			if !known || tc.status == http.StatusTooManyRequests && found.after != 2*time.Minute {
				t.Errorf("the problem is %v, %t", found, known)
			}
		})
	}
}

// A provider that cannot be reached made nothing; one that hangs up in the middle may have.
func TestBrokenCalls(t *testing.T) {
	hangsUp := opened(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	if _, err := hangsUp.Create(t.Context(), "a-1"); err == nil || management.NothingDone(err) {
		t.Errorf("a call that broke off is told as undone: %v", err)
	}
	away := opened(t, func(http.ResponseWriter, *http.Request) {}, func(c *v1alpha1.ProviderCredential) { c.Spec.Endpoint = "http://127.0.0.1:1" })
	if _, err := away.Create(t.Context(), "a-1"); !management.NothingDone(err) {
		t.Errorf("a call that was never sent is told as unclear: %v", err)
	}
	if err := hangsUp.Delete(t.Context(), "f01d"); err == nil {
		t.Error("a deletion that broke off is told as done")
	}
	gone := opened(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, nil)
	if err := gone.Delete(t.Context(), "f01d"); err != nil {
		t.Errorf("a key that is gone cannot be deleted: %v", err)
	}
}

// The management key goes where probes may go and nowhere else.
func TestEndpointRules(t *testing.T) {
	opener := Opener{Config: &platform.Config{}, Facts: facts{}, Providers: registry.Default()}
	for address, denied := range map[string]bool{"http://127.0.0.1:9": true, "http://169.254.169.254": true, "http://10.0.0.1": true, "": false} {
		c := credential()
		c.Spec.Endpoint = address
		_, closing, err := opener.Open(c, adminKey)
		if endpoint.IsDenied(err) != denied {
			t.Errorf("%q: denied %t, want %t: %v", address, endpoint.IsDenied(err), denied, err)
		}
		if err == nil {
			closing()
		}
	}
}

// No answer makes a client panic, or yields an id that is unfit for a path or a key that cannot be sent.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"data":{"hash":"f01d","name":"a-1"},"key":"sk-or-v1-x"}`))
	f.Add([]byte(`{"id":"user-1","api_key":{"value":"sk-svcacct-x"},"data":[{"id":"a","hash":"b","name":"ours-1"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		calls := 0
		transport := roundTrip(func(*http.Request) (*http.Response, error) {
			calls++
			recorder := httptest.NewRecorder()
			if calls == 1 {
				_, _ = recorder.Write(body)
			} else {
				_, _ = recorder.WriteString(`{"data":[]}`)
			}
			return recorder.Result(), nil
		})
		for _, keys := range clients(transport) {
			calls = 0
			listed, _ := keys.List(t.Context(), "ours-")
			for _, key := range listed {
				if !management.IsID(key.ID) || !strings.HasPrefix(key.Name, "ours-") {
					t.Fatalf("%q was listed", key)
				}
			}
			calls = 0
			if made, err := keys.Create(t.Context(), "ours-1"); err == nil {
				if !management.IsID(made.ID) || made.Value == "" || strings.ContainsAny(made.Value, " \r\n\x00") || strings.Contains(made.ID, made.Value) {
					t.Fatalf("%q was made", made)
				}
			}
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// clients are the clients of all providers over a transport.
func clients(transport http.RoundTripper) []management.Keys {
	client := management.Client{Transport: transport, Key: adminKey, Address: func(path string) (*url.URL, error) { return url.Parse("http://provider.test" + path) }}
	return []management.Keys{openrouter.Keys{Client: client}, openai.Keys{Client: client, Project: "proj_abc"}}
}

// resumed is the context of a process that was stopped and goes on: its timer has not run yet.
type resumed struct {
	context.Context
	deadline time.Time
}

func (r resumed) Deadline() (time.Time, bool) { return r.deadline, true }

// A process that goes on after it was stopped does not begin a call whose time is over, not even over a connection that was open already.
func TestNothingBegunLate(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.ProviderCredential){"OpenRouter": nil, "OpenAI": atOpenAI} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			keys := opened(t, func(w http.ResponseWriter, r *http.Request) {
				calls = append(calls, r.Method)
				_, _ = w.Write([]byte(`{"data":[],"id":"a","api_key":{"value":"sk-x"}}`))
			}, change)
			if _, err := keys.List(t.Context(), "ours-"); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.Create(resumed{t.Context(), time.Now().Add(-time.Minute)}, "ours-1"); !management.NothingDone(err) {
				t.Errorf("the error is %v, want one that says that nothing was done", err)
			}
			if diff := cmp.Diff([]string{"GET"}, slices.Compact(calls)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One that was stopped after it began, while it connected, does not send what makes it a call.
func TestNothingSentLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-time.NewTimer(time.Minute).C
			sent, err := io.ReadAll(r.Body)
			again, failed := r.GetBody()
			if failed != nil {
				t.Fatal(failed)
			}
			sentAgain, errAgain := io.ReadAll(again)
			if len(sent)+len(sentAgain) > 0 || err == nil || errAgain == nil {
				t.Errorf("sent was %q, and then %q", sent, sentAgain)
			}
			return nil, err
		})
		for _, keys := range clients(transport) {
			_, err := keys.Create(resumed{t.Context(), time.Now().Add(20 * time.Second)}, "ours-1")
			if err == nil || management.NothingDone(err) {
				t.Errorf("the error is %v, want one that leaves it open", err)
			}
		}
	})
}

// A call that is given up is taken from the network too: its connection is reset rather than closed, which would have the kernel go on sending.
func TestGivenUpCallIsReset(t *testing.T) {
	ctx, giveUp := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	keys := opened(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			ended <- err
			return
		}
		defer func() { _ = connection.Close() }()
		giveUp()
		_, err = connection.Read(make([]byte, 1))
		ended <- err
	}, nil)
	if _, err := keys.Create(ctx, "ours-1"); err == nil {
		t.Fatal("a call without an answer succeeded")
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v, want a reset", err)
	}
}
