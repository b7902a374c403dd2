package oidc_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-logr/logr"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/controllers/apiserver"
	"signalbox.dev/signalbox/controllers/oidc"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/identity"
)

// facts play what is known of the API server.
type facts struct{ issuer string }

func (f facts) Facts() (apiserver.Facts, bool) { return apiserver.Facts{Issuer: f.issuer}, true }

// world is an issuer behind TLS, and who asks it.
type world struct {
	issuer  *platform.OIDCIssuer
	config  *platform.Config
	server  *httptest.Server
	answers map[string]http.HandlerFunc
}

func text(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{answers: map[string]http.HandlerFunc{}, config: &platform.Config{Endpoints: platform.Endpoints{AllowCIDRs: []string{"127.0.0.0/8"}}}}
	w.server = httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if answer, ok := w.answers[r.URL.Path]; ok {
			answer(out, r)
			return
		}
		http.NotFound(out, r)
	}))
	t.Cleanup(w.server.Close)
	authorities := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
	if err := os.WriteFile(authorities, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	w.issuer = &platform.OIDCIssuer{Name: "corp", URL: w.server.URL + "/realms/main", CAFile: authorities}
	w.answers["/realms/main/.well-known/openid-configuration"] = text(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, w.issuer.URL, w.server.URL+"/keys"))
	w.answers["/keys"] = text(string(keySet(t, jose.JSONWebKey{KeyID: "k1", Key: ecKey(t).Public()})))
	return w
}

func (w *world) ask(t *testing.T) ([]byte, error) {
	t.Helper()
	return oidc.Asker{Config: w.config, Facts: facts{}}.Keys(t.Context(), w.issuer)
}

func TestKeysAreDiscovered(t *testing.T) {
	w := newWorld(t)
	got, err := w.ask(t)
	if err != nil || names(t, got) != "k1" {
		t.Errorf("keys are %s, %v", got, err)
	}
}

