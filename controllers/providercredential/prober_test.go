package providercredential

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

func name(n string) types.NamespacedName { return types.NamespacedName{Namespace: "team-a", Name: n} }

// asked is a probe that is under way; the test lets it end through answer.
type asked struct {
	request Request
	answer  chan Outcome
	ended   <-chan struct{} // of its context
}

// newProber returns a running prober, the probes that it starts, and the queue that it fills.
func newProber(t *testing.T) (*Prober, <-chan asked, workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	t.Helper()
	started := make(chan asked, 10)
	prober := NewProber(func(ctx context.Context, _ string, request Request) Outcome {
		now := asked{request: request, answer: make(chan Outcome, 1), ended: ctx.Done()}
		started <- now
		select {
		case outcome := <-now.answer:
			outcome.Subject = request.Subject
			return outcome
		case <-ctx.Done():
			return Outcome{Subject: request.Subject, Result: NoAnswer}
		}
	})
	queue := listen(t, prober.Source())
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- prober.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	return prober, started, queue
}

// listen returns the queue of a controller that listens to a source.
func listen(t *testing.T, to source.Source) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	if err := to.Start(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return queue
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func about(fingerprint string) Request {
	return Request{Subject: Subject{Fingerprint: fingerprint}, Timeout: time.Hour}
}

func TestProberTellsWhenItIsDone(t *testing.T) {
	prober, started, queue := newProber(t)
	prober.Probe(name("a"), about("1"))
	probe := receive(t, started)
	if outcomes, _ := prober.Outcomes(name("a")); len(outcomes) > 0 {
		t.Error("there is an outcome before the answer")
	}
	probe.answer <- Outcome{Result: Answered}
	if done, _ := queue.Get(); done.NamespacedName != name("a") {
		t.Errorf("asked to look at %s", done)
	}
	if outcomes, latest := prober.Outcomes(name("a")); outcomes["1"].Result != Answered || latest.Subject.Fingerprint != "1" {
		t.Errorf("the outcomes are %+v", outcomes)
	}
}

func TestProberAsksOneQuestionOnce(t *testing.T) {
	prober, started, _ := newProber(t)
	prober.Probe(name("a"), about("1"))
	prober.Probe(name("a"), about("1"))
	prober.Probe(name("b"), about("1"))
	first, second := receive(t, started), receive(t, started)
	if len(started) > 0 {
		t.Error("the same question is asked twice at the same time")
	}
	first.answer <- Outcome{}
	second.answer <- Outcome{}
}

func TestProberDoesNotLetASlowProviderDelayOthers(t *testing.T) {
	prober, started, queue := newProber(t)
	prober.Probe(name("slow"), about("1"))
	receive(t, started)
	prober.Probe(name("fast"), about("2"))
	receive(t, started).answer <- Outcome{Result: Answered}
	if done, _ := queue.Get(); done.NamespacedName != name("fast") {
		t.Errorf("asked to look at %s", done)
	}
}

func TestProberGivesUpAnOldQuestion(t *testing.T) {
	prober, started, queue := newProber(t)
	elsewhere := about("1")
	elsewhere.Endpoint = "https://new.example"
	prober.Probe(name("a"), about("1"))
	old := receive(t, started)
	prober.Probe(name("a"), elsewhere)
	receive(t, old.ended)
	receive(t, started).answer <- Outcome{Result: Answered}
	if done, _ := queue.Get(); done.NamespacedName != name("a") {
		t.Errorf("asked to look at %s", done)
	}
	if outcomes, _ := prober.Outcomes(name("a")); outcomes["1"].Subject != elsewhere.Subject {
		t.Errorf("the outcomes are %+v", outcomes)
	}
}

// TestProberDoesNotWaitForAPatientProbe: one that began with more time than there is now makes room for one in a hurry, and not the other way round.
func TestProberDoesNotWaitForAPatientProbe(t *testing.T) {
	prober, started, queue := newProber(t)
	brisk := about("1")
	brisk.Timeout = time.Minute
	prober.Probe(name("a"), about("1"))
	patient := receive(t, started)
	prober.Probe(name("a"), brisk)
	receive(t, patient.ended)
	second := receive(t, started)
	prober.Probe(name("a"), about("1"))
	second.answer <- Outcome{Result: Answered}
	if done, _ := queue.Get(); done.NamespacedName != name("a") || second.request.Timeout != time.Minute {
		t.Errorf("asked to look at %s, within %s", done, second.request.Timeout)
	}
	if outcomes, _ := prober.Outcomes(name("a")); outcomes["1"].Result != Answered {
		t.Errorf("the outcomes are %+v", outcomes)
	}
}

func TestProberForgets(t *testing.T) {
	prober, started, _ := newProber(t)
	prober.Probe(name("a"), about("1"))
	running := receive(t, started)
	prober.Forget(name("a"))
	receive(t, running.ended)
	if outcomes, _ := prober.Outcomes(name("a")); len(outcomes) > 0 {
		t.Errorf("the outcomes are %+v", outcomes)
	}
	prober.Probe(name("a"), about("1"))
	receive(t, started)
}
