package table

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxDecodedBytes is the largest table that Decode inflates.
const MaxDecodedBytes = 64 << 20

// revisionDigits is the length of a revision in hexadecimal digits.
const revisionDigits = 16

// FormatError is Decode's error for a table of a format that this program does not read.
type FormatError struct {
	// Format that the table has.
	Format int
}

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("table has format %d, this program reads format %d", e.Format, Format)
}

// ErrTooLarge is Decode's error for a table that inflates to more than MaxDecodedBytes.
var ErrTooLarge = errors.New("table is too large")

// Encode returns the canonical, compressed form of a table: equal tables give equal bytes. Its error is one of encoding only.
func Encode(t Table) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encoding table: %w", err)
	}
	return Compress(plain)
}

// Compress packs bytes in the way that tables and reports are stored, reproducibly.
func Compress(plain []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(plain); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return packed.Bytes(), nil
}

// Decompress undoes Compress. It returns ErrTooLarge for what inflates to more than MaxDecodedBytes.
func Decompress(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(reader, MaxDecodedBytes+1))
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	if len(plain) > MaxDecodedBytes {
		return nil, ErrTooLarge
	}
	return plain, nil
}

// Decode reads what Encode wrote. Fields that it does not know are left out, so that a newer manager can add some within a format; another format is a
// *FormatError.
func Decode(packed []byte) (*Table, error) {
	plain, err := Decompress(packed)
	if err != nil {
		return nil, fmt.Errorf("decoding table: %w", err)
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(plain, &head); err != nil {
		return nil, fmt.Errorf("decoding table: %w", err)
	}
	if head.Format != Format {
		return nil, &FormatError{Format: head.Format}
	}
	var t Table
	if err := json.Unmarshal(plain, &t); err != nil {
		return nil, fmt.Errorf("decoding table: %w", err)
	}
	return &t, nil
}

// Revision is the hash of a table's content: of all but its Sequence and Revision.
func Revision(t Table) string {
	t.Sequence, t.Revision = 0, ""
	hash := sha256.New()
	// A table holds nothing that JSON cannot express, and a hash takes every byte, so there is no error to see.
	if err := json.NewEncoder(hash).Encode(t); err != nil {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))[:revisionDigits]
}
