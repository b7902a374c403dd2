package feed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"signalbox.dev/signalbox/proxy/table"
)

const (
	defaultMinDelay = 200 * time.Millisecond
	defaultMaxDelay = 5 * time.Second
	// listTimeout bounds one list, so that a connection that went silent is given up.
	listTimeout = 30 * time.Second
	// watchTimeout is how long the API server keeps a watch open. The client gives up watchGrace later, for the server may be gone without a word.
	watchTimeout = 5 * time.Minute
	watchGrace   = 30 * time.Second
)

// follow lists and watches the Secret until ctx ends. Every watch that ends, for whatever reason, is followed by a list: with a single object that
// costs nothing, and no change can be missed. There is a short pause even after a watch that ended well, for a server that ends each at once.
func (c *Cluster) follow(ctx context.Context, arrivals chan<- arrival) {
	pause := newPause(c.MinDelay, c.MaxDelay)
	for ctx.Err() == nil {
		version, err := c.list(ctx, arrivals)
		if err == nil {
			err = c.watch(ctx, version, arrivals)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause.reset()
		default:
			c.Log.Warn("table Secret cannot be followed, trying again", "secret", c.Name, "error", err)
		}
		pause.wait(ctx)
	}
}

// list passes the Secret on and returns the version to watch from.
func (c *Cluster) list(ctx context.Context, arrivals chan<- arrival) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	found, err := c.Secrets.List(ctx, metav1.ListOptions{FieldSelector: c.selector()})
	if err != nil {
		return "", fmt.Errorf("listing Secret %s: %w", c.Name, err)
	}
	for i := range found.Items {
		c.pass(ctx, &found.Items[i], arrivals)
	}
	return found.ResourceVersion, nil
}

// watch passes changes on until the watch ends. Its end as such is no error.
func (c *Cluster) watch(ctx context.Context, version string, arrivals chan<- arrival) error {
	// Proxies that lost their watches together do not come back together for ever.
	seconds := int64((watchTimeout + jitter(watchTimeout)).Seconds())
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+watchGrace)
	defer cancel()
	stream, err := c.Secrets.Watch(ctx, metav1.ListOptions{
		FieldSelector: c.selector(), ResourceVersion: version, TimeoutSeconds: &seconds, AllowWatchBookmarks: true,
	})
	if err != nil {
		return fmt.Errorf("watching Secret %s: %w", c.Name, err)
	}
	defer stream.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-stream.ResultChan():
			if !open {
				return nil
			}
			if err := c.take(ctx, event, arrivals); err != nil {
				return err
			}
		}
	}
}

func (c *Cluster) take(ctx context.Context, event watch.Event, arrivals chan<- arrival) error {
	switch event.Type {
	case watch.Added, watch.Modified:
		if secret, ok := event.Object.(*corev1.Secret); ok {
			c.pass(ctx, secret, arrivals)
		}
	case watch.Deleted:
		c.Log.Warn("table Secret was deleted, the table in use stays", "secret", c.Name)
	case watch.Error:
		return fmt.Errorf("watching Secret %s: %w", c.Name, apierrors.FromObject(event.Object))
	case watch.Bookmark:
	}
	return nil
}

func (c *Cluster) pass(ctx context.Context, secret *corev1.Secret, arrivals chan<- arrival) {
	if secret.Name == c.Name {
		send(ctx, arrivals, arrival{origin: fromServer, packed: secret.Data[TableKey]})
	}
}

func (c *Cluster) selector() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, c.Name).String()
}

// problemOf says why a table cannot be decoded without what it holds: errors of decoders quote their input.
func problemOf(err error) string {
	var format *table.FormatError
	switch {
	case errors.As(err, &format):
		return format.Error()
	case errors.Is(err, table.ErrTooLarge):
		return table.ErrTooLarge.Error()
	default:
		return "it is not an encoded table"
	}
}

// pause grows with each failure in a row.
type pause struct {
	least, most, next time.Duration
}

func newPause(least, most time.Duration) *pause {
	if least == 0 {
		least = defaultMinDelay
	}
	if most == 0 {
		most = defaultMaxDelay
	}
	return &pause{least: least, most: most, next: least}
}

// jitter returns a random time below the bound.
func jitter(bound time.Duration) time.Duration {
	if bound <= 0 {
		return 0
	}
	drawn, err := rand.Int(rand.Reader, big.NewInt(int64(bound)))
	if err != nil {
		return 0
	}
	return time.Duration(drawn.Int64())
}

func (p *pause) reset() { p.next = p.least }

// wait lets the pause pass, or ctx end. Half of it is random, so that proxies do not return in step.
func (p *pause) wait(ctx context.Context) {
	timer := time.NewTimer(p.next/2 + jitter(p.next/2))
	defer timer.Stop()
	p.next = min(2*p.next, p.most)
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
