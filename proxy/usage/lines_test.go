package usage_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/usage"
)

// chunks keeps each write by itself.
type chunks struct {
	texts []string
	err   error
}

func (c *chunks) Write(p []byte) (int, error) {
	c.texts = append(c.texts, string(p))
	return len(p), c.err
}

func TestLines(t *testing.T) {
	out := &chunks{}
	var records []*usage.Record
	for i := range 500 {
		r := whole()
		r.ID = fmt.Sprint(i)
		records = append(records, r)
	}
	sink := usage.NewLines(out)
	for range 2 {
		if err := sink.Write(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(strings.Join(out.texts, ""), "\n"); n != 1000 {
		t.Errorf("there are %d lines, want 1000", n)
	}
	for _, text := range out.texts {
		if !strings.HasPrefix(text, `{"time":`) || !strings.HasSuffix(text, "}\n") || len(text) > 70<<10 {
			t.Errorf("a write of %d bytes is not of whole lines", len(text))
		}
	}
	out.err = errors.New("broken pipe")
	if err := sink.Write(t.Context(), records); !errors.Is(err, out.err) {
		t.Errorf("Write returned %v", err)
	}
}
