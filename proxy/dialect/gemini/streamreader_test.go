package gemini_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// TestReadStream reads streams, however their bytes arrive. The golden files hold what they mean.
func TestReadStream(t *testing.T) {
	for name, stream := range inputs(t, "stream", ".sse") {
		for arrival, arrive := range arrivals {
			t.Run(name+" "+arrival, func(t *testing.T) {
				all, whole, err := events(arrive(bytes.NewReader(stream)))
				if err != nil {
					t.Fatal(err)
				}
				if problem := grammar(all); problem != "" {
					t.Errorf("%s in\n%s", problem, described(all))
				}
				golden(t, "stream/"+name+".events", []byte(described(all)+fmt.Sprintf("whole=%v\n", whole)))
			})
		}
	}
}

// grammar checks that events come in the order that the neutral form promises.
func grammar(all []neutral.Event) string {
	check := orderCheck{open: map[int]bool{}, parts: map[int]int{}, finished: map[int]bool{}}
	for i := range all {
		e := &all[i]
		first, last := i == 0, i == len(all)-1
		ends := e.Kind == neutral.EventEnd || e.Kind == neutral.EventFailure
		switch {
		case first != (e.Kind == neutral.EventStart) && e.Kind != neutral.EventFailure, ends && !last, !check.part(e), !check.finish(e),
			e.Kind == neutral.EventEnd && len(check.open) > 0:
			return fmt.Sprintf("event %d, %s, comes at the wrong time", i, e.Kind)
		}
	}
	return ""
}

// orderCheck knows of each choice whether a part is open, how many there were, and whether it is finished.
type orderCheck struct {
	open, finished map[int]bool
	parts          map[int]int
}

// part tells whether an event of a part comes at its time.
func (c *orderCheck) part(e *neutral.Event) bool {
	open, parts := c.open[e.Choice], c.parts[e.Choice]
	switch e.Kind {
	case neutral.EventPartStart:
		c.open[e.Choice] = true
		c.parts[e.Choice]++
		return !open && !c.finished[e.Choice] && e.Index == parts
	case neutral.EventPartStop:
		delete(c.open, e.Choice)
		return open && e.Index == parts-1
	case neutral.EventPartDelta:
		return open && e.Index == parts-1
	default:
		return true
	}
}

// finish tells whether the end of a choice comes at its time.
func (c *orderCheck) finish(e *neutral.Event) bool {
	if e.Kind != neutral.EventFinish {
		return true
	}
	finished := c.finished[e.Choice]
	c.finished[e.Choice] = true
	return !finished && !c.open[e.Choice]
}

func TestReadStreamErrors(t *testing.T) {
	call := func(arguments string) string {
		return `{"candidates":[{"content":{"parts":[{"functionCall":{"name":"n","partialArgs":` + arguments + `}}]}}]}`
	}
	for name, data := range map[string]string{
		"no JSON":             `[DONE]`,
		"cut":                 `{"candidates":[{"content":`,
		"two objects":         `{} {}`,
		"not UTF-8":           "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\xff\"}]}}]}",
		"index":               `{"candidates":[{"index":128}]}`,
		"negative index":      `{"candidates":[{"index":-1}]}`,
		"index of no type":    `{"candidates":[{"index":"x"}]}`,
		"too many candidates": `{"candidates":[` + strings.Repeat(`{},`, 128) + `{}]}`,
		"pieces of no type":   call(`[1]`),
		"path without root":   call(`[{"jsonPath":"a","stringValue":"x"}]`),
		"empty path":          call(`[{"jsonPath":"$","stringValue":"x"}]`),
		"empty step":          call(`[{"jsonPath":"$.","stringValue":"x"}]`),
		"open bracket":        call(`[{"jsonPath":"$.a[","stringValue":"x"}]`),
		"open quote":          call(`[{"jsonPath":"$['a","stringValue":"x"}]`),
		"far index":           call(`[{"jsonPath":"$.a[1000000000]","stringValue":"x"}]`),
		"index of an object":  call(`[{"jsonPath":"$.a.b","stringValue":"x"},{"jsonPath":"$.a[0]","stringValue":"x"}]`),
		"member of an array":  call(`[{"jsonPath":"$.a[0]","stringValue":"x"},{"jsonPath":"$.a.b","stringValue":"x"}]`),
		"member of a text":    call(`[{"jsonPath":"$.a","stringValue":"x"},{"jsonPath":"$.a.b","stringValue":"x"}]`),
		"array at the root":   call(`[{"jsonPath":"$[0]","stringValue":"x"}]`),
		"deep path":           call(`[{"jsonPath":"$` + strings.Repeat(".a", 65) + `","stringValue":"x"}]`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gemini.Generate{}.NewStreamReader().Read(nil, sse.Event{Data: []byte(data)})
			var problem *dialect.StreamError
			if !errors.As(err, &problem) {
				t.Errorf("Read: %v, want a StreamError", err)
			}
		})
	}
}

func TestEmptyStreamIsNotWhole(t *testing.T) {
	if all, whole := (gemini.Generate{}).NewStreamReader().End(nil); whole || len(all) > 0 {
		t.Errorf("End() = %v, %v", all, whole)
	}
}
