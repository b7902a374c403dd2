package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/journal"
)

// writeTimeout bounds one batch, its connection included.
const writeTimeout = 30 * time.Second

// staged is the table of a connection that a batch is copied into. COPY itself can neither pass over rows that are there nor go by row security.
const staged = "signalbox_staged"

// WriterOptions of a Writer.
type WriterOptions struct {
	// URL of the database, with the namespace's own role.
	URL string
	// CAPEM are the authorities of the server's certificate, as for an Admin.
	CAPEM []byte
	// Namespace whose records are written.
	Namespace string
}

// Writer is a sink of the journal. It has one connection, which it makes when it is needed and leaves after an error. One goroutine uses it at a time. It needs a
// session of its own: with a pooler in between, one that pools sessions.
type Writer struct {
	config    *pgx.ConnConfig
	namespace string
	conn      *pgx.Conn
	// statements and names are made once.
	stage, insert string
	columns       []column
	names         []string
}

// NewWriter connects when it is first used.
func NewWriter(o WriterOptions) (*Writer, error) {
	config, err := configure(o.URL, o.CAPEM)
	if err != nil {
		return nil, err
	}
	w := &Writer{config: config, namespace: o.Namespace, columns: columns(), names: names()}
	list := strings.Join(w.names, ", ")
	w.stage = `CREATE TEMPORARY TABLE ` + staged + ` (` + definitions() + `) ON COMMIT DELETE ROWS`
	// The order of the keys is the same for all proxies, so that none of them waits for another in a circle.
	w.insert = `INSERT INTO signalbox.usage (` + list + `) SELECT ` + list + ` FROM pg_temp.` + staged + ` ORDER BY time, id, namespace ON CONFLICT DO NOTHING`
	return w, nil
}

// Write implements journal.Sink. Records that are there already are passed over.
func (w *Writer) Write(ctx context.Context, records []*usage.Record) error {
	for _, r := range records {
		if r.Namespace != w.namespace {
			return &journal.RefusedError{Code: "namespace"}
		}
	}
	ctx, stop := context.WithTimeout(ctx, writeTimeout)
	defer stop()
	err := w.write(ctx, records)
	if err == nil {
		return nil
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) && isRefusal(refused) {
		return &journal.RefusedError{Code: refused.Code}
	}
	w.leave()
	return fmt.Errorf("writing usage records to the database: %w", outage(err))
}

// isRefusal tells that the database does not take a row for what is in it. A row without a partition is not one: the partition can come.
func isRefusal(err *pgconn.PgError) bool {
	switch {
	case strings.HasPrefix(err.Code, "22"):
		return true
	case strings.HasPrefix(err.Code, "23"):
		return err.ConstraintName != "" || err.ColumnName != ""
	default:
		return false
	}
}

// outage keeps of an error of the database what can be logged: its detail can hold a row.
func outage(err error) error {
	var told *pgconn.PgError
	if errors.As(err, &told) {
		return fmt.Errorf("the database says %q (%s)", told.Message, told.Code)
	}
	return err
}

func (w *Writer) write(ctx context.Context, records []*usage.Record) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		rows := pgx.CopyFromSlice(len(records), func(i int) ([]any, error) {
			values := make([]any, len(w.columns))
			for n, c := range w.columns {
				values[n] = c.value(records[i])
			}
			return values, nil
		})
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", staged}, w.names, rows); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, w.insert)
		return err
	})
}

func (w *Writer) connect(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	conn, err := dial(ctx, w.config)
	if err != nil {
		return err
	}
	w.conn = conn
	_, err = conn.Exec(ctx, w.stage)
	return err
}

// leave ends the connection.
func (w *Writer) leave() {
	if w.conn == nil {
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	// It is of no use any more, whatever comes of its end.
	_ = w.conn.Close(ctx)
	w.conn = nil
}

// Close ends the connection.
func (w *Writer) Close() { w.leave() }
