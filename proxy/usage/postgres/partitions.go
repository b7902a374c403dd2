package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// maxAhead bounds how many months partitions are made ahead.
	maxAhead = 24
	// monthsBack is how far back a month gets a partition of its own when records of it come late; older ones stay in the default partition.
	monthsBack = 12
	// leastRetention keeps a slip of the pen from dropping everything.
	leastRetention = 24 * time.Hour
	partitionName  = "usage_2006_01"
)

// monthOf is the first instant of a month of UTC, moved by a number of months.
func monthOf(t time.Time, step int) time.Time {
	year, month, _ := t.UTC().Date()
	return time.Date(year, month+time.Month(step), 1, 0, 0, 0, 0, time.UTC)
}

// EnsurePartitions makes the partitions of this month and of so many ahead, and of past months whose records stand in the default partition, which are moved.
func (a *Admin) EnsurePartitions(ctx context.Context, ahead int) error {
	if ahead < 0 || ahead > maxAhead {
		return fmt.Errorf("making partitions of usage: %d months ahead are not between 0 and %d", ahead, maxAhead)
	}
	now := a.now()
	months, err := a.lateMonths(ctx, now)
	if err != nil {
		return fmt.Errorf("making partitions of usage: %w", err)
	}
	for step := range ahead + 1 {
		months = append(months, monthOf(now, step))
	}
	for _, month := range months {
		// One transaction for each, so that locks are held for moments only.
		if err := a.change(ctx, func(tx pgx.Tx) error { return makePartition(ctx, tx, month) }); err != nil {
			return fmt.Errorf("making the partition of usage of %s: %w", month.Format("2006-01"), err)
		}
	}
	return nil
}

// lateMonths are the past months that have records in the default partition.
func (a *Admin) lateMonths(ctx context.Context, now time.Time) ([]time.Time, error) {
	var months []time.Time
	err := a.change(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT date_trunc('month', time, 'UTC') FROM signalbox.usage_default WHERE time >= $1 AND time < $2`,
			monthOf(now, -monthsBack), monthOf(now, 0))
		if err != nil {
			return err
		}
		months, err = pgx.CollectRows(rows, pgx.RowTo[time.Time])
		return err
	})
	for i := range months {
		months[i] = months[i].UTC()
	}
	return months, err
}

// makePartition makes the partition of a month and moves what the default partition has of it.
func makePartition(ctx context.Context, tx pgx.Tx, month time.Time) error {
	name := month.Format(partitionName)
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('signalbox.' || $1) IS NOT NULL`, name).Scan(&exists); err != nil || exists {
		return err
	}
	from, to := month.Format(time.RFC3339), monthOf(month, 1).Format(time.RFC3339)
	// Names and dates are made here, so nothing in them needs quotes. The default partition must be locked before records are moved out of it.
	for _, statement := range [...]string{
		`LOCK TABLE signalbox.usage_default IN ACCESS EXCLUSIVE MODE`,
		`CREATE TABLE signalbox.` + name + ` (LIKE signalbox.usage INCLUDING ALL)`,
		`WITH moved AS (DELETE FROM signalbox.usage_default WHERE time >= '` + from + `' AND time < '` + to + `' RETURNING *) INSERT INTO signalbox.` + name + ` SELECT * FROM moved`,
		`ALTER TABLE signalbox.usage ATTACH PARTITION signalbox.` + name + ` FOR VALUES FROM ('` + from + `') TO ('` + to + `')`,
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// Retention drops the partitions of months that ended longer ago than keep, and such records of the default partition.
func (a *Admin) Retention(ctx context.Context, keep time.Duration) error {
	if keep < leastRetention {
		return fmt.Errorf("dropping old usage: %s is shorter than %s", keep, leastRetention)
	}
	oldest := a.now().Add(-keep)
	names, err := a.partitions(ctx)
	var failed error
	for _, name := range names {
		month, notOurs := time.Parse(partitionName, name)
		if notOurs != nil || monthOf(month, 1).After(oldest) {
			continue
		}
		failed = errors.Join(failed, a.change(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS signalbox.`+month.Format(partitionName))
			return err
		}))
	}
	failed = errors.Join(err, failed, a.change(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM signalbox.usage_default WHERE time < $1`, oldest)
		return err
	}))
	if failed != nil {
		return fmt.Errorf("dropping old usage: %w", failed)
	}
	return nil
}

// partitions lists the partitions of the table.
func (a *Admin) partitions(ctx context.Context) ([]string, error) {
	var names []string
	err := a.change(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'signalbox.usage'::regclass`)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return names, err
}
