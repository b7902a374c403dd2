package standalone

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// settle is how long files must be left alone before they are read: editors and unpackers change several things at once.
	settle = 100 * time.Millisecond
	// look is how often files are read although nothing was heard, for there are file systems that tell nothing.
	look = 5 * time.Second
)

// Run hands the table to use, and each new one when the files change, until ctx ends. Files with errors are reported and leave the table as it is.
func (l *Loader) Run(ctx context.Context, use func(*table.Table)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching manifests: %w", err)
	}
	defer func() { _ = watcher.Close() }()
	use(l.current)
	l.follow(watcher)
	// A change between the first load and the watch is seen now.
	settled := time.NewTimer(0)
	defer settled.Stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
			settled.Reset(settle)
		case err := <-watcher.Errors:
			// Events were lost, so anything may have changed.
			l.say("watching the manifests: %v", err)
			settled.Reset(settle)
		case <-ticker.C:
			l.reload(ctx, use)
		case <-settled.C:
			l.reload(ctx, use)
			l.follow(watcher)
		}
	}
}

func (l *Loader) reload(ctx context.Context, use func(*table.Table)) {
	complained := l.complaint != ""
	fresh, err := l.load(ctx)
	recovered := complained && l.complaint == ""
	switch {
	case ctx.Err() != nil:
	case err != nil:
		l.complain(err)
	case fresh || recovered:
		if fresh {
			use(l.current)
		}
		l.say("the manifests were read again: %d routes, %d credentials, %d budgets", len(l.current.Routes), len(l.current.Credentials), len(l.current.Budgets))
	}
}

// complain says once that the files cannot be used, not each time that they are looked at.
func (l *Loader) complain(err error) {
	if err.Error() == l.complaint {
		return
	}
	l.complaint = err.Error()
	l.say("the manifests in use stay: %v", err)
}

func (l *Loader) say(format string, values ...any) {
	// There is nowhere else to say that this cannot be written.
	_, _ = fmt.Fprintf(l.options.Findings, format+"\n", values...)
}

// follow watches the directories of all files: editors replace files, and the mount of a ConfigMap replaces a link beside them. A directory that is
// watched already stays so; one that came back is watched again. What cannot be watched is found by looking.
func (l *Loader) follow(watcher *fsnotify.Watcher) {
	for _, path := range l.options.Paths {
		if path == manifest.Stdin {
			continue
		}
		for _, directory := range directories(path) {
			_ = watcher.Add(directory)
		}
	}
}

// directories are those in which a change can change what a path leads to.
func directories(path string) []string {
	list := []string{filepath.Dir(path)}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		list = append(list, filepath.Dir(target))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		list = append(list, path)
	}
	return list
}
