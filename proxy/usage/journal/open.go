package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dirlock"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/usage"
)

// Defaults and bounds of Options.
const (
	// DefaultMaxBytes bounds a journal on disk.
	DefaultMaxBytes = 256 << 20
	// DefaultMemoryBytes bounds a journal in memory.
	DefaultMemoryBytes = 16 << 20
	// MinBytes is the least that a journal can have.
	MinBytes = 1 << 20
	// maxSegmentBytes and minSegmentBytes bound a segment.
	maxSegmentBytes = 8 << 20
	minSegmentBytes = 64 << 10
	// leastSegments is how many segments there is room for at least, so that dropping the oldest one leaves most of the records.
	leastSegments = 8
)

// ErrInUse tells that another process has the directory.
var ErrInUse = errors.New("it is in use by another process")

// Options of a journal.
type Options struct {
	// Dir is the journal's own directory; it is made when there is none. Empty keeps the journal in memory: it works alike and ends with the process.
	Dir string
	// MaxBytes bounds the journal; 0 is DefaultMaxBytes, in memory DefaultMemoryBytes. Open requests can add a few kilobytes each.
	MaxBytes int64
	// SegmentBytes is how large a segment becomes; 0 is a 32nd of MaxBytes, 64 KiB to 8 MiB. At most an eighth of MaxBytes.
	SegmentBytes int64
	// RefuseWhenFull refuses attempts while there is no room, rather than to drop the oldest records.
	RefuseWhenFull bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log takes what goes wrong, once each time; nil is slog.Default().
	Log *slog.Logger
}

// Recovery is what an earlier run of the same pod left.
type Recovery struct {
	// Counters that the ledger may not have, for Book.Recover.
	Counters []ledger.Recovered
	// Lost are the records of requests whose end is not known. They are in the journal, too: sinks get them by themselves.
	Lost []*usage.Record
	// Records is how many records there are, those of Lost not among them; most of them the sinks have already.
	Records int64
	// CorruptBytes is how much could not be read, the torn end of the last write included.
	CorruptBytes int64
	// Foreign are the names of files that are not the journal's, or of a later version; they are left alone.
	Foreign []string
}

// Open opens or makes a journal and finds out how an earlier run ended.
func Open(o Options) (*Journal, *Recovery, error) {
	j := newJournal(o)
	if o.Dir == "" {
		return j, &Recovery{}, nil
	}
	if err := j.openDirectory(o.Dir); err != nil {
		return nil, nil, err
	}
	found, err := j.readDirectory()
	if err != nil {
		return nil, nil, errors.Join(err, j.Close())
	}
	r := found.recovery(j.now())
	j.begin(found, r)
	r.CorruptBytes, r.Foreign = found.corrupt, found.foreign
	j.tally.corruptBytes, j.tally.foreign = found.corrupt, j.tally.foreign+int64(len(found.foreign))
	if r.CorruptBytes > 0 || len(r.Foreign) > 0 {
		j.log.Warn("parts of the usage journal could not be read", "bytes", r.CorruptBytes, "foreign_files", r.Foreign)
	}
	return j, r, nil
}

func newJournal(o Options) *Journal {
	j := &Journal{
		maxBytes: o.MaxBytes, now: o.Now, log: o.Log, shelf: memory{}, open: map[string]openRequest{}, counters: map[counterKey]*counterNote{},
		cursors: map[string]*cursor{}, told: map[string]bool{}, moved: make(chan struct{}),
		tally: tally{dropped: map[string]int64{}, refused: map[string]int64{}},
	}
	if j.maxBytes <= 0 {
		j.maxBytes = DefaultMaxBytes
		if o.Dir == "" {
			j.maxBytes = DefaultMemoryBytes
		}
	}
	j.maxBytes = max(j.maxBytes, MinBytes)
	j.segmentBytes = o.SegmentBytes
	if j.segmentBytes <= 0 {
		j.segmentBytes = min(max(j.maxBytes/32, minSegmentBytes), maxSegmentBytes)
	}
	j.segmentBytes = min(j.segmentBytes, j.maxBytes/leastSegments)
	if j.now == nil {
		j.now = time.Now
	}
	if j.log == nil {
		j.log = slog.Default()
	}
	j.refuse.Store(o.RefuseWhenFull)
	return j
}

