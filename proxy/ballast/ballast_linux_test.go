package ballast

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// resident reads a figure of the process's resident memory, in bytes.
func resident(t *testing.T, name string) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name+":" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("/proc/self/status has no %s", name)
	return 0
}

// dirty has the runtime use memory and free it.
func dirty(size int) {
	used := make([]byte, size)
	for i := range used {
		used[i] = 1
	}
	runtime.KeepAlive(used)
}

// TestNew: a ballast is not resident even where the runtime has to clear it.
func TestNew(t *testing.T) {
	const size = 64 << 20
	dirty(2 * size)
	debug.FreeOSMemory()
	before := resident(t, "RssAnon")
	ballast := New(size)
	if grown := resident(t, "RssAnon") - before; grown > size/4 {
		t.Errorf("a ballast of %d bytes makes %d more bytes resident", size, grown)
	}
	runtime.KeepAlive(ballast)
}
