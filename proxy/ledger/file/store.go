// Package file keeps ledgers in files of one directory, for a proxy that runs without a cluster. One process at a time uses a directory.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"signalbox.dev/signalbox/proxy/dirlock"
	"signalbox.dev/signalbox/proxy/ledger"
)

// ErrInUse is the error of Open when another process uses the directory.
var ErrInUse = dirlock.ErrInUse

// Store is a ledger.Store on a directory. A ledger that was never saved is an empty one.
type Store struct {
	root *os.Root
	lock *os.File

	mu sync.Mutex
	// order counts the saves of this process.
	order uint64
	// versions holds the version of each ledger that this process saved.
	versions map[string]uint64
}

// Open makes the directory when there is none and takes it for this process until Close. The error is ErrInUse when another process has it.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making ledger directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening ledger directory: %w", err)
	}
	lock, err := dirlock.Acquire(root)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("taking ledger directory %s: %w", dir, err), root.Close())
	}
	return &Store{root: root, lock: lock, versions: map[string]uint64{}}, nil
}

// Close gives the directory back.
func (s *Store) Close() error {
	return errors.Join(s.lock.Close(), s.root.Close())
}

// fileName returns the file of a ledger. The name of a ledger holds no path.
func fileName(name string) (string, error) {
	if name == "" || filepath.Base(name) != name || name == "." || name == ".." {
		return "", fmt.Errorf("ledger name %q cannot be a file name", name)
	}
	return name + "." + ledger.DataKey, nil
}

// Load implements ledger.Store.
func (s *Store) Load(_ context.Context, name string) (ledger.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(name)
}

func (s *Store) load(name string) (ledger.Stored, error) {
	record, err := read(s.root, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ledger.Stored{}, err
	}
	version := s.versions[name]
	return ledger.Stored{Record: record, Version: strconv.FormatUint(version, 10), Order: version}, nil
}

// read reads the file of a ledger.
func read(root *os.Root, name string) (ledger.Record, error) {
	file, err := fileName(name)
	if err != nil {
		return ledger.Record{}, err
	}
	text, err := root.ReadFile(file)
	if err != nil {
		return ledger.Record{}, fmt.Errorf("reading ledger %s: %w", name, err)
	}
	record, err := ledger.Decode(text)
	if err != nil {
		return ledger.Record{}, fmt.Errorf("reading ledger %s: %w", name, err)
	}
	return record, nil
}

// Save implements ledger.Store. The file is replaced as a whole once its new content is on the disk.
func (s *Store) Save(_ context.Context, name string, stored ledger.Stored) (ledger.Stored, error) {
	file, err := fileName(name)
	if err != nil {
		return ledger.Stored{}, err
	}
	text, err := ledger.Encode(stored.Record)
	if err != nil {
		return ledger.Stored{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored.Version != strconv.FormatUint(s.versions[name], 10) {
		return ledger.Stored{}, fmt.Errorf("saving ledger %s: %w", name, ledger.ErrConflict)
	}
	if err := s.replace(file, text); err != nil {
		return ledger.Stored{}, fmt.Errorf("saving ledger %s: %w", name, err)
	}
	s.order++
	s.versions[name] = s.order
	return ledger.Stored{Record: stored.Record, Version: strconv.FormatUint(s.order, 10), Order: s.order}, nil
}

// replace writes a file beside the old one, forces it to the disk and renames it over the old one.
func (s *Store) replace(name string, text []byte) error {
	temporary := name + ".new"
	file, err := s.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := s.root.Rename(temporary, name); err != nil {
		return err
	}
	return syncDirectory(s.root)
}

// Watch implements ledger.Store. Nobody else writes, so there is nothing to see but what is there at the start; a ledger that cannot be read is left to
// the error of Load.
func (s *Store) Watch(ctx context.Context, name string, seen func(ledger.Stored)) {
	if stored, err := s.Load(ctx, name); err == nil {
		seen(stored)
	}
	<-ctx.Done()
}
