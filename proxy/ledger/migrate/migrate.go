package migrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

// maxConflicts is how often a write is tried again before the migration gives up; it can be run again.
const maxConflicts = 100

// Migration moves ledgers from a place to another.
type Migration struct {
	// From is where they are, and To where they go.
	From, To Place
	// Running returns a function that tells whether a pod can still spend what it holds in the source.
	Running func(context.Context) (func(pod string) bool, error)
	// Now is the wall clock; it only says when an entry was written.
	Now func() time.Time
}

// Progress is how far a ledger is.
type Progress struct {
	// Counters of the ledger, over all windows.
	Counters int
	// Living is how many owners of the source still run.
	Living int
	// Spent, Reserved and Lost in nano-dollars are the sums of what was spent in the source, of what its living owners hold, and of what those that are gone held.
	Spent, Reserved, Lost int64
	// Changed tells that the destination was written.
	Changed bool
	// Done tells that nothing can change in the source any more, and that the destination has all of it.
	Done bool
}

// Pass does all steps once for a ledger.
func (m Migration) Pass(ctx context.Context, of string) (Progress, error) {
	progress, err := m.pass(ctx, of)
	if err != nil {
		return Progress{}, fmt.Errorf("moving ledger %s from %s to %s: %w", of, m.From.Name, m.To.Name, err)
	}
	return progress, nil
}

func (m Migration) pass(ctx context.Context, of string) (Progress, error) {
	if err := errors.Join(m.From.check(), m.To.check()); err != nil {
		return Progress{}, err
	}
	if m.From.Name == m.To.Name {
		return Progress{}, errors.New("both places are the same")
	}
	if err := m.open(ctx, of); err != nil {
		return Progress{}, err
	}
	if err := m.mark(ctx, of); err != nil {
		return Progress{}, err
	}
	running, err := m.pods(ctx, of)
	if err != nil {
		return Progress{}, err
	}
	source, changed, err := m.carryAll(ctx, of)
	if err != nil {
		return Progress{}, err
	}
	progress := m.progress(source, running)
	progress.Changed = changed
	if progress.Living == 0 {
		progress.Done, err = m.finish(ctx, source)
	}
	return progress, err
}

// open lets the destination be used again if the ledger was moved from there before. The source is looked at first: what is being moved from the destination to the
// source must end first.
func (m Migration) open(ctx context.Context, of string) error {
	names, err := m.To.documents(ctx, of)
	if err != nil {
		return err
	}
	for _, name := range names {
		stored, err := m.To.Store.Load(ctx, name)
		if err != nil {
			return fmt.Errorf("the destination: %w", err)
		}
		switch stored.Record.Moved {
		case "", m.From.Name + doneMark:
		case m.From.Name:
			return fmt.Errorf("the destination: %w", ErrOpposite)
		default:
			return fmt.Errorf("the destination: %w: to %s", ErrElsewhere, strings.TrimSuffix(stored.Record.Moved, doneMark))
		}
	}
	return nil
}

