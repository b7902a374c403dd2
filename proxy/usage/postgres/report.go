package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"signalbox.dev/signalbox/proxy/usage"
)

// maxRows bounds a report; the most expensive rows come first.
const maxRows = 100_000

// Query chooses the records of a report.
type Query struct {
	usage.Filter
	// Namespace whose records are added up; empty is all.
	Namespace string
	// By are the dimensions; none is one row for everything.
	By []usage.Dimension
}

// Report adds up the records in a database, reached with a user who can select from signalbox.usage.
func Report(ctx context.Context, url string, q Query) (*usage.Summary, error) {
	config, err := configure(url, nil)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, config)
	if err != nil {
		return nil, err
	}
	// What was read is read, whatever comes of the end of the connection.
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	text, arguments := q.statement()
	rows, err := conn.Query(ctx, text, arguments...)
	if err != nil {
		return nil, fmt.Errorf("adding up usage: %w", outage(err))
	}
	summary := &usage.Summary{By: q.By, Since: q.Since, Until: q.Until}
	summary.Rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (usage.Row, error) { return scanRow(row, len(q.By)) })
	if err != nil {
		return nil, fmt.Errorf("adding up usage: %w", outage(err))
	}
	usage.SortRows(summary.Rows)
	return summary, nil
}

// statement is the query. Dimensions come from a closed list; what people gave is an argument.
func (q *Query) statement() (string, []any) {
	var arguments []any
	argument := func(value any) string {
		arguments = append(arguments, value)
		return fmt.Sprintf("$%d", len(arguments))
	}
	var keys, positions, where []string
	for i, d := range q.By {
		keys = append(keys, expression(d, argument))
		positions = append(positions, fmt.Sprint(i+1))
	}
	for _, sum := range [...]string{
		"count(*)", "count(*) FILTER (WHERE outcome <> 'completed')", "count(*) FILTER (WHERE estimated)", "count(*) FILTER (WHERE unpriced)",
		total("prompt_tokens"), total("cached_tokens"), total("completion_tokens"), total("reasoning_tokens"), total("cost_nanodollars"),
	} {
		keys = append(keys, sum)
	}
	if q.Namespace != "" {
		where = append(where, "namespace = "+argument(q.Namespace))
	}
	if q.Caller != "" {
		where = append(where, "caller = "+argument(q.Caller))
	}
	if !q.Since.IsZero() {
		where = append(where, "time >= "+argument(q.Since))
	}
	if !q.Until.IsZero() {
		where = append(where, "time < "+argument(q.Until))
	}
	text := "SELECT " + strings.Join(keys, ", ") + " FROM signalbox.usage"
	if len(where) > 0 {
		text += " WHERE " + strings.Join(where, " AND ")
	}
	if len(positions) > 0 {
		text += " GROUP BY " + strings.Join(positions, ", ")
	}
	return text + fmt.Sprintf(" HAVING count(*) > 0 ORDER BY %d DESC LIMIT %d", len(keys), maxRows), arguments
}

// total is a sum that stops at the largest number.
func total(column string) string {
	return "least(coalesce(sum(" + column + "), 0), 9223372036854775807)::bigint"
}

// expression is a dimension in SQL. All but days, hours and tags are columns.
func expression(d usage.Dimension, argument func(any) string) string {
	if key, isTag := d.Tag(); isTag {
		return "coalesce(tags ->> " + argument(key) + "::text, '')"
	}
	switch d {
	case "day":
		return `to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD')`
	case "hour":
		return `to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":00:00Z"')`
	default:
		return pgx.Identifier{string(d)}.Sanitize()
	}
}

func scanRow(row pgx.CollectableRow, dimensions int) (usage.Row, error) {
	r := usage.Row{Values: make([]string, dimensions)}
	into := make([]any, 0, dimensions+9)
	for i := range r.Values {
		into = append(into, &r.Values[i])
	}
	into = append(into, &r.Requests, &r.Failed, &r.Estimated, &r.Unpriced, &r.Prompt, &r.Cached, &r.Completion, &r.Reasoning, &r.Cost)
	return r, row.Scan(into...)
}
