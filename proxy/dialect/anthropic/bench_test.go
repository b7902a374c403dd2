package anthropic_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// BenchmarkReadDelta reads one addition to a text.
func BenchmarkReadDelta(b *testing.B) {
	reader := anthropic.Messages{}.NewStreamReader()
	frame := sse.Event{Name: []byte("content_block_delta"), Data: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" a few words\n"}}`)}
	var events []neutral.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = reader.Read(events[:0], frame); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteDelta writes one addition to a text.
func BenchmarkWriteDelta(b *testing.B) {
	writer := anthropic.Messages{}.NewStreamWriter(dialect.Exchange{ID: "x"})
	start, delta := partStart(0, textPart), partDelta(0, neutral.Delta{Text: " a few words\n"})
	out := writer.Write(nil, &start)
	b.ReportAllocs()
	for b.Loop() {
		out = writer.Write(out[:0], &delta)
	}
}
