package gemini_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// BenchmarkReadStream reads one event with a piece of text, as Google sends most of.
func BenchmarkReadStream(b *testing.B) {
	frame := sse.Event{Data: []byte(`{"candidates":[{"content":{"parts":[{"text":"a piece of text\nof usual size"}],"role":"model"},"index":0}],` +
		`"usageMetadata":{"promptTokenCount":120,"candidatesTokenCount":11,"totalTokenCount":131,"promptTokensDetails":[{"modality":"TEXT","tokenCount":120}]},` +
		`"modelVersion":"gemini-2.5-flash","responseId":"EI5xaK-vOtqJm22IPmuCR14AI"}`)}
	reader := gemini.Generate{}.NewStreamReader()
	var events []neutral.Event
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if events, err = reader.Read(events[:0], frame); err != nil || len(events) == 0 {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteStream writes one piece of text.
func BenchmarkWriteStream(b *testing.B) {
	writer := gemini.Generate{}.NewStreamWriter(dialect.Exchange{Model: "chat", ID: "0123456789"})
	start := neutral.Event{Kind: neutral.EventPartStart, Part: neutral.Part{Kind: neutral.TextPart}}
	out := writer.Write(nil, &start)
	delta := neutral.Event{Kind: neutral.EventPartDelta, Delta: neutral.Delta{Text: "a piece of text\nof usual size"}}
	b.ReportAllocs()
	for b.Loop() {
		if out = writer.Write(out[:0], &delta); len(out) == 0 {
			b.Fatal("nothing is written")
		}
	}
}
