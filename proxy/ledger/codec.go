package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

const (
	// Format is the version of the encoding that is written. One of version 1, which knew no allowances and no subjects, is read as well. A record of another
	// format is not read and never overwritten.
	Format = 2
	// firstFormat is the oldest one that is read.
	firstFormat = 1
	// DataKey is the key of the ConfigMap, or the suffix of the file, that holds an encoded record.
	DataKey = "ledger.json"
	// MaxEncodedBytes bounds an encoded record; a ConfigMap holds at most 1 MiB.
	MaxEncodedBytes = 960 << 10
	// maxNameBytes bounds the names in a record that is read.
	maxNameBytes = 512

	namePrefix = "signalbox-ledger-"
)

// Name returns the name of the ledger of a budget.
func Name(budget string) string {
	return namePrefix + budget
}

// document is the encoded form of a Record.
type document struct {
	Format  int     `json:"format"`
	Moved   string  `json:"moved,omitempty"`
	Windows []Count `json:"windows"`
}

// Encode returns the record as JSON. It is an error when it is larger than MaxEncodedBytes.
func Encode(r Record) ([]byte, error) {
	windows := r.Windows
	if windows == nil {
		windows = []Count{}
	}
	text, err := json.Marshal(document{Format: Format, Moved: r.Moved, Windows: windows})
	if err != nil {
		return nil, fmt.Errorf("encoding a ledger record: %w", err)
	}
	if len(text) > MaxEncodedBytes {
		return nil, fmt.Errorf("encoding a ledger record: %d bytes are more than the %d that fit", len(text), MaxEncodedBytes)
	}
	return text, nil
}

// Decode reads what Encode wrote. Anything else is an error: a record that was edited by hand and does not add up is left as it is.
func Decode(text []byte) (Record, error) {
	if len(text) > MaxEncodedBytes {
		return Record{}, fmt.Errorf("decoding a ledger record: %d bytes are more than %d", len(text), MaxEncodedBytes)
	}
	// The format comes first: what a newer one may hold besides is not for this program to judge.
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return Record{}, fmt.Errorf("decoding a ledger record: %w", err)
	}
	if version.Format < firstFormat || version.Format > Format {
		return Record{}, fmt.Errorf("decoding a ledger record: its format is %d, and this program knows those from %d to %d", version.Format, firstFormat, Format)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var read document
	if err := decoder.Decode(&read); err != nil {
		return Record{}, fmt.Errorf("decoding a ledger record: %w", err)
	}
	record := Record{Windows: read.Windows, Moved: read.Moved}
	if err := record.check(); err != nil {
		return Record{}, fmt.Errorf("decoding a ledger record: %w", err)
	}
	return record, nil
}

// check says what in a record cannot have been written by Encode.
func (r Record) check() error {
	if len(r.Moved) > maxNameBytes {
		return errors.New("where it was moved to is too long")
	}
	if len(indexOf(r)) != len(r.Windows) {
		return errors.New("a counter is there twice")
	}
	for i := range r.Windows {
		if err := r.Windows[i].check(); err != nil {
			return fmt.Errorf("counter %d: %w", i, err)
		}
	}
	return nil
}

func (c *Count) check() error {
	if max(len(c.Period), len(c.TimeZone), len(c.ResetID), len(c.Subject)) > maxNameBytes {
		return errors.New("its key is too long")
	}
	if c.Start.IsZero() != c.End.IsZero() || c.End.Before(c.Start) {
		return errors.New("its bounds are not in order")
	}
	if c.Recall < 0 || c.Folded.wrong() {
		return errors.New("a total is negative")
	}
	if slices.ContainsFunc(c.Over, Owner.wrong) {
		return errors.New("the name of an earlier owner is empty or too long")
	}
	for owner, entry := range c.Owners {
		switch {
		case owner.wrong():
			return errors.New("the name of an owner is empty or too long")
		case entry.wrong():
			return errors.New("an owner's number is negative")
		}
	}
	return nil
}

func (e *Entry) wrong() bool {
	return e.negative() || e.Seq < 1 || e.Allowance < 0 || e.Answered < 0 || e.Routes.wrong() || e.Callers.wrong()
}

func (f *Folded) wrong() bool {
	return f.negative() || f.Lost < 0 || f.Routes.wrong() || f.Callers.wrong()
}

func (t Totals) negative() bool {
	return t.Spent < 0 || t.Requests < 0 || t.Unpriced < 0 || t.Overrun < 0
}

func (o Owner) wrong() bool {
	return o.Pod() == "" || len(o) > maxNameBytes
}

// wrong tells whether a breakdown is longer than any that is written, or holds less than nothing.
func (b Breakdown) wrong() bool {
	if len(b) > maxShares {
		return true
	}
	for name, nano := range b {
		if len(name) > maxNameBytes || nano < 0 {
			return true
		}
	}
	return false
}
