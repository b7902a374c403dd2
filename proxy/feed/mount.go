package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"signalbox.dev/signalbox/proxy/table"
)

// watchMount passes the mounted table on, and again whenever the mount changes, until ctx ends.
func (c *Cluster) watchMount(ctx context.Context, arrivals chan<- arrival) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		c.Log.Warn("table mount cannot be watched, it is read once", "error", err)
		c.passMounted(ctx, arrivals)
		return
	}
	defer func() { _ = watcher.Close() }()
	// The kubelet replaces a link in the directory, so the directory is what changes. It is watched before the first look, so that no change is missed.
	if err := watcher.Add(c.Dir); err != nil {
		c.Log.Warn("table mount cannot be watched, it is read once", "dir", c.Dir, "error", err)
	}
	c.passMounted(ctx, arrivals)
	for {
		select {
		case <-ctx.Done():
			return
		case <-watcher.Events:
			c.passMounted(ctx, arrivals)
		case err := <-watcher.Errors:
			c.Log.Warn("watching table mount", "dir", c.Dir, "error", err)
		}
	}
}

func (c *Cluster) passMounted(ctx context.Context, arrivals chan<- arrival) {
	packed, err := readBounded(filepath.Join(c.Dir, TableKey))
	switch {
	case err == nil:
		send(ctx, arrivals, arrival{origin: fromMount, packed: packed})
	case errors.Is(err, fs.ErrNotExist):
		c.Log.Info("no table is mounted", "dir", c.Dir)
	default:
		c.Log.Warn("mounted table cannot be read", "error", err)
	}
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("opening mounted table: %w", err)
	}
	defer func() { _ = file.Close() }()
	packed, err := io.ReadAll(io.LimitReader(file, table.MaxDecodedBytes))
	if err != nil {
		return nil, fmt.Errorf("reading mounted table: %w", err)
	}
	return packed, nil
}
