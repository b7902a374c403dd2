package providercredential

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/controllers/controllertest"
	"signalbox.dev/signalbox/controllers/fleet"
	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/controllers/report"
	"signalbox.dev/signalbox/controllers/secrets"
	"signalbox.dev/signalbox/controllers/status"
	"signalbox.dev/signalbox/proxy/control"
	"signalbox.dev/signalbox/proxy/health"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/traffic"
)

// trouble is what a simulated provider does to calls and to probes, and what its status is to say.
type trouble struct {
	name       string
	kind       table.FailureKind
	firstToken time.Duration
	took       time.Duration
	probe      Outcome
	// silent: whatever is sent vanishes. Calls get no connection, and probes no answer.
	silent  bool
	state   v1alpha1.HealthState
	reasons []string
}

func wellness() *trouble {
	return &trouble{
		name: "well again", firstToken: 200 * time.Millisecond, took: 400 * time.Millisecond, probe: answered(provider.KeyValid, provider.Healthy),
		state: v1alpha1.HealthHealthy, reasons: []string{v1alpha1.ReasonProbeSucceeded, v1alpha1.ReasonCallsSucceed},
	}
}

func troubles() []*trouble {
	good := answered(provider.KeyValid, provider.Healthy)
	ill := Outcome{
		Result: Answered, HTTPStatus: 500, Verdict: provider.Verdict{Key: provider.KeyUnknown, Health: provider.Unhealthy}, Message: "the provider is failing (status 500)",
	}
	return []*trouble{
		{name: "slow", firstToken: 1500 * time.Millisecond, took: 1700 * time.Millisecond, probe: good, state: v1alpha1.HealthDegraded, reasons: []string{v1alpha1.ReasonSlow}},
		{name: "failing", kind: table.Unavailable, took: 20 * time.Millisecond, probe: ill, state: v1alpha1.HealthDown, reasons: []string{v1alpha1.ReasonCallsFail}},
		{name: "rate-limited", kind: table.RateLimited, took: 20 * time.Millisecond, probe: good, state: v1alpha1.HealthRateLimited, reasons: []string{v1alpha1.ReasonRateLimited}},
		{
			name: "unreachable", kind: table.Unreachable, took: time.Millisecond, probe: Outcome{Result: NoAnswer, Message: "connection refused"},
			state: v1alpha1.HealthDown, reasons: []string{v1alpha1.ReasonUnreachable},
		},
		{
			name: "black-holed", silent: true, probe: Outcome{Result: NoAnswer, Message: "no answer within spec.probe.timeout"},
			state: v1alpha1.HealthDown, reasons: []string{v1alpha1.ReasonUnreachable},
		},
	}
}

// dice are random numbers for several goroutines.
type dice struct {
	mutex  sync.Mutex
	source *rand.Rand
}

func newDice(rate, proxy int) *dice {
	return &dice{source: rand.New(rand.NewPCG(uint64(rate), uint64(proxy)))}
}

// below returns a number in [0, n).
func (d *dice) below(n int64) int64 {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.source.Int64N(n)
}

// simulatedProxy is a proxy with the real memory of its upstreams, that makes calls and reports as one does.
type simulatedProxy struct {
	name     string
	address  string
	world    *simulation
	registry *health.Registry
	upstream *health.Upstream
	random   *dice
	announce chan struct{}
	said     chan struct{}
}

// written is one write of the status.
type written struct {
	at     time.Time
	state  v1alpha1.HealthState
	reason string
}

// simulation is the whole way from calls to the written status, in simulated time: only the wire, the provider and the API server are not real.
type simulation struct {
	*testing.T
	context context.Context
	client  client.WithWatch
	fleet   *fleet.Fleet
	proxies []*simulatedProxy
	running sync.WaitGroup
	// end ends it.
	end func()

	mutex  sync.Mutex
	now    *trouble
	writes []written
}

func (s *simulation) behaviour() *trouble {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.now
}

func (s *simulation) behave(how *trouble) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.now = how
}

// wrote notes what was written.
func (s *simulation) wrote(object client.Object) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if found := object.(*v1alpha1.ProviderCredential).Status.Health; found != nil {
		s.writes = append(s.writes, written{time.Now(), found.State, found.Reason})
	}
}

// pause lets simulated time pass; false when the simulation has ended.
func (s *simulation) pause(d time.Duration) bool {
	timer := time.NewTimer(max(d, 1))
	defer timer.Stop()
	select {
	case <-s.context.Done():
		return false
	case <-timer.C:
		return true
	}
}

// run makes calls until the simulation ends.
func (p *simulatedProxy) run(gap time.Duration) {
	for p.world.pause(time.Duration(p.random.below(int64(2 * gap)))) {
		attempt, ok := p.upstream.Begin(time.Now(), 1, false)
		if ok {
			p.world.running.Go(func() { p.call(attempt) })
		}
	}
}