// TestKeysAreRefused lists what an issuer can do wrong, by mistake or not. No error repeats what it said.
func TestKeysAreRefused(t *testing.T) {
	const configuration = "/realms/main/.well-known/openid-configuration"
	for name, spoil := range map[string]func(*world){
		"another issuer": func(w *world) {
			w.answers[configuration] = text(fmt.Sprintf(`{"issuer":"https://secret.example","jwks_uri":%q}`, w.server.URL+"/keys"))
		},
		"nearly the same": func(w *world) {
			w.answers[configuration] = text(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, w.issuer.URL+"/", w.server.URL+"/keys"))
		},
		"no configuration": func(w *world) { delete(w.answers, configuration) },
		"no JSON":          func(w *world) { w.answers[configuration] = text("secret") },
		"keys in the clear": func(w *world) {
			w.answers[configuration] = text(fmt.Sprintf(`{"issuer":%q,"jwks_uri":"http://secret.example/keys"}`, w.issuer.URL))
		},
		"keys with a password": func(w *world) {
			w.answers[configuration] = text(fmt.Sprintf(`{"issuer":%q,"jwks_uri":"https://a:secret@127.0.0.1/keys"}`, w.issuer.URL))
		},
		"keys of the metadata": func(w *world) {
			w.answers[configuration] = text(fmt.Sprintf(`{"issuer":%q,"jwks_uri":"https://169.254.169.254/keys"}`, w.issuer.URL))
		},
		"no keys":            func(w *world) { delete(w.answers, "/keys") },
		"keys that are none": func(w *world) { w.answers["/keys"] = text(`{"keys":["secret"]}`) },
		"a redirect": func(w *world) {
			w.answers["/keys"] = func(out http.ResponseWriter, r *http.Request) {
				http.Redirect(out, r, "/realms/main/.well-known/openid-configuration", http.StatusFound)
			}
		},
		"a long answer":         func(w *world) { w.answers["/keys"] = text(strings.Repeat(" ", 600<<10) + `{"keys":[]}`) },
		"a long configuration":  func(w *world) { w.answers[configuration] = text(strings.Repeat(" ", 65<<10)) },
		"authorities of others": func(w *world) { w.issuer.CAFile = "" },
		"no authorities":        func(w *world) { w.issuer.CAFile += ".gone" },
		"a closed address":      func(w *world) { w.config.Endpoints.AllowCIDRs = nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spoil(w)
			got, err := w.ask(t)
			if err == nil || got != nil {
				t.Fatalf("keys are %s", got)
			}
			if strings.Contains(err.Error(), "secret") && !strings.Contains(name, "clear") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestReplacedAuthoritiesAreTakenUp asks again after the file with the authorities was replaced, as a mounted one is.
func TestReplacedAuthoritiesAreTakenUp(t *testing.T) {
	w := newWorld(t)
	authorities := filepath.Join(t.TempDir(), "ca.pem")
	w.issuer.CAFile = authorities
	asker := oidc.Asker{Config: w.config, Facts: facts{}}
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
	for i, content := range [][]byte{[]byte("no certificate"), good} {
		if err := os.WriteFile(authorities, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := asker.Keys(t.Context(), w.issuer); (err == nil) != (i == 1) {
			t.Errorf("with %q: %v", content, err)
		}
	}
}

// turnstile is a clock that tells when somebody begins to wait.
type turnstile struct {
	*testclock.FakeClock
	waits chan time.Duration
}

func (c turnstile) After(d time.Duration) <-chan time.Time {
	fires := c.FakeClock.After(d)
	c.waits <- d
	return fires
}

func newWatcher(clock clock.Clock, ask oidc.Ask, issuers ...platform.OIDCIssuer) *oidc.Watcher {
	return oidc.NewWatcher(oidc.Options{Issuers: issuers, Ask: ask, Facts: facts{issuer: "https://cluster"}, Clock: clock, Log: logr.Discard()})
}

// run starts a watcher and ends it with the test.
func run(t *testing.T, w *oidc.Watcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestKeysOutliveTheirIssuer follows an issuer over an outage and a change of its keys.
func TestKeysOutliveTheirIssuer(t *testing.T) {
	var answer atomic.Pointer[string]
	say := func(keys string) { answer.Store(&keys) }
	say("k1")
	ask := func(context.Context, *platform.OIDCIssuer) ([]byte, error) {
		if keys := *answer.Load(); keys != "" {
			return []byte(keys), nil
		}
		return nil, errors.New("away")
	}
	clock := turnstile{testclock.NewFakeClock(time.Now()), make(chan time.Duration, 10)}
	w := newWatcher(clock, ask, platform.OIDCIssuer{Name: "corp", URL: "https://corp"})
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	var told atomic.Int32
	if err := w.Source(func(context.Context) []reconcile.Request { told.Add(1); return nil }).Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	run(t, w)
	for _, step := range []struct {
		says string // before the next question
		wait time.Duration
		keys string
		told int32
	}{
		{says: "", wait: 5 * time.Minute, keys: "k1", told: 1},
		{says: "", wait: 5 * time.Second, keys: "k1", told: 1},
		{says: "k1", wait: 10 * time.Second, keys: "k1", told: 1},
		{says: "k2", wait: 5 * time.Minute, keys: "k1", told: 1},
		{says: "k2", wait: 5 * time.Minute, keys: "k2", told: 2},
	} {
		wait := <-clock.waits
		if keys := string(w.Keys()["corp"]); wait != step.wait || keys != step.keys || told.Load() != step.told {
			t.Errorf("it waits %s with keys %s and told %d times, want %s, %s, %d", wait, keys, told.Load(), step.wait, step.keys, step.told)
		}
		say(step.says)
		clock.Step(wait)
	}
}

// TestWantedKeysAreAskedFor shows that a wanted key has its issuer asked before its time, not too often, and no other one.
func TestWantedKeysAreAskedFor(t *testing.T) {
	var asked atomic.Int32
	ask := func(context.Context, *platform.OIDCIssuer) ([]byte, error) {
		return []byte(fmt.Sprint(asked.Add(1))), nil
	}
	clock := turnstile{testclock.NewFakeClock(time.Now()), make(chan time.Duration, 10)}
	w := newWatcher(clock, ask, platform.OIDCIssuer{Name: "corp", URL: "https://corp"})
	run(t, w)
	<-clock.waits
	clock.Step(2 * time.Second)
	if w.KeysWanted("https://elsewhere", func(string) { t.Error("told of keys of nobody") }) {
		t.Error("an issuer is asked that nobody named")
	}
	found := make(chan string, 5)
	for range 5 {
		if !w.KeysWanted("https://corp", func(digest string) { found <- digest }) {
			t.Error("the issuer is not asked")
		}
	}
	if wait := <-clock.waits; wait != 3*time.Second {
		t.Errorf("it waits %s, want what is left of 5 seconds", wait)
	}
	clock.Step(3 * time.Second)
	<-clock.waits
	if keys := string(w.Keys()["corp"]); keys != "2" {
		t.Errorf("it was asked %s times", keys)
	}
	for range 5 {
		if digest := <-found; digest != identity.KeysDigest([]byte("2")) {
			t.Errorf("found keys %s", digest)
		}
	}
}

// TestStuckIssuerDelaysNoOther has one issuer that never answers.
func TestStuckIssuerDelaysNoOther(t *testing.T) {
	ask := func(ctx context.Context, issuer *platform.OIDCIssuer) ([]byte, error) {
		if issuer.Name == "stuck" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return []byte("keys"), nil
	}
	clock := turnstile{testclock.NewFakeClock(time.Now()), make(chan time.Duration, 10)}
	w := newWatcher(clock, ask, platform.OIDCIssuer{Name: "stuck", URL: "https://stuck"}, platform.OIDCIssuer{Name: "corp", URL: "https://corp"})
	run(t, w)
	<-clock.waits
	if keys := w.Keys(); string(keys["corp"]) != "keys" || len(keys) != 1 {
		t.Errorf("keys are %q", keys)
	}
}

// TestClusterIsNotAsked shows that nobody but the API server vouches for the cluster's own tokens.
func TestClusterIsNotAsked(t *testing.T) {
	ask := func(context.Context, *platform.OIDCIssuer) ([]byte, error) { return []byte("evil"), nil }
	clock := turnstile{testclock.NewFakeClock(time.Now()), make(chan time.Duration, 10)}
	w := newWatcher(clock, ask, platform.OIDCIssuer{Name: "self", URL: "https://cluster"})
	run(t, w)
	<-clock.waits
	if keys := w.Keys(); len(keys) > 0 {
		t.Errorf("keys are %q", keys)
	}
	if w.NeedLeaderElection() {
		t.Error("a new leader would have to ask first")
	}
}
