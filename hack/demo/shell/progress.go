package shell

import (
	"context"
	"fmt"
	"io"
	"time"
)

// pollPause is the time between two looks at something that takes a while.
const pollPause = 300 * time.Millisecond

// Progress tells a person what the demo does and how long it took.
type Progress struct {
	out   io.Writer
	began time.Time
}

// NewProgress starts the clock.
func NewProgress(out io.Writer) *Progress {
	return &Progress{out: out, began: time.Now()}
}

// Step announces an act, takes it, and tells the time that it took.
func (p *Progress) Step(what string, act func() error) error {
	fmt.Fprintf(p.out, "\n== %s\n", what)
	began := time.Now()
	if err := act(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(p.out, "   (%.1f s, %.0f s in all)\n", time.Since(began).Seconds(), time.Since(p.began).Seconds())
	return nil
}

// Until looks again and again until done says so; after patience it returns what was missing last.
func Until(ctx context.Context, patience time.Duration, done func(context.Context) (missing error)) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pause := time.NewTicker(pollPause)
	defer pause.Stop()
	for {
		missing := done(limited)
		if missing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limited.Done():
			return fmt.Errorf("not within %s: %w", patience, missing)
		case <-pause.C:
		}
	}
}
