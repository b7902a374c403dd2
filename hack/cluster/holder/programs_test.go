//go:build linux

package holder

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// long is a grace period that no test reaches.
const long = time.Minute

func TestProgramsEndings(t *testing.T) {
	started := newCollected(t, t.TempDir())
	for name, tc := range map[string]struct {
		script string
		grace  time.Duration
		stop   bool
		want   Program
	}{
		"exits":       {script: "exit 3", want: Program{Name: "exits", Ending: "exit status 3"}},
		"is-stopped":  {script: "exec cat /dev/zero >/dev/null", grace: long, stop: true, want: Program{Name: "is-stopped", Ending: "signal: terminated", Stopped: true}},
		"kills-child": {script: "kill -KILL $$", want: Program{Name: "kills-child", Ending: "signal: killed"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := started.start(name, []string{"/bin/sh", "-c", tc.script}); err != nil {
				t.Fatal(err)
			}
			if tc.stop {
				if err := started.stop(name, tc.grace); err != nil {
					t.Fatal(err)
				}
			}
			<-started.end(name)
			if diff := cmp.Diff(tc.want, started.find(name), cmpopts.IgnoreFields(Program{}, "PID")); diff != "" {
				t.Errorf("program (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStopKillsWhatDoesNotListen(t *testing.T) {
	logs := t.TempDir()
	started := newCollected(t, logs)
	deaf := `trap "" TERM; echo deaf; while true; do read -r x < /dev/zero; done`
	if err := started.start("deaf", []string{"/bin/sh", "-c", deaf}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(long)
	for text := ""; text != "deaf\n"; {
		if time.Now().After(deadline) {
			t.Fatal("the program never said that it is deaf")
		}
		content, err := os.ReadFile(filepath.Join(logs, "deaf.log"))
		if err != nil {
			t.Fatal(err)
		}
		text = string(content)
	}
	if err := started.stop("deaf", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	want := Program{Name: "deaf", Ending: "signal: killed", Stopped: true}
	if diff := cmp.Diff(want, started.find("deaf"), cmpopts.IgnoreFields(Program{}, "PID")); diff != "" {
		t.Errorf("program (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	started := newCollected(t, t.TempDir())
	if err := started.start("cat", []string{"/bin/sh", "-c", "exec cat /dev/zero >/dev/null"}); err != nil {
		t.Fatal(err)
	}
	for name, question := range map[string]request{
		"a name in use":          {Operation: operationStart, Name: "cat", Command: []string{"/bin/true"}},
		"a name that is a path":  {Operation: operationStart, Name: "../cat", Command: []string{"/bin/true"}},
		"no command":             {Operation: operationStart, Name: "empty"},
		"a program that is none": {Operation: operationStart, Name: "none", Command: []string{"/does/not/exist"}},
		"stopping nothing":       {Operation: operationStop, Name: "nothing"},
		"an unknown operation":   {Operation: "restart", Name: "cat"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := answer(question, started); got.Error == "" {
				t.Errorf("accepted: %v", got)
			}
		})
	}
	if got := answer(request{Operation: operationStop, Name: "cat", Grace: long}, started); got.Error != "" {
		t.Error(got.Error)
	}
	if got := answer(request{Operation: operationStart, Name: "cat", Command: []string{"/bin/true"}}, started); got.Error != "" {
		t.Errorf("a name that is free again is refused: %s", got.Error)
	}
	<-started.end("cat")
}

func (p *programs) end(name string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byName[name].ended
}

func (p *programs) find(name string) Program {
	for _, program := range p.list() {
		if program.Name == name {
			return program
		}
	}
	return Program{}
}

// newCollected returns programs whose collector ends with the test: a second one would take its children.
func newCollected(t *testing.T, logs string) *programs {
	t.Helper()
	started := newPrograms(logs)
	ctx, cancel := context.WithCancel(context.Background())
	var collector sync.WaitGroup
	died := deaths()
	collector.Go(func() { started.collect(ctx, died) })
	t.Cleanup(func() {
		cancel()
		collector.Wait()
	})
	return started
}
