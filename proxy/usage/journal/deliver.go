package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"signalbox.dev/signalbox/proxy/usage"
)

// Bounds of a delivery.
const (
	// maxBatch is how many records a sink gets at a time.
	maxBatch = 1000
	// firstBackoff and maxBackoff bound the wait before a sink is tried again.
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 15 * time.Second
)

// Sink takes records. It can get a record again that it has, after a restart or when it was not known whether it took it, and knows it by its ID.
type Sink interface {
	// Write returns nil when all records are taken. A RefusedError says that trying again would not help; with any other error the same records come again.
	Write(ctx context.Context, records []*usage.Record) error
}

// RefusedError tells that a sink does not take what it was given, and would not the next time either. It holds nothing of the records.
type RefusedError struct {
	// Code says why in the sink's own words, such as an SQLSTATE.
	Code string
	// Records are how many of those that were given are refused, when the sink took the others; 0 when it took none.
	Records int
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the sink refuses usage records (%s)", e.Code)
}

// Delivery is how records reach a sink.
type Delivery struct {
	// Reader of the sink.
	Reader *Reader
	// Sink that gets them.
	Sink Sink
	// Linger is how long after a batch the next one waits for more records, unless there are enough for a full one: each batch costs something, if only to note how far the sink has
	// come. The first record after a silence waits for nothing.
	Linger time.Duration
	// Log takes outages, once at their beginning and once at their end, and refused records; nil is slog.Default().
	Log *slog.Logger
}

// Run delivers until the context ends, through outages of any length. A batch is tried again until the sink has it; what the sink refuses is set aside, record by
// record, counted and logged without its content. It ends, too, when the sink is forgotten or the journal is closed; its error is never nil.
func (d *Delivery) Run(ctx context.Context) error {
	if d.Log == nil {
		d.Log = slog.Default()
	}
	var last time.Time // when the newest batch was begun
	for {
		if err := d.await(ctx, last); err != nil {
			return err
		}
		last = time.Now()
		if err := d.next(ctx); err != nil {
			return err
		}
	}
}

// await waits until there is a batch to deliver after the last one.
func (d *Delivery) await(ctx context.Context, last time.Time) error {
	if err := d.Reader.wait(ctx); err != nil {
		return err
	}
	if d.Reader.waiting() >= maxBatch {
		return ctx.Err() // Waiting would bound how many records a second the sink gets.
	}
	return pause(ctx, d.Linger-time.Since(last))
}

// next delivers one batch.
func (d *Delivery) next(ctx context.Context) error {
	b, err := d.Reader.read(maxBatch)
	if err != nil {
		d.Log.Error("the usage journal cannot be read", "sink", d.Reader.cursor.sink, "error", err)
		return pause(ctx, maxBackoff)
	}
	if err := d.deliver(ctx, b.records); err != nil {
		return err
	}
	d.Reader.journal.advance(d.Reader.cursor, b.to)
	return nil
}

// deliver hands over records, in halves when the sink refuses some of them.
func (d *Delivery) deliver(ctx context.Context, records []*usage.Record) error {
	if len(records) == 0 {
		return nil
	}
	err := d.persist(ctx, records)
	var refused *RefusedError
	switch {
	case !errors.As(err, &refused):
		return err
	case refused.Records > 0:
		d.setAside(refused, records[:min(refused.Records, len(records))])
		return nil
	case len(records) == 1:
		d.setAside(refused, records)
		d.Log.Error("a usage sink refuses a record", "sink", d.Reader.cursor.sink, "code", refused.Code, "record", records[0].ID)
		return nil
	default:
		half := len(records) / 2
		if err := d.deliver(ctx, records[:half]); err != nil {
			return err
		}
		return d.deliver(ctx, records[half:])
	}
}

// setAside counts records that the sink never gets.
func (d *Delivery) setAside(refused *RefusedError, records []*usage.Record) {
	j := d.Reader.journal
	j.mu.Lock()
	j.tally.refused[d.Reader.cursor.sink] += int64(len(records))
	j.mu.Unlock()
	if refused.Records > 0 {
		d.Log.Error("a usage sink refuses records", "sink", d.Reader.cursor.sink, "code", refused.Code, "records", refused.Records)
	}
}

// persist tries until the sink takes or refuses the records.
func (d *Delivery) persist(ctx context.Context, records []*usage.Record) error {
	backoff := firstBackoff
	for tries := 1; ; tries++ {
		err := d.Sink.Write(ctx, records)
		var refused *RefusedError
		if err == nil || errors.As(err, &refused) {
			if tries > 1 {
				d.Log.Info("a usage sink takes records again", "sink", d.Reader.cursor.sink)
			}
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if tries == 1 {
			d.Log.Warn("a usage sink does not take records; they wait in the journal", "sink", d.Reader.cursor.sink, "error", err)
		}
		if err := d.rest(ctx, backoff); err != nil {
			return err
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// rest waits for one to two times half of a backoff, so that proxies do not come back all at once. A sink that was forgotten is not tried again.
func (d *Delivery) rest(ctx context.Context, backoff time.Duration) error {
	if !d.Reader.current() {
		return ErrForgotten
	}
	return pause(ctx, backoff/2+rand.N(backoff/2)) //nolint:gosec // spreads load, keeps no secret
}

// current tells whether the sink is in use.
func (r *Reader) current() bool {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.journal.cursors[r.cursor.sink] == r.cursor && !r.journal.closed
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Drain waits until every sink has every record that there is, or the context ends.
func (j *Journal) Drain(ctx context.Context) error {
	for {
		j.mu.Lock()
		behind, moved := 0, j.moved
		for _, c := range j.cursors {
			if c.at.ordinal < j.recorded {
				behind++
			}
		}
		j.mu.Unlock()
		if behind == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d usage sinks: %w", behind, ctx.Err())
		case <-moved:
		}
	}
}