// call lives through one attempt.
func (p *simulatedProxy) call(attempt health.Attempt) {
	if !p.connect(attempt) {
		return
	}
	how := p.world.behaviour()
	outcome := health.Outcome{Kind: how.kind, Stream: true, FirstToken: how.firstToken, Duration: how.took, Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1}}
	began := p.world.pause(how.firstToken)
	if how.kind == table.None && began {
		attempt.FirstToken(time.Now())
		outcome.Completion = 20
	}
	ended := began && p.world.pause(how.took-how.firstToken)
	outcome.Neutral = !ended
	attempt.End(time.Now(), outcome)
}

// connect waits for a connection, which TCP asks for four times in six seconds. Without one the attempt has ended.
func (p *simulatedProxy) connect(attempt health.Attempt) bool {
	began, lost := time.Now(), false
	for _, at := range []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second, 6 * time.Second} {
		if !p.world.pause(time.Until(began.Add(at))) {
			break
		}
		switch {
		case at == 2*time.Second:
			lost = true
			attempt.Lost(time.Now())
		case !p.world.behaviour().silent && at < 6*time.Second:
			if lost {
				attempt.Found()
			}
			return true
		}
	}
	attempt.End(time.Now(), health.Outcome{Kind: table.Unreachable, Stream: true, Duration: time.Since(began), Limits: health.RateLimits{RequestsLeft: -1, TokensLeft: -1}})
	return false
}

// changed is told of every block that begins or ends.
func (p *simulatedProxy) changed() {
	select {
	case p.announce <- struct{}{}:
	default:
	}
}

// tellPeers tells the others what this one found out, as replicas do.
func (p *simulatedProxy) tellPeers() {
	p.changed()
	select {
	case p.said <- struct{}{}:
	default:
	}
}

func (p *simulatedProxy) gossip() {
	for {
		select {
		case <-p.world.context.Done():
			return
		case <-p.said:
		}
		if !p.world.pause(20 * time.Millisecond) {
			return
		}
		for _, other := range p.world.proxies {
			if err := other.registry.Hear(p.registry.Say(time.Now()), time.Now()); err != nil {
				p.world.Error(err)
			}
		}
	}
}

// report sends reports as the control port does: at an interval, and soon after a change.
func (p *simulatedProxy) report(ctx context.Context, handle func(control.Report)) error {
	if !p.world.pause(time.Duration(p.random.below(int64(control.DefaultInterval)))) {
		return context.Canceled
	}
	ticker := time.NewTicker(control.DefaultInterval)
	defer ticker.Stop()
	for {
		handle(control.Report{
			Pod: p.name, PodUID: p.name, Sequence: 1, Stats: control.Stats{Credentials: traffic.DescribeAll(p.registry.Upstreams(), time.Now())},
		})
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		case <-p.announce:
			if !p.world.pause(100 * time.Millisecond) {
				return context.Canceled
			}
		}
	}
}

// proxyPod is the pod of a proxy, ready and running.
func proxyPod(name, address string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name, UID: types.UID(name), Labels: platform.ProxySelector().MatchLabels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Ports: []corev1.ContainerPort{{Name: platform.ControlPortName, ContainerPort: 8443}}}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: address, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

// simulate starts a simulation of so many proxies that together make so many calls a second.
func simulate(t *testing.T, proxies, rate int) *simulation {
	ctx, cancel := context.WithCancel(t.Context())
	s := &simulation{T: t, context: ctx, now: wellness()}
	objects := []client.Object{
		controllertest.Credential("team-a", "groq", func(c *v1alpha1.ProviderCredential) {
			c.Spec.Probe.SlowAfter, c.Spec.Probe.Interval = metav1.Duration{Duration: time.Second}, metav1.Duration{Duration: time.Minute}
		}),
		controllertest.KeySecret("team-a", "provider-key", "sk-one"),
	}
	for i := range proxies {
		objects = append(objects, proxyPod(fmt.Sprintf("proxy-%d", i), fmt.Sprintf("10.0.0.%d", i+1)))
	}
	s.client = fake.NewClientBuilder().WithScheme(controllertest.Scheme()).WithStatusSubresource(&v1alpha1.ProviderCredential{}).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, next client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			err := next.SubResource(sub).Patch(ctx, object, patch, options...)
			s.wrote(object)
			return err
		},
	}).Build()
	s.fleet = fleet.New(fleet.Options{
		Identities: func(context.Context, string) (*control.Identity, error) { return &control.Identity{}, nil },
		Stream: func(ctx context.Context, addr string, _ *control.Identity, handle func(control.Report)) error {
			at := slices.IndexFunc(s.proxies, func(p *simulatedProxy) bool { return strings.HasPrefix(addr, p.address+":") })
			return s.proxies[max(at, 0)].report(ctx, handle)
		},
		Clock: clock.RealClock{}, Log: logr.Discard(),
	})
	stop := s.control()
	s.end = func() { cancel(); stop(); s.running.Wait() }
	s.start(proxies, rate)
	return s
}

