package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"signalbox.dev/signalbox/proxy/ledger"
)

// Read reads a ledger of a directory, which another process may be using. The error is ledger.ErrNotFound when it was never saved.
func Read(dir, name string) (ledger.Record, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return ledger.Record{}, fmt.Errorf("opening ledger directory: %w", err)
	}
	defer func() { _ = root.Close() }()
	record, err := read(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Record{}, fmt.Errorf("%w: %w", ledger.ErrNotFound, err)
	}
	return record, err
}

// Ledgers returns the names of the ledgers in a directory, in order.
func Ledgers(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing ledgers: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, is := strings.CutSuffix(entry.Name(), "."+ledger.DataKey); is && name != "" && entry.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names, nil
}
