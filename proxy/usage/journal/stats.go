package journal

import (
	"cmp"
	"slices"
)

// Stats tell how a journal does. Counts are since it was opened.
type Stats struct {
	// Bytes that it takes, of MaxBytes.
	Bytes, MaxBytes int64
	// Segments it consists of.
	Segments int
	// Open requests.
	Open int
	// Notes that were written.
	Notes int64
	// Lost is how many notes could not be written.
	Lost int64
	// CorruptBytes that were left out.
	CorruptBytes int64
	// Foreign files that were found when it was opened.
	Foreign int64
	// Sinks by name.
	Sinks []SinkStats
}

// SinkStats tell how a sink does.
type SinkStats struct {
	// Sink is its name.
	Sink string
	// Waiting is how many records it does not have yet.
	Waiting int64
	// Dropped is how many it never gets for want of room, Refused how many it refused.
	Dropped, Refused int64
}

// Stats returns the numbers of now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{
		Bytes: j.bytes, MaxBytes: j.maxBytes, Segments: len(j.segments), Open: len(j.open),
		Notes: j.tally.notes, Lost: j.tally.lost, CorruptBytes: j.tally.corruptBytes, Foreign: j.tally.foreign,
	}
	for name, c := range j.cursors {
		s.Sinks = append(s.Sinks, SinkStats{
			Sink: name, Waiting: j.recorded - c.at.ordinal, Dropped: j.tally.dropped[name], Refused: j.tally.refused[name],
		})
	}
	slices.SortFunc(s.Sinks, func(a, b SinkStats) int { return cmp.Compare(a.Sink, b.Sink) })
	return s
}