// control runs the reconciler.
func (s *simulation) control() (stop func()) {
	labelled := func(label, value string) client.Reader {
		return controllertest.Labelled{Reader: s.client, Label: label, Value: value}
	}
	prober := NewProber(func(ctx context.Context, _ string, request Request) Outcome {
		asked := time.Now()
		s.pause(40 * time.Millisecond)
		if s.behaviour().silent {
			<-ctx.Done()
		}
		outcome := s.behaviour().probe
		outcome.Subject, outcome.At = request.Subject, asked
		return outcome
	})
	r := &Reconciler{
		Client: s.client, Lookup: secrets.NewLookup(labelled(v1alpha1.LabelProviderKey, "true"), s.client, clock.RealClock{}), Facts: factsAtHand{},
		Config: &platform.Config{ClusterDomain: "cluster.local"}, Prober: prober,
		Tables:  report.NewReader(labelled(v1alpha1.LabelManagedBy, v1alpha1.ManagedByValue)),
		Traffic: s.fleet, Status: status.Writer{Client: s.client, Events: events.NewFakeRecorder(10_000)}, Clock: clock.RealClock{},
	}
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	if err := prober.Source().Start(s.context, queue); err != nil {
		s.Fatal(err)
	}
	if err := s.fleet.CredentialSource().Start(s.context, queue); err != nil {
		s.Fatal(err)
	}
	s.running.Go(func() { _ = prober.Start(s.context) })
	s.running.Go(func() { _ = s.fleet.Start(s.context) })
	s.running.Go(func() {
		for {
			request, shut := queue.Get()
			if shut {
				return
			}
			result, err := r.Reconcile(context.WithoutCancel(s.context), request)
			if err != nil {
				s.Error(err)
			}
			queue.Done(request)
			if result.RequeueAfter > 0 {
				queue.AddAfter(request, result.RequeueAfter)
			}
		}
	})
	queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "team-a", Name: "groq"}})
	return queue.ShutDown
}

// start starts the proxies, once the key is known.
func (s *simulation) start(count, rate int) {
	s.pause(time.Second)
	synctest.Wait()
	var credential v1alpha1.ProviderCredential
	if err := s.client.Get(s.context, types.NamespacedName{Namespace: "team-a", Name: "groq"}, &credential); err != nil || len(credential.Status.Keys) == 0 {
		s.Fatal(err, credential.Status)
	}
	for i := range count {
		p := &simulatedProxy{
			name: fmt.Sprintf("proxy-%d", i), address: fmt.Sprintf("10.0.0.%d", i+1), world: s, random: newDice(rate, i), announce: make(chan struct{}, 1), said: make(chan struct{}, 1),
		}
		p.registry = health.NewRegistry(health.Options{Changed: p.tellPeers, Ended: p.changed, Random: p.random.below})
		p.upstream = p.registry.Upstream(health.Subject{Credential: "groq", Key: credential.Status.Keys[0].Fingerprint, Model: "llama"})
		s.proxies = append(s.proxies, p)
	}
	reconciler := &fleet.Reconciler{Client: s.client, Fleet: s.fleet}
	for _, p := range s.proxies {
		s.running.Go(func() { p.run(time.Second * time.Duration(count) / time.Duration(rate)) })
		s.running.Go(p.gossip)
		if _, err := reconciler.Reconcile(s.context, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "team-a", Name: p.name}}); err != nil {
			s.Fatal(err)
		}
	}
}

// follow lets the provider behave so for a while, and returns how long it took until the status said so. It must go on to say so.
func (s *simulation) follow(how *trouble, dwell time.Duration) time.Duration {
	s.Helper()
	since := time.Now()
	s.behave(how)
	s.pause(dwell)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	took := time.Duration(-1)
	for _, w := range s.writes {
		right := w.state == how.state && slices.Contains(how.reasons, w.reason)
		switch {
		case w.at.Before(since):
		case right && took < 0:
			took = w.at.Sub(since)
		case !right && took >= 0:
			s.Errorf("%s: after %s it is %s %s again", how.name, w.at.Sub(since), w.state, w.reason)
		}
	}
	if took < 0 {
		s.Errorf("%s: after %s the status does not say so: %+v", how.name, dwell, s.writes)
	}
	return took
}

// expectPace wants five seconds between any two writes but the first ones, when nothing was known, and few of them.
func (s *simulation) expectPace(most int) {
	s.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for i := 1; i < len(s.writes); i++ {
		if before := s.writes[i-1]; before.state != v1alpha1.HealthUnknown && s.writes[i].at.Sub(before.at) < writeInterval {
			s.Errorf("%+v was written soon after %+v", s.writes[i], before)
		}
	}
	if len(s.writes) > most {
		s.Errorf("%d writes, want %d at most", len(s.writes), most)
	}
}
