package apiserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/proxy/identity"
)

// server plays the API server: answers by path.
type server struct {
	answers atomic.Pointer[map[string]string]
	url     string
}

func goodAnswers() map[string]string {
	return map[string]string{
		"/.well-known/openid-configuration": `{"issuer":"https://kubernetes.default.svc"}`,
		"/openid/v1/jwks":                   `{"keys":[]}`,
		"/api":                              `{"serverAddressByClientCIDRs":[{"clientCIDR":"0.0.0.0/0","serverAddress":"192.0.2.1:6443"}]}`,
	}
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.play(goodAnswers())
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := (*s.answers.Load())[r.URL.Path]
		if !ok {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(listener.Close)
	s.url = listener.URL
	return s
}

func (s *server) play(answers map[string]string) { s.answers.Store(&answers) }

func (s *server) asker(t *testing.T, live client.Reader) Asker {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	clients, err := kubernetes.NewForConfig(&rest.Config{Host: s.url, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return Asker{REST: clients.Discovery().RESTClient(), Live: live, Host: "https://192.0.2.9"}
}

func cluster() client.WithWatch {
	port := int32(6443)
	return fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithObjects(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.96.0.1", "fd00::1"}}},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes", Labels: map[string]string{discoveryv1.LabelServiceName: "kubernetes"}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}, {Addresses: []string{"192.0.2.2"}}},
			Ports:      []discoveryv1.EndpointPort{{Port: &port}},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other", Labels: map[string]string{discoveryv1.LabelServiceName: "other"}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.77"}}}, Ports: []discoveryv1.EndpointPort{{Port: &port}},
		},
	).Build()
}

func newWatcher(asker Asker) *Watcher {
	return NewWatcher(asker, testclock.NewFakeClock(time.Now()), logr.Discard())
}

func TestRefreshLearnsAll(t *testing.T) {
	watcher := newWatcher(newServer(t).asker(t, cluster()))
	if _, known := watcher.Facts(); known {
		t.Error("facts are known before anybody asked")
	}
	if err := watcher.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, known := watcher.Facts()
	want := Facts{
		Issuer: "https://kubernetes.default.svc", JWKS: []byte(`{"keys":[]}`),
		Addresses: []string{"10.96.0.1", "192.0.2.1:6443", "192.0.2.2:6443", "192.0.2.9:443", "fd00::1"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !known {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestRefreshWithoutTheRightToReadTheService(t *testing.T) {
	forbidden := interceptor.NewClient(cluster(), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "services"}, "kubernetes", nil)
		},
	})
	watcher := newWatcher(newServer(t).asker(t, forbidden))
	if err := watcher.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _ := watcher.Facts()
	if diff := cmp.Diff([]string{"10.96.0.1", "192.0.2.1:6443", "192.0.2.9:443"}, got.Addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func TestRefreshKeepsWhatWasKnown(t *testing.T) {
	cases := map[string]func(map[string]string){
		"no issuer":       func(answers map[string]string) { delete(answers, configurationPath) },
		"no JSON":         func(answers map[string]string) { answers[configurationPath] = "<html>" },
		"no keys":         func(answers map[string]string) { delete(answers, keysPath) },
		"keys are broken": func(answers map[string]string) { answers[keysPath] = "{" },
		"no addresses":    func(answers map[string]string) { delete(answers, versionsPath) },
		"nothing":         func(answers map[string]string) { clear(answers) },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			server := newServer(t)
			watcher := newWatcher(server.asker(t, cluster()))
			if err := watcher.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			before, _ := watcher.Facts()
			answers := goodAnswers()
			spoil(answers)
			server.play(answers)
			if err := watcher.Refresh(t.Context()); err == nil {
				t.Error("no error")
			}
			if after, known := watcher.Facts(); !known || !after.equal(before) {
				t.Errorf("the facts became %+v", after)
			}
		})
	}
}

