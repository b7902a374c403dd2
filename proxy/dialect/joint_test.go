package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

// words is a dialect for tests: each event is a line of words, and each word an event of the neutral form.
type words struct{ finished bool }

var errWord = errors.New("unknown word")

func (w *words) Read(dst []neutral.Event, frame sse.Event) ([]neutral.Event, error) {
	for _, word := range strings.Fields(string(frame.Data)) {
		e := neutral.Event{Kind: neutral.EventKind(word)}
		switch word {
		case "start", "part_stop", "ping", "end":
		case "part_start":
			e.Part.Kind = neutral.TextPart
		case "tool":
			e.Kind, e.Part = neutral.EventPartStart, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{Name: "f"}}
		case "usage":
			e.Usage = meter.Usage{Prompt: 7, Completion: 2}
		case "finish":
			e.Finish, w.finished = neutral.FinishStop, true
		case "failure":
			e.Err = &neutral.Error{Message: "overloaded", Status: 529}
		case "bad":
			return dst, &dialect.StreamError{Err: errWord}
		default:
			e.Kind, e.Delta.Text = neutral.EventPartDelta, word
		}
		dst = append(dst, e)
	}
	return dst, nil
}

func (w *words) End(dst []neutral.Event) ([]neutral.Event, bool) {
	if !w.finished {
		return dst, false
	}
	return append(dst, neutral.Event{Kind: neutral.EventEnd}), true
}

func (w *words) Write(dst []byte, e *neutral.Event) []byte {
	if e.Kind == neutral.EventPartDelta {
		return append(append(dst, e.Delta.Text...), '|')
	}
	return append(append(dst, e.Kind...), '|')
}

// step is what a stream says of an event.
type step struct {
	Kind   dialect.StepKind
	Output string
}

func TestStreams(t *testing.T) {
	for name, tc := range map[string]struct {
		events       []string
		crossed      []step
		end          string
		whole, begun bool
		settled      meter.Usage
	}{
		"whole": {
			events: []string{"start usage", "part_start", "ping", "hello", "part_stop finish", "usage end"},
			crossed: []step{
				{dialect.StepChunk, "start|usage|"}, {dialect.StepChunk, "part_start|"}, {dialect.StepComment, "ping|"}, {dialect.StepToken, "hello|"},
				{dialect.StepToken, "part_stop|finish|"}, {dialect.StepDone, "usage|end|"},
			},
			end: "end|", whole: true, begun: true, settled: meter.Usage{Prompt: 7, Completion: 2},
		},
		"cut after text": {
			events:  []string{"start usage", "part_start", "hello"},
			crossed: []step{{dialect.StepChunk, "start|usage|"}, {dialect.StepChunk, "part_start|"}, {dialect.StepToken, "hello|"}},
			begun:   true, settled: meter.Usage{Prompt: 7, Completion: 4, Estimated: true},
		},
		"no usage at all": {
			events: []string{"start", "tool", "hello", "finish"},
			crossed: []step{
				{dialect.StepChunk, "start|"}, {dialect.StepToken, "part_start|"}, {dialect.StepToken, "hello|"}, {dialect.StepToken, "finish|"},
			},
			end: "end|", whole: true, begun: true, settled: meter.Usage{Prompt: 34, Completion: 2, Estimated: true},
		},
		"failure": {
			events:  []string{"start", "failure"},
			crossed: []step{{dialect.StepChunk, "start|"}, {dialect.StepFailure, ""}},
			settled: meter.Usage{Prompt: 34, Estimated: true},
		},
		"failure behind a token": {
			events:  []string{"start", "tool hello failure"},
			crossed: []step{{dialect.StepChunk, "start|"}, {dialect.StepFailure, "part_start|hello|"}},
			begun:   true, settled: meter.Usage{Prompt: 34, Completion: 2, Estimated: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			crossing, passing := dialect.NewCrossingStream(&words{}, &words{}), dialect.NewPassingStream(&words{}, nil)
			for i, event := range tc.events {
				checkNext(t, crossing, event, tc.crossed[i])
				raw := "raw " + event
				if tc.crossed[i].Kind == dialect.StepFailure { // The error is written anew.
					raw = ""
				}
				checkNext(t, passing, event, step{tc.crossed[i].Kind, raw})
			}
			for way, stream := range map[string]dialect.Stream{"crossing": crossing, "passing": passing} {
				output, whole := stream.End()
				wantEnd := tc.end
				if way == "passing" {
					wantEnd = ""
				}
				if whole != tc.whole || string(output) != wantEnd || stream.Started() != tc.begun {
					t.Errorf("%s ends with %q, whole %v, started %v", way, output, whole, stream.Started())
				}
				if diff := cmp.Diff(tc.settled, stream.Settle(100)); diff != "" {
					t.Errorf("%s settles (-want +got):\n%s", way, diff)
				}
			}
		})
	}
}

func checkNext(t *testing.T, stream dialect.Stream, event string, want step) {
	t.Helper()
	got, err := stream.Next(sse.Event{Raw: []byte("raw " + event), Data: []byte(event)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, step{got.Kind, string(got.Output)}); diff != "" {
		t.Errorf("%T of %q (-want +got):\n%s", stream, event, diff)
	}
}

func TestStreamErrors(t *testing.T) {
	for way, stream := range map[string]dialect.Stream{
		"crossing": dialect.NewCrossingStream(&words{}, &words{}), "passing": dialect.NewPassingStream(&words{}, nil),
	} {
		var unreadable *dialect.StreamError
		if _, err := stream.Next(sse.Event{Data: []byte("start bad")}); !errors.As(err, &unreadable) || !errors.Is(err, errWord) {
			t.Errorf("%s: %v", way, err)
		}
		step, err := stream.Next(sse.Event{Raw: []byte(": comment\n\n")})
		if err != nil || step.Kind != dialect.StepComment {
			t.Errorf("%s: a comment is %v, %v", way, step, err)
		}
	}
}

func TestPassingRewrites(t *testing.T) {
	stream := dialect.NewPassingStream(&words{}, func(event sse.Event) []byte { return []byte("<" + string(event.Data) + ">") })
	step, err := stream.Next(sse.Event{Raw: []byte("raw"), Data: []byte("hello")})
	if err != nil || string(step.Output) != "<hello>" {
		t.Errorf("%q, %v", step.Output, err)
	}
}

func TestPassingAnswer(t *testing.T) {
	read := &neutral.Response{Choices: []neutral.Choice{{Parts: []neutral.Part{
		{Kind: neutral.TextPart, Text: "123456"}, {Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{Name: "f", Arguments: "{}"}},
		{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: "abc", Summary: []string{"de"}, Encrypted: "f"}},
	}}}}
	answer := dialect.NewPassingAnswer([]byte("body"), read, nil)
	if diff := cmp.Diff(meter.EstimateUsage(30, 15, 0), answer.Settle(30)); diff != "" {
		t.Errorf("an answer without usage (-want +got):\n%s", diff)
	}
	if _, reported := answer.Reported(); reported || string(answer.Body(meter.Usage{})) != "body" {
		t.Error("an answer without usage reports some, or does not pass")
	}
	read.Usage = &meter.Usage{Prompt: 3, Completion: 1}
	if diff := cmp.Diff(*read.Usage, answer.Settle(30)); diff != "" {
		t.Errorf("an answer with usage (-want +got):\n%s", diff)
	}
	read.Usage.Estimated = true
	if diff := cmp.Diff(meter.Usage{Prompt: 10, Completion: 5, Estimated: true}, answer.Settle(30)); diff != "" {
		t.Errorf("an answer with odd usage (-want +got):\n%s", diff)
	}
}
