package feed

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"signalbox.dev/signalbox/proxy/table"
)

// TableKey is the key in the Secret's data, and the name of the mounted file, that holds the encoded table.
const TableKey = "table"

// Secrets is what Cluster needs of a client for the Secrets of one namespace; client-go's SecretInterface fits.
type Secrets interface {
	List(ctx context.Context, options metav1.ListOptions) (*corev1.SecretList, error)
	Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)
}

// Cluster delivers the table of a namespace from its Secret.
type Cluster struct {
	// Secrets of the proxy's namespace.
	Secrets Secrets
	// Name of the table Secret.
	Name string
	// Dir is where the Secret is mounted; empty if it is not.
	Dir string
	// Log gets what goes wrong, without anything that the table holds.
	Log *slog.Logger
	// MinDelay is the pause after a first failure; it doubles with each further one, up to MaxDelay. 0 means 200ms.
	MinDelay time.Duration
	// MaxDelay is the longest pause. 0 means 5s.
	MaxDelay time.Duration
}

// origin is where a table came from.
type origin string

const (
	fromServer origin = "API server"
	fromMount  origin = "mount"
)

// arrival is a table as it was stored.
type arrival struct {
	origin origin
	packed []byte
}

// Run calls deliver with each table, one call at a time, until ctx ends; it then returns ctx's error. A table that cannot be decoded is logged and the
// one before it stays. So does the last one when the Secret is deleted. Once the API server has answered with a table the mount is not looked at again.
func (c *Cluster) Run(ctx context.Context, deliver func(*table.Table)) error {
	arrivals := make(chan arrival)
	mountContext, leaveMount := context.WithCancel(ctx)
	var producers sync.WaitGroup
	defer producers.Wait()
	defer leaveMount()
	producers.Go(func() { c.follow(ctx, arrivals) })
	if c.Dir != "" {
		producers.Go(func() { c.watchMount(mountContext, arrivals) })
	}
	r := receiver{log: c.Log, deliver: deliver}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-arrivals:
			if r.receive(a) && a.origin == fromServer {
				leaveMount()
			}
		}
	}
}

// receiver decodes what arrives and passes on what is new.
type receiver struct {
	log     *slog.Logger
	deliver func(*table.Table)
	// served tells that the API server has delivered a table.
	served bool
	last   [sha256.Size]byte
}

// receive tells whether the arrival is a table.
func (r *receiver) receive(a arrival) bool {
	if r.served && a.origin == fromMount {
		return false
	}
	sum := sha256.Sum256(a.packed)
	if sum == r.last {
		r.served = r.served || a.origin == fromServer
		return true
	}
	decoded, err := table.Decode(a.packed)
	if err != nil {
		r.log.Error("table cannot be decoded, the one in use stays", "origin", a.origin, "bytes", len(a.packed), "problem", problemOf(err))
		return false
	}
	r.last = sum
	r.served = r.served || a.origin == fromServer
	r.log.Info("table received", "origin", a.origin, "sequence", decoded.Sequence, "revision", decoded.Revision, "bytes", len(a.packed))
	r.deliver(decoded)
	return true
}

// send passes an arrival on unless ctx ends first.
func send(ctx context.Context, arrivals chan<- arrival, a arrival) {
	select {
	case arrivals <- a:
	case <-ctx.Done():
	}
}
