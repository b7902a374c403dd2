package fleet

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"signalbox.dev/signalbox/proxy/control"
)

const (
	// firstWait and maxWait bound the time between two attempts to call a pod.
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
	// grace is how long an acknowledgement counts after its stream broke. A shorter interruption must not make statuses flap.
	grace = 10 * time.Second
)

// errNoTable says that there is no certificate to call with yet.
var errNoTable = errors.New("the namespace has no routing table")

// errOtherPod says that somebody else has the pod's address by now.
var errOtherPod = errors.New("another pod answered at the pod's address")

// follower keeps the stream of one pod open.
type follower struct {
	fleet *Fleet
	name  types.NamespacedName
	pod   *pod
	uid   string
	addr  string
	wait  time.Duration
	keys  *messenger
}

// run calls the pod again and again until the context ends. A pod that becomes ready is called at once: a route is not Programmed before it answers.
func (f *follower) run(ctx context.Context) {
	f.wait = firstWait
	for {
		select {
		case <-f.pod.wake: // the call that follows is the one that was asked for
		default:
		}
		err := f.call(ctx)
		if ctx.Err() != nil {
			return
		}
		f.fleet.options.Log.V(1).Info("control stream broke", "pod", f.name, "reason", err.Error())
		f.lost()
		f.wait = min(2*f.wait, maxWait)
		select {
		case <-ctx.Done():
			return
		case <-f.pod.wake:
			f.wait = firstWait
		case <-f.fleet.options.Clock.After(wait.Jitter(f.wait/2, 1)):
		}
	}
}

// call opens one stream and reads it to its end. The certificate is read anew each time, for it may have been renewed.
func (f *follower) call(ctx context.Context) error {
	identity, err := f.fleet.options.Identities(ctx, f.name.Namespace)
	if err != nil {
		return err
	}
	if identity == nil {
		return errNoTable
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return f.fleet.options.Stream(ctx, f.addr, identity, func(report control.Report) {
		if report.PodUID != f.uid {
			cancel(errOtherPod)
			return
		}
		f.wait = firstWait
		f.heard(report)
	})
}

// heard takes over a report.
func (f *follower) heard(report control.Report) {
	f.fleet.mutex.Lock()
	f.pod.lostAt = time.Time{}
	changed := f.pod.sequence != report.Sequence
	f.pod.sequence = report.Sequence
	routes := f.fleet.hear(f.name, f.pod, report.Targets)
	credentials := f.fleet.hearCredentials(f.name, f.pod, report.Credentials)
	f.fleet.mutex.Unlock()
	f.fleet.notifyCredentials(f.name.Namespace, credentials)
	f.keys.want(report.KeysWanted, report.KeysAsked)
	if changed {
		f.fleet.notify(f.name.Namespace)
		return
	}
	f.fleet.notifyRoutes(f.name.Namespace, routes)
}

// lost notes that the pod is not heard any more; after the grace period its acknowledgement no longer counts, nor what it said of its targets.
func (f *follower) lost() {
	now := f.fleet.options.Clock.Now()
	f.fleet.mutex.Lock()
	if f.pod.lostAt.IsZero() {
		f.pod.lostAt = now
	}
	expired := f.pod.sequence != 0 && now.Sub(f.pod.lostAt) >= grace
	if expired {
		f.pod.sequence = 0
		f.pod.claims, f.pod.accounts = nil, nil
	}
	f.fleet.mutex.Unlock()
	if expired {
		f.fleet.notify(f.name.Namespace)
	}
}
