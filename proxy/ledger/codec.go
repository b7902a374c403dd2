package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// Format is the version of the encoding. A record of another format is not read and never overwritten.
	Format = 1
	// DataKey is the key of the ConfigMap, or the suffix of the file, that holds an encoded record.
	DataKey = "ledger.json"
	// MaxEncodedBytes bounds an encoded record; a ConfigMap holds at most 1 MiB.
	MaxEncodedBytes = 960 << 10
	// maxWindows bounds the windows of a record that is read.
	maxWindows = 64
	// maxNameBytes bounds the names in a record that is read.
	maxNameBytes = 256

	namePrefix = "signalbox-ledger-"
)

// Name returns the name of the ledger of a budget.
func Name(budget string) string {
	return namePrefix + budget
}

// document is the encoded form of a Record.
type document struct {
	Format  int     `json:"format"`
	Windows []Count `json:"windows"`
}

// Encode returns the record as JSON. It is an error when it is larger than MaxEncodedBytes.
func Encode(r Record) ([]byte, error) {
	windows := r.Windows
	if windows == nil {
		windows = []Count{}
	}
	text, err := json.Marshal(document{Format: Format, Windows: windows})
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
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var read document
	if err := decoder.Decode(&read); err != nil {
		return Record{}, fmt.Errorf("decoding a ledger record: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Record{}, errors.New("decoding a ledger record: there is text after it")
	}
	record := Record{Windows: read.Windows}
	if read.Format != Format {
		return Record{}, fmt.Errorf("decoding a ledger record: its format is %d, not %d", read.Format, Format)
	}
	if err := record.check(); err != nil {
		return Record{}, fmt.Errorf("decoding a ledger record: %w", err)
	}
	return record, nil
}

// check says what in a record cannot have been written by Encode.
func (r Record) check() error {
	if len(r.Windows) > maxWindows {
		return fmt.Errorf("%d windows are more than %d", len(r.Windows), maxWindows)
	}
	for i, window := range r.Windows {
		if r.index(window.Key) != i {
			return fmt.Errorf("window %d is there twice", i)
		}
		if err := window.check(); err != nil {
			return fmt.Errorf("window %d: %w", i, err)
		}
	}
	return nil
}

func (c Count) check() error {
	if len(c.Period) > maxNameBytes || len(c.TimeZone) > maxNameBytes || len(c.ResetID) > maxNameBytes {
		return errors.New("its key is too long")
	}
	if c.Start.IsZero() != c.End.IsZero() || c.End.Before(c.Start) {
		return errors.New("its bounds are not in order")
	}
	if c.Folded.negative() {
		return errors.New("a total is negative")
	}
	for owner, entry := range c.Owners {
		switch {
		case owner.Pod() == "" || len(owner) > maxNameBytes:
			return errors.New("the name of an owner is empty or too long")
		case entry.negative() || entry.Seq < 1:
			return errors.New("an owner's number is negative")
		}
	}
	return nil
}

func (t Totals) negative() bool {
	return t.Spent < 0 || t.Requests < 0 || t.Unpriced < 0
}