// mark writes the destination's name into every document of the source, also into those that are yet to be made.
func (m Migration) mark(ctx context.Context, of string) error {
	if err := m.From.seed(ctx, of, ledger.Record{Moved: m.To.Name}); err != nil {
		return err
	}
	names, err := m.From.documents(ctx, of)
	if err != nil {
		return err
	}
	for _, name := range names {
		err := m.From.Change(ctx, name, func(record *ledger.Record) (bool, error) {
			switch record.Moved {
			case m.To.Name, m.To.Name + doneMark:
				return false, nil
			case "":
				record.Moved = m.To.Name
				return true, nil
			default:
				return false, fmt.Errorf("the source: %w: to %s", ErrElsewhere, strings.TrimSuffix(record.Moved, doneMark))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pods returns what tells which pods may still write to the source. The source is read before the pods are listed, and a pod that is not in it yet counts as running:
// it may have started since.
func (m Migration) pods(ctx context.Context, of string) (func(pod string) bool, error) {
	source, err := m.source(ctx, of)
	if err != nil {
		return nil, err
	}
	listed, err := m.Running(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing what runs: %w", err)
	}
	ended := map[string]bool{}
	for _, stored := range source {
		for _, count := range stored.Record.Windows {
			for owner := range count.Owners {
				ended[owner.Pod()] = !listed(owner.Pod())
			}
		}
	}
	return func(pod string) bool { return !ended[pod] }, nil
}

// read returns the documents of a place, by name.
func read(ctx context.Context, place Place, names []string) (map[string]ledger.Stored, error) {
	documents := make(map[string]ledger.Stored, len(names))
	for _, name := range names {
		stored, err := place.Store.Load(ctx, name)
		if err != nil {
			return nil, err
		}
		documents[name] = stored
	}
	return documents, nil
}

// source returns the documents of the source.
func (m Migration) source(ctx context.Context, of string) (map[string]ledger.Stored, error) {
	names, err := m.From.documents(ctx, of)
	if err != nil {
		return nil, err
	}
	return read(ctx, m.From, names)
}

// carryAll writes what the source holds into the destination, until a round meets no conflict, and returns the source as it was carried. In each round the
// destination is read before the source, so that a write with an older source meets a conflict.
func (m Migration) carryAll(ctx context.Context, of string) (source map[string]ledger.Stored, changed bool, err error) {
	if source, err = m.source(ctx, of); err != nil {
		return nil, false, err
	}
	targets, err := m.targets(ctx, of, source)
	if err != nil {
		return nil, false, err
	}
	if err := m.To.seed(ctx, of, ledger.Record{}); err != nil {
		return nil, false, err
	}
	for range maxConflicts {
		destination, err := read(ctx, m.To, targets)
		if err != nil {
			return nil, false, fmt.Errorf("the destination: %w", err)
		}
		if source, err = m.source(ctx, of); err != nil {
			return nil, false, err
		}
		wrote, conflict, err := m.round(ctx, of, source, destination)
		changed = changed || wrote
		if err != nil || !conflict {
			return source, changed, err
		}
	}
	return nil, false, fmt.Errorf("the destination changes all the time: %w", ledger.ErrConflict)
}

// targets returns the documents of the destination that are written: those of the source's subjects and, since they may say that the ledger was moved away, those that
// are there.
func (m Migration) targets(ctx context.Context, of string, source map[string]ledger.Stored) ([]string, error) {
	names, err := m.To.documents(ctx, of)
	if err != nil {
		return nil, err
	}
	for _, stored := range source {
		for _, count := range stored.Record.Windows {
			names = append(names, m.To.document(of, count.Subject))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// round writes each document of the destination once.
func (m Migration) round(ctx context.Context, of string, source, destination map[string]ledger.Stored) (wrote, conflict bool, err error) {
	counts := map[string][]ledger.Count{}
	for _, stored := range source {
		for _, count := range stored.Record.Windows {
			name := m.To.document(of, count.Subject)
			counts[name] = append(counts[name], count)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(destination)) {
		next := destination[name]
		next.Record = next.Record.Clone()
		changed := next.Record.Moved != ""
		next.Record.Moved = ""
		for _, count := range counts[name] {
			changed = carry(&next.Record, m.From, m.To, count, m.Now()) || changed
		}
		if !changed {
			continue
		}
		_, err := m.To.Store.Save(ctx, name, next)
		switch {
		case err == nil:
			wrote = true
		case errors.Is(err, ledger.ErrConflict):
			conflict = true
		default:
			return wrote, conflict, fmt.Errorf("the destination: %w", err)
		}
	}
	return wrote, conflict, nil
}

// progress sums up the source.
func (m Migration) progress(source map[string]ledger.Stored, running func(pod string) bool) Progress {
	var progress Progress
	living := map[ledger.Owner]struct{}{}
	for _, stored := range source {
		progress.Counters += len(stored.Record.Windows)
		for _, count := range stored.Record.Windows {
			own := without(count, ledger.CarriedOwner(m.To.Name))
			progress.Spent = add(progress.Spent, own.Total().Spent)
			progress.Lost = add(progress.Lost, own.Folded.Lost)
			for owner, entry := range own.Owners {
				if owner.Carried() || !running(owner.Pod()) {
					progress.Lost = add(progress.Lost, entry.Held())
					continue
				}
				progress.Reserved = add(progress.Reserved, entry.Held())
				living[owner] = struct{}{}
			}
		}
	}
	progress.Living = len(living)
	return progress
}

// finish says in every document of the source that it is done, if none has changed since it was carried, and tells whether it could.
func (m Migration) finish(ctx context.Context, source map[string]ledger.Stored) (bool, error) {
	for _, name := range slices.Sorted(maps.Keys(source)) {
		stored := source[name]
		if stored.Record.Moved == m.To.Name+doneMark {
			continue
		}
		stored.Record = stored.Record.Clone()
		stored.Record.Moved = m.To.Name + doneMark
		_, err := m.From.Store.Save(ctx, name, stored)
		if errors.Is(err, ledger.ErrConflict) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// Run does passes, at intervals, until all ledgers are done, ctx is, or a pass fails. seen gets the progress of each.
func (m Migration) Run(ctx context.Context, interval time.Duration, ledgers []string, seen func(of string, progress Progress)) error {
	left := slices.Clone(ledgers)
	for {
		var still []string
		for _, of := range left {
			progress, err := m.Pass(ctx, of)
			if err != nil {
				return err
			}
			seen(of, progress)
			if !progress.Done {
				still = append(still, of)
			}
		}
		if left = still; len(left) == 0 {
			return nil
		}
		timer := time.NewTimer(interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
