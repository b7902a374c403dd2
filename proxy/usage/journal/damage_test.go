package journal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/usage"
)

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// readAll reads what a sink would get, all at once.
func readAll(t *testing.T, j *Journal) []string {
	t.Helper()
	if err := j.Use("sink"); err != nil {
		t.Fatal(err)
	}
	reader, err := j.Reader("sink")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for reader.position().ordinal < j.recorded {
		b, err := reader.read(7)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range b.records {
			ids = append(ids, r.ID)
		}
		j.advance(reader.cursor, b.to)
	}
	return ids
}

// written makes a directory with records and returns the path and the text of its segment.
func written(t *testing.T, ids ...string) (dir, segment string, text []byte) {
	t.Helper()
	dir = t.TempDir()
	j, _, err := Open(Options{Dir: dir, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Use("sink"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		j.End(&usage.Record{ID: id, Time: time.Unix(1, 0)}, nil)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	segment = filepath.Join(dir, segmentName(1))
	text, err = os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	return dir, segment, text
}

// endsOf are the offsets behind the frames of a segment.
func endsOf(t *testing.T, text []byte) []int {
	t.Helper()
	var ends []int
	if _, err := walk(strings.NewReader(string(text)), 0, int64(len(text)), func(f frame) bool {
		ends = append(ends, int(f.end))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return ends
}

// TestDamage: what is whole is found around what is not, and what is not is counted.
func TestDamage(t *testing.T) {
	all := []string{"a", "b", "c"}
	_, _, pristine := written(t, all...)
	ends := endsOf(t, pristine)
	for name, tc := range map[string]struct {
		damage      func(text []byte) []byte
		want        []string
		wantForeign int
	}{
		"torn tail":        {damage: func(text []byte) []byte { return text[:len(text)-3] }, want: []string{"a", "b"}},
		"torn to a header": {damage: func(text []byte) []byte { return text[:ends[1]+5] }, want: []string{"a", "b"}},
		"a flipped bit":    {damage: func(text []byte) []byte { text[ends[0]+frameHeader+1] ^= 1; return text }, want: []string{"a", "c"}},
		"a flipped length": {damage: func(text []byte) []byte { text[ends[0]+8] ^= 1; return text }, want: []string{"a", "c"}},
		"a huge length":    {damage: func(text []byte) []byte { text[ends[0]+10] = 0xff; return text }, want: []string{"a", "c"}},
		"garbage between": {damage: func(text []byte) []byte {
			return slices.Concat(text[:ends[0]], []byte("\xa7\x5b\xa7\x5b garbage \xa7"), text[ends[0]:])
		}, want: all},
		"zeros behind":        {damage: func(text []byte) []byte { return append(text, make([]byte, 4096)...) }, want: all},
		"a lost beginning":    {damage: func(text []byte) []byte { return text[30:] }, want: []string{"b", "c"}},
		"a bad header":        {damage: func(text []byte) []byte { text[0] = 'x'; return text }, want: all},
		"a later version":     {damage: func(text []byte) []byte { text[len(segmentFamily)] = '2'; return text }, wantForeign: 1},
		"an unknown kind":     {damage: func(text []byte) []byte { return append(text, closeFrame(openFrame(nil, 99))...) }, want: all},
		"an empty payload":    {damage: func(text []byte) []byte { return append(text, closeFrame(openFrame(nil, kindEnd))...) }, want: all},
		"nothing but garbage": {damage: func([]byte) []byte { return []byte(strings.Repeat("\xa7\x5b", 3000)) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir, segment, text := written(t, all...)
			if err := os.WriteFile(segment, tc.damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			j, recovery, err := Open(Options{Dir: dir, Log: silent})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, readAll(t, j)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if len(recovery.Foreign) != tc.wantForeign || tc.wantForeign == 0 && recovery.CorruptBytes == 0 || j.Stats().CorruptBytes < recovery.CorruptBytes {
				t.Errorf("recovery tells of %d corrupt bytes and the files %q", recovery.CorruptBytes, recovery.Foreign)
			}
			// The journal goes on in a new segment.
			j.End(&usage.Record{ID: "new", Time: time.Unix(2, 0)}, nil)
			if got := readAll(t, j); len(got) != 1 || got[0] != "new" {
				t.Errorf("then it reads %q", got)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir, _, _ := written(t, "a")
	for _, name := range []string{"notes.txt", "segment-zz.log", "segment-0000000000000000.log", "segment-ffffffffffffffff.log", "cursor-../x"} {
		name = strings.ReplaceAll(name, "/", "_")
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, segmentName(7)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cursor-sink"), []byte("{garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, recovery, err := Open(Options{Dir: dir, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	if len(recovery.Foreign) != 6 {
		t.Errorf("foreign files are %q", recovery.Foreign)
	}
	if diff := cmp.Diff([]string{"a"}, readAll(t, j)); diff != "" {
		t.Errorf("with a cursor that cannot be read (-want +got):\n%s", diff)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range recovery.Foreign {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// fullDisk is a disk with so much room.
type fullDisk struct{ room int }

type fullFile struct {
	buffer
	disk *fullDisk
}

func (d *fullDisk) create(uint64) (medium, error) {
	if d.room <= 0 {
		return nil, &os.PathError{Op: "open", Path: "segment", Err: syscall.ENOSPC}
	}
	return &fullFile{disk: d}, nil
}

func (d *fullDisk) remove(uint64) error { return nil }

// Write writes as much as there is room for, as a disk does.
func (f *fullFile) Write(p []byte) (int, error) {
	fits := min(len(p), max(0, f.disk.room))
	f.disk.room -= fits
	if n, err := f.buffer.Write(p[:fits]); err != nil || fits == len(p) {
		return n, err
	}
	return fits, &os.PathError{Op: "write", Path: "segment", Err: syscall.ENOSPC}
}

// Truncate frees room.
func (f *fullFile) Truncate(size int64) error {
	f.disk.room += len(f.text) - int(size)
	return f.buffer.Truncate(size)
}

// Close frees the room, for the journal closes what it removes.
func (f *fullFile) Close() error { return f.Truncate(0) }

// TestFullDisk: where the disk has less room than the journal may take, the oldest records go, and what is written is whole.
func TestFullDisk(t *testing.T) {
	j, _, err := Open(Options{MaxBytes: 8 << 20, SegmentBytes: 16 << 10, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	j.shelf = &fullDisk{room: 100_000}
	if err := j.Use("sink"); err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		id := strings.Repeat("i", 100) + string(rune('a'+i%26)) + time.Unix(int64(i), 0).UTC().Format("150405")
		if err := j.Begin(&Attempt{Record: id, Time: time.Unix(1, 0), Draft: &usage.Record{ID: id}}); err != nil {
			t.Fatal(err)
		}
		j.End(&usage.Record{ID: id, Time: time.Unix(1, 0)}, nil)
	}
	stats := j.Stats()
	ids := readAll(t, j)
	if int(stats.Sinks[0].Dropped)+len(ids) != 2000 || len(ids) < 100 || stats.Lost != 0 || j.Stats().CorruptBytes != 0 {
		t.Errorf("%d dropped, %d delivered, %+v", stats.Sinks[0].Dropped, len(ids), stats)
	}
	// Without any room attempts go on, and are refused where that was chosen.
	j.shelf = &fullDisk{}
	j.segments[len(j.segments)-1].torn = true
	if err := j.Begin(&Attempt{Record: "x", Time: time.Unix(1, 0)}); err != nil {
		t.Errorf("an attempt was refused: %v", err)
	}
	if j.Stats().Lost == 0 {
		t.Error("what could not be written was not counted")
	}
	j.RefuseWhenFull(true)
	if err := j.Begin(&Attempt{Record: "x", Time: time.Unix(1, 0)}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an attempt was not refused: %v", err)
	}
}

// TestDroppedInFlight: records that a sink holds are not counted as dropped when their segment goes.
func TestDroppedInFlight(t *testing.T) {
	j, _, err := Open(Options{MaxBytes: MinBytes, SegmentBytes: 8 << 10, Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Use("sink"); err != nil {
		t.Fatal(err)
	}
	reader, err := j.Reader("sink")
	if err != nil {
		t.Fatal(err)
	}
	put := func(n int) {
		for range n {
			j.End(&usage.Record{ID: strings.Repeat("x", 200), Time: time.Unix(1, 0)}, nil)
		}
	}
	put(500)
	held, err := reader.read(400)
	if err != nil {
		t.Fatal(err)
	}
	put(6000)
	j.advance(reader.cursor, held.to)
	rest := readAll(t, j)
	if dropped := j.Stats().Sinks[0].Dropped; dropped < 100 || int(dropped)+400+len(rest) != 6500 {
		t.Errorf("%d dropped, 400 held, %d read", dropped, len(rest))
	}
}

// TestDamagedSinceWritten: a record that rots on the disk while the process runs is passed, not waited for.
func TestDamagedSinceWritten(t *testing.T) {
	j, _, err := Open(Options{Log: silent})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Use("sink"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		j.End(&usage.Record{ID: id, Time: time.Unix(1, 0)}, nil)
	}
	file, ok := j.segments[0].medium.(*buffer)
	if !ok {
		t.Fatal("the journal is not in memory")
	}
	file.text[len(file.text)-1] ^= 1
	if got := readAll(t, j); len(got) != 1 || got[0] != "a" || j.Stats().CorruptBytes == 0 {
		t.Errorf("it reads %q, %d bytes are corrupt", got, j.Stats().CorruptBytes)
	}
	reader, err := j.Reader("sink")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := reader.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the damaged record is waited for: %v", err)
	}
}

// FuzzSegment reads a segment of any bytes: it never panics, and all of them are frames or counted.
func FuzzSegment(f *testing.F) {
	whole := closeFrame((&encoder{}).begun(&Attempt{Record: "a", Draft: &usage.Record{Route: "r"}}))
	f.Add([]byte(segmentHeader))
	f.Add(append([]byte(segmentHeader), whole...))
	f.Add(append(whole[:9], whole...))
	f.Add(closeFrame(append(openFrame(nil, kindEnd), 1, 'a', 0, 0xff, 0xff, 0xff, 0xff, 0x0f)))
	f.Add(closeFrame(append(openFrame(nil, kindRecovered), 1, 'a')))
	f.Fuzz(func(t *testing.T, text []byte) {
		found := newFound()
		var framed int64
		skipped, err := walk(strings.NewReader(string(text)), 0, int64(len(text)), func(fr frame) bool {
			found.add(fr)
			framed += fr.end - fr.start
			if fr.kind == kindEnd {
				// A payload is read or is an error.
				_, _ = decodeEnd(fr.payload)
			}
			return true
		})
		if err != nil || framed+skipped != int64(len(text)) {
			t.Fatalf("%d bytes are frames and %d skipped, of %d: %v", framed, skipped, len(text), err)
		}
		for _, r := range found.recovery(time.Unix(1, 0)).Lost {
			if r.Cost < 0 || r.Outcome != usage.Lost {
				t.Fatalf("lost is %+v", r)
			}
		}
	})
}

// begun is the frame of an attempt.
func (e *encoder) begun(a *Attempt) []byte {
	e.out = openFrame(e.out, kindBegin)
	begin(e, a)
	return e.out
}