func TestAddressesAreEnoughToBeginWith(t *testing.T) {
	server := newServer(t)
	server.play(map[string]string{"/api": goodAnswers()["/api"]})
	watcher := newWatcher(server.asker(t, cluster()))
	if err := watcher.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "issuer") {
		t.Errorf("got %v", err)
	}
	if facts, known := watcher.Facts(); !known || facts.Issuer != "" || len(facts.Addresses) == 0 {
		t.Errorf("facts are %+v", facts)
	}
}

func TestSourceTellsOfChanges(t *testing.T) {
	server := newServer(t)
	watcher := newWatcher(server.asker(t, cluster()))
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	told := 0
	source := watcher.Source(func(context.Context) []reconcile.Request {
		told++
		return []reconcile.Request{{}}
	})
	if err := source.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := watcher.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 || queue.Len() != 1 {
		t.Errorf("told %d times of one change, %d requests", told, queue.Len())
	}
	rotated := goodAnswers()
	rotated[keysPath] = `{"keys":[{}]}`
	server.play(rotated)
	if err := watcher.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told != 2 {
		t.Errorf("told %d times of two changes", told)
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

func TestStartAsksAgain(t *testing.T) {
	server := newServer(t)
	server.play(map[string]string{})
	clock := turnstile{testclock.NewFakeClock(time.Now()), make(chan time.Duration, 10)}
	watcher := NewWatcher(server.asker(t, cluster()), clock, logr.Discard())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Start(ctx) }()
	if wait := <-clock.waits; wait != retryInterval {
		t.Errorf("after a failure it waits %s", wait)
	}
	server.play(goodAnswers())
	clock.Step(retryInterval)
	if wait := <-clock.waits; wait != refreshInterval {
		t.Errorf("after a success it waits %s", wait)
	}
	if _, known := watcher.Facts(); !known {
		t.Error("the second answer was not taken")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if watcher.NeedLeaderElection() {
		t.Error("a new leader would have to ask first")
	}
}

// TestNewKeysAreAskedForAtOnce shows that a wanted key has the API server asked before its time, but never twice within a second.
func TestNewKeysAreAskedForAtOnce(t *testing.T) {
	server := newServer(t)
	clock := turnstile{testclock.NewFakeClock(time.Now()), make(chan time.Duration, 10)}
	watcher := NewWatcher(server.asker(t, cluster()), clock, logr.Discard())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watcher.Start(ctx) }()
	if wait := <-clock.waits; wait != refreshInterval {
		t.Fatalf("it waits %s", wait)
	}
	clock.Step(400 * time.Millisecond)
	rotated := goodAnswers()
	rotated[keysPath] = `{"keys":[{"kid":"new"}]}`
	server.play(rotated)
	found := make(chan string, 10)
	for range 10 {
		if !watcher.KeysWanted("https://kubernetes.default.svc", func(digest string) { found <- digest }) {
			t.Error("the API server is not asked")
		}
	}
	if wait := <-clock.waits; wait != 600*time.Millisecond {
		t.Errorf("wanted keys are asked for after %s, want what is left of a second", wait)
	}
	clock.Step(600 * time.Millisecond)
	if wait := <-clock.waits; wait != refreshInterval {
		t.Errorf("then it waits %s", wait)
	}
	if facts, _ := watcher.Facts(); string(facts.JWKS) != rotated[keysPath] {
		t.Errorf("the keys are %s", facts.JWKS)
	}
	for range 10 {
		if digest := <-found; digest != identity.KeysDigest([]byte(rotated[keysPath])) {
			t.Errorf("found keys %s", digest)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestOnlyTheClustersKeysAreAskedFor(t *testing.T) {
	watcher := newWatcher(newServer(t).asker(t, cluster()))
	if err := watcher.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if watcher.KeysWanted("https://somebody.else", func(string) { t.Error("told of somebody else's keys") }) {
		t.Error("somebody else's keys have the API server asked")
	}
	if err := watcher.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}
