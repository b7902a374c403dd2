package background

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The test binary plays the programs: it waits to be killed, or for one that is deaf, ignores polite requests.
func TestMain(m *testing.M) {
	switch os.Getenv("BACKGROUND_ROLE") {
	case "waiter":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("up")
		<-signals
		os.Exit(0)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("up")
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T, folder Folder, role string) *Process {
	t.Helper()
	log := filepath.Join(folder.Path, role+".log")
	process, err := folder.Start(Program{
		Name: role, Command: []string{os.Args[0]}, Environment: []string{"BACKGROUND_ROLE=" + role}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.child.Kill() })
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if text, err := os.ReadFile(log); err == nil && len(text) > 0 {
			tick.Stop()
			return process
		}
		select {
		case <-deadline:
			t.Fatal("the program does not come up")
		case <-tick.C:
		}
	}
}

func TestStop(t *testing.T) {
	tests := map[string]struct {
		role  string
		grace time.Duration
	}{
		"one that ends when asked":  {role: "waiter", grace: 20 * time.Second},
		"one that has to be killed": {role: "deaf", grace: 50 * time.Millisecond},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			folder := Folder{Path: t.TempDir()}
			process := start(t, folder, tc.role)
			if !process.Running() {
				t.Fatal("it should run")
			}
			// Found again by name alone, as after a crash of the demo.
			if err := folder.Stop(context.Background(), tc.role, tc.grace); err != nil {
				t.Fatal(err)
			}
			select {
			case <-process.Ended:
			case <-time.After(20 * time.Second):
				t.Fatal("it still runs")
			}
			if names, err := folder.Names(); err != nil || len(names) != 0 {
				t.Errorf("Names() = %v, %v", names, err)
			}
		})
	}
}

func TestStartRefusesASecondOne(t *testing.T) {
	folder := Folder{Path: t.TempDir()}
	start(t, folder, "waiter")
	_, err := folder.Start(Program{Name: "waiter", Command: []string{os.Args[0]}, Log: filepath.Join(folder.Path, "log")})
	if err == nil {
		t.Fatal("two programs of one name")
	}
	if err := folder.StopAll(context.Background(), 20*time.Second, "none", "waiter"); err != nil {
		t.Fatal(err)
	}
}

// The file of a program that crashed names a process number that may belong to somebody else by now. It must live.
func TestStopSparesAStranger(t *testing.T) {
	stranger := exec.CommandContext(t.Context(), os.Args[0])
	stranger.Env = []string{"BACKGROUND_ROLE=deaf"}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Process.Kill(); _ = stranger.Wait() })
	folder := Folder{Path: t.TempDir()}
	file := filepath.Join(folder.Path, "crashed"+suffix)
	if err := os.WriteFile(file, []byte(strconv.Itoa(stranger.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := folder.StopAll(context.Background(), time.Second, "none"); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the stranger is gone: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file of the crashed program is still there")
	}
}
