package load

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// PacedJob sends requests at a fixed rate, however long the answers take.
type PacedJob struct {
	// Addr is host:port.
	Addr string
	// Request is the whole request in bytes. Each has a connection of its own.
	Request []byte
	// Every is the time between two requests.
	Every time.Duration
	// Count is how many are sent.
	Count int
}

// PacedResult is what the requests brought.
type PacedResult struct {
	// Answered are those that ended well, Refused those with another status, Broken those without a whole answer.
	Answered, Refused, Broken int
	// Latencies until the last byte, of all but the broken ones.
	Latencies []time.Duration
	// FirstBreak explains one of the broken ones, nil without any.
	FirstBreak error
}

// RunPaced does the job, and waits for the last answer.
func RunPaced(ctx context.Context, job PacedJob) (PacedResult, error) {
	var mu sync.Mutex
	var result PacedResult
	ticker := time.NewTicker(job.Every)
	defer ticker.Stop()
	var requests sync.WaitGroup
	for range job.Count {
		requests.Go(func() {
			begin := time.Now()
			err := once(ctx, job)
			took := time.Since(begin)
			mu.Lock()
			defer mu.Unlock()
			result.add(took, err)
		})
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	requests.Wait()
	return result, ctx.Err()
}

func (r *PacedResult) add(took time.Duration, err error) {
	_, refused := errors.AsType[*Refusal](err)
	switch {
	case err == nil:
		r.Answered++
	case refused:
		r.Refused++
	default:
		r.Broken++
		r.FirstBreak = cmp.Or(r.FirstBreak, err)
		return
	}
	r.Latencies = append(r.Latencies, took)
}

func once(ctx context.Context, job PacedJob) error {
	conn, err := Dial(ctx, job.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Do(job.Request, nil)
	return err
}