func (j *Journal) openDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the directory of the usage journal: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("opening the directory of the usage journal: %w", err)
	}
	lock, err := dirlock.Acquire(root)
	if errors.Is(err, dirlock.ErrInUse) {
		err = ErrInUse
	}
	if err != nil {
		return errors.Join(fmt.Errorf("taking the directory of the usage journal, %s: %w", dir, err), root.Close())
	}
	j.root, j.lock, j.shelf = root, lock, folder{root: root}
	return nil
}

// readDirectory reads all segments, the oldest first, and the cursors.
func (j *Journal) readDirectory() (*found, error) {
	entries, err := fs.ReadDir(j.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("listing the usage journal: %w", err)
	}
	f := newFound()
	var numbers []uint64
	var cursors []string
	for _, entry := range entries {
		name := entry.Name()
		number, isSegment := segmentNumber(name)
		switch {
		case isSegment && entry.Type().IsRegular():
			numbers = append(numbers, number)
		case strings.HasPrefix(name, cursorPrefix) && sinkName.MatchString(strings.TrimPrefix(name, cursorPrefix)):
			cursors = append(cursors, name)
		case name != "lock" && (!strings.HasPrefix(name, cursorPrefix) || !strings.HasSuffix(name, cursorNew)):
			f.foreign = append(f.foreign, name)
		}
	}
	slices.SortFunc(numbers, cmp.Compare[uint64])
	for _, number := range numbers {
		j.last = number
		j.readSegment(f, number)
	}
	for _, name := range cursors {
		j.load(name)
	}
	return f, nil
}

// segmentNumber reads the name of a segment. The last numbers are left out, for there must be later ones.
func segmentNumber(name string) (uint64, bool) {
	digits := strings.TrimSuffix(strings.TrimPrefix(name, segmentPrefix), segmentSuffix)
	number, err := strconv.ParseUint(digits, 16, 63)
	return number, err == nil && number > 0 && name == segmentName(number)
}

// readSegment reads one file. What is damaged in it is left out.
func (j *Journal) readSegment(f *found, number uint64) {
	file, err := j.root.OpenFile(segmentName(number), os.O_RDONLY, 0)
	if err != nil {
		f.refuse(j.log, number, err)
		return
	}
	s := &segment{number: number, medium: file, first: j.recorded, torn: true, scanned: true}
	if err := j.scanSegment(f, s, file); err != nil {
		f.refuse(j.log, number, errors.Join(err, file.Close()))
		return
	}
	j.segments = append(j.segments, s)
	j.bytes += s.size
	j.recorded += s.records
}

func (j *Journal) scanSegment(f *found, s *segment, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	header := make([]byte, min(int64(len(segmentHeader)), s.size))
	if _, err := file.ReadAt(header, 0); err != nil {
		return orUnexpected(err)
	}
	from := int64(len(header))
	if string(header) != segmentHeader[:len(header)] {
		if strings.HasPrefix(string(header), segmentFamily) {
			return errors.New("it is of another version")
		}
		from = 0
	}
	skipped, err := walk(file, from, s.size, func(fr frame) bool {
		f.add(fr)
		if fr.kind == kindEnd {
			s.records++
		}
		return true
	})
	f.corrupt += skipped
	return err
}

// begin writes what recovery found into a new segment, so that the old ones can go.
func (j *Journal) begin(f *found, r *Recovery) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Records = j.recorded
	now := j.now()
	for i := range r.Counters {
		note := &counterNote{Recovered: r.Counters[i], kind: kindRecovered, noted: now}
		j.counters[keyOf(&r.Counters[i].Claim)] = note
		at, err := j.append(note.text())
		if err != nil {
			j.lose("keeping a counter of an earlier run", err)
			continue
		}
		note.segment = at.segment
	}
	for _, lost := range r.Lost {
		e := j.frame(kindEnd)
		var none []ledger.Settlement
		settled(e, &lost.ID, &none)
		record(e, lost)
		if _, err := j.append(closeFrame(e.out)); err != nil {
			j.lose("writing the record of a lost request", err)
		}
		j.frames.Put(e)
	}
	if len(r.Lost) > 0 {
		j.log.Warn("requests of an earlier run have no known end", "requests", len(r.Lost), "attempts", len(f.attempts))
	}
}
