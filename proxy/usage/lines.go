package usage

import (
	"context"
	"fmt"
	"io"
)

// Lines is the sink that writes each record as a line of JSON.
type Lines struct {
	out  io.Writer
	text []byte
}

// NewLines returns a sink that writes to out, whole lines in each write. One goroutine uses it at a time.
func NewLines(out io.Writer) *Lines { return &Lines{out: out} }

// linesBytes is about how much is written at a time.
const linesBytes = 64 << 10

// Write implements the journal's Sink.
func (l *Lines) Write(_ context.Context, records []*Record) error {
	l.text = l.text[:0]
	for i, r := range records {
		l.text = AppendLine(l.text, r)
		if len(l.text) < linesBytes && i+1 < len(records) {
			continue
		}
		if _, err := l.out.Write(l.text); err != nil {
			return fmt.Errorf("writing usage records: %w", err)
		}
		l.text = l.text[:0]
	}
	return nil
}
