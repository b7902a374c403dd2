package file

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/ledger"
)

// childSpends has a child process of the tests write to its working directory until it is killed.
const childSpends = "SIGNALBOX_TEST_LEDGER_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childSpends) != "" {
		fmt.Fprintln(os.Stderr, spend(context.Background(), "."))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// spend saves one larger total after the other and prints each that was acknowledged.
func spend(ctx context.Context, dir string) error {
	store, err := Open(dir)
	if err != nil {
		return err
	}
	stored, err := store.Load(ctx, "b")
	if err != nil {
		return err
	}
	for nano := total(stored.Record) + 1; ; nano++ {
		if stored, err = store.Save(ctx, "b", with(stored, nano, nano)); err != nil {
			return err
		}
		if _, err := fmt.Println(nano); err != nil {
			return err
		}
	}
}

func total(record ledger.Record) int64 {
	count, _ := record.Find(ledger.Key{Period: "Total", TimeZone: "UTC"})
	return count.Total().Spent
}

// TestKilledProcess kills a process with signal 9 while it writes, several times, and looks each time whether what it was told is on the disk.
func TestKilledProcess(t *testing.T) {
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for run := range 5 {
		acknowledged := spendAndKill(t, program, dir, 20+7*run)
		store := open(t, dir)
		if got := total(load(t, store, "b").Record); got < acknowledged || got > acknowledged+1 {
			t.Errorf("run %d: the file holds %d; %d was acknowledged and at most one more begun", run, got, acknowledged)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// spendAndKill runs a child process until it has written some times, kills it, and returns the last total that it was told is saved.
func spendAndKill(t *testing.T, program, dir string, writes int) int64 {
	t.Helper()
	child := exec.CommandContext(t.Context(), program)
	child.Env = append(os.Environ(), childSpends+"=yes")
	child.Dir = dir
	var failure strings.Builder
	child.Stderr = &failure
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(60*time.Second, func() { _ = child.Process.Kill() })
	defer timer.Stop()
	var last int64
	lines := bufio.NewScanner(output)
	for n := 0; lines.Scan(); n++ {
		if n == writes {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatalf("the child said %q", lines.Text())
		}
	}
	_ = child.Wait()
	if last < int64(writes) {
		t.Fatalf("the child ended after %d writes: %s", last, failure.String())
	}
	return last
}
