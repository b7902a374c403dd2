package window

import (
	"encoding/binary"
	"math"
)

const (
	// Accuracy is how far a percentile may be off, as a share of the true value.
	Accuracy = 0.04
	// growth is the ratio of the upper bounds of two buckets that follow each other: then every value of a bucket is within Accuracy of its middle.
	growth = (1 + Accuracy) / (1 - Accuracy)
	// Buckets is how many there are. The last one holds what is above 590,000, nearly ten minutes in milliseconds.
	Buckets = 168
	// maxPacked bounds a packed sketch: each bucket takes two bytes for its place and at most five for its count.
	maxPacked = Buckets * 7
	// maxCount bounds what one bucket of a packed sketch may claim, so that thousands of them can be added up.
	maxCount = math.MaxUint32
)

// Sketch counts values in buckets of equal ratio. Its zero value is empty. Sketches add up without loss.
type Sketch struct {
	counts [Buckets]uint64
	total  uint64
}

// bucketOf is the bucket of a value; that of 1 holds all that is below, too, and the last one all that is above.
func bucketOf(value int64) int {
	if value <= 1 {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(value))/logGrowth())), Buckets-1)
}

func logGrowth() float64 { return 0.08004270767353636 } // ln(growth), which is no constant expression in Go

// middle is the value that stands for a bucket.
func middle(bucket int) int64 {
	if bucket == 0 {
		return 1
	}
	return max(1, int64(math.Round(2*math.Pow(growth, float64(bucket))/(growth+1))))
}

// Add counts a value.
func (s *Sketch) Add(value int64) { s.add(bucketOf(value), 1) }

func (s *Sketch) add(bucket int, count uint64) {
	s.counts[bucket] += count
	s.total += count
}

// Count is how many values were added.
func (s *Sketch) Count() uint64 { return s.total }

// Quantile is the value that so many of a thousand values do not exceed; false without values.
func (s *Sketch) Quantile(permille uint64) (int64, bool) {
	if s.total == 0 {
		return 0, false
	}
	rank := max(1, (s.total*min(permille, 1000)+999)/1000)
	var seen uint64
	for bucket, count := range s.counts {
		if seen += count; seen >= rank {
			return middle(bucket), true
		}
	}
	return middle(Buckets - 1), true
}

// Packed is a sketch as it is sent and stored: for each bucket that holds something, how many empty ones come before it and its count, as varints. nil is empty.
type Packed []byte

// Pack returns the sketch in that form.
func (s *Sketch) Pack() Packed {
	if s.total == 0 {
		return nil
	}
	var packed Packed
	gap := uint64(0)
	for _, count := range s.counts {
		if count == 0 {
			gap++
			continue
		}
		packed = binary.AppendUvarint(packed, gap)
		packed = binary.AppendUvarint(packed, min(count, maxCount))
		gap = 0
	}
	return packed
}

// Merge adds a packed sketch. What cannot be read, or is larger than any sketch, adds nothing, and Merge is false.
func (s *Sketch) Merge(packed Packed) bool {
	var read Sketch
	if len(packed) > maxPacked {
		return false
	}
	next := uint64(0)
	for len(packed) > 0 {
		gap, n := binary.Uvarint(packed)
		if n <= 0 || gap >= Buckets-next {
			return false
		}
		packed = packed[n:]
		count, n := binary.Uvarint(packed)
		if n <= 0 || count == 0 || count > maxCount {
			return false
		}
		packed = packed[n:]
		read.add(int(min(next+gap, Buckets-1)), count)
		next += gap + 1
		if next == Buckets && len(packed) > 0 {
			return false
		}
	}
	s.join(&read)
	return true
}

// join adds another sketch.
func (s *Sketch) join(other *Sketch) {
	for bucket, count := range other.counts {
		s.add(bucket, count)
	}
}
