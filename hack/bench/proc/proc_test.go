package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// line is a stat line with the fields that are read, in their places.
func line(name string, parent, utime, stime, pages int) string {
	return fmt.Sprintf("1 (%s) S %d 1 1 0 -1 4194560 900 0 0 0 %d %d 7 7 20 0 1 0 100 1000000 %d 18446744073709551615", name, parent, utime, stime, pages)
}

func TestTree(t *testing.T) {
	dir := t.TempDir()
	for pid, text := range map[int]string{
		10: line("nginx: master", 1, 5, 5, 100), 11: line("odd) name (", 10, 20, 30, 200), 12: line("grandchild", 11, 1, 0, 10), 13: line("stranger", 1, 500, 500, 9000),
	} {
		process := filepath.Join(dir, fmt.Sprint(pid))
		if err := os.Mkdir(process, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(process, "stat"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Tree("10", dir)
	want := Usage{CPU: 610 * time.Millisecond, RSS: 310 * int64(os.Getpagesize())}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := Tree("99", dir); err == nil {
		t.Error("a process that is gone: want an error")
	}
}

func TestParseStatRefuses(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "no name": "1 S 2", "short": "1 (x) S 2 3", "not numbers": line("x", 1, 1, 1, 1)[:20] + " a a a a a a a a a a a a a a a a a a a a a a a"} {
		if got, err := parseStat(text); err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func TestTreeSeesThisProcess(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		if _, treeErr := Tree(fmt.Sprint(os.Getpid()), "/proc"); treeErr == nil {
			t.Error("no /proc here, but no error")
		}
		return
	}
	got, err := Tree(fmt.Sprint(os.Getpid()), "/proc")
	if err != nil || got.RSS < 1<<20 {
		t.Errorf("got %+v, %v, want more than a MiB", got, err)
	}
}
