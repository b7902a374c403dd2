package openai

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// groqPatch tells Groq's id in the first chunk, and the usage where there is one in a chunk that ends a choice.
func (f *passedStream) groqPatch(patches []dialect.Patch, d *document, usageAt int) []dialect.Patch {
	at := d.start + 1
	switch {
	case d.finish && usageAt != 0:
		f.greeted = true
		return append(patches, dialect.Patch{At: at, End: at, Text: f.groqUsage()})
	case !f.greeted:
		f.greeted = true
		return append(patches, dialect.Patch{At: at, End: at, Text: f.greeting})
	}
	return patches
}

// groqUsage is the member "x_groq" with the usage so far.
func (f *passedStream) groqUsage() string {
	dst := append([]byte(`"x_groq":{"id":"`), groqID(&f.o)...)
	usage, _ := f.tally.Usage()
	dst = appendUsage(append(dst, `","usage":`...), usage, &f.o)
	return string(append(dst, "},"...))
}

// hold keeps an event that ends a choice until the usage is known. One that was held before goes out.
func (f *passedStream) hold(d *document, event sse.Event) []byte {
	before := append([]byte(nil), f.behindHeld(nil)...)
	held := f.apply(event)
	f.heldAt = d.start + 1 + len("data: ")
	if event.DataAt >= 0 {
		f.heldAt = d.start + 1 + event.DataAt
	}
	f.held = append(f.held[:0], held...)
	return before
}

// behindHeld returns next behind the event that was held back, if there is one.
func (f *passedStream) behindHeld(next []byte) []byte {
	if len(f.held) == 0 {
		return next
	}
	f.joined = append(f.joined[:0], f.held[:f.heldAt]...)
	switch _, reported := f.tally.Usage(); {
	case reported:
		f.joined = append(f.joined, f.groqUsage()...)
	case !f.greeted:
		f.joined = append(f.joined, f.greeting...)
	}
	f.greeted = true
	f.joined = append(append(f.joined, f.held[f.heldAt:]...), next...)
	f.held = f.held[:0]
	return f.joined
}
