package footprint

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// TestShrink: the program's pages are unmapped, and the program goes on.
func TestShrink(t *testing.T) {
	before := resident(t, "RssFile")
	Shrink()
	if after := resident(t, "RssFile"); after >= before {
		t.Errorf("%d bytes of files are resident, of %d before", after, before)
	}
}

// dirty has the runtime use memory and free it.
func dirty(size int) {
	used := make([]byte, size)
	for i := range used {
		used[i] = 1
	}
	runtime.KeepAlive(used)
}

// TestBallast: a ballast is not resident even where the runtime has to clear it.
func TestBallast(t *testing.T) {
	const size = 64 << 20
	dirty(2 * size)
	debug.FreeOSMemory()
	before := resident(t, "RssAnon")
	ballast := Ballast(size)
	if grown := resident(t, "RssAnon") - before; grown > size/4 {
		t.Errorf("a ballast of %d bytes makes %d more bytes resident", size, grown)
	}
	runtime.KeepAlive(ballast)
}

func TestUnchanged(t *testing.T) {
	header := func(perms, path string) string {
		return "00400000-01edc000 " + perms + " 00000000 fd:00 17 " + path + "\nSize: 4 kB\n"
	}
	const none, some = "Anonymous:             0 kB\nVmFlags: rd ex\n", "Anonymous:             8 kB\nVmFlags: rd\n"
	own := []span{{0x400000, 0x1edc000}}
	for name, tc := range map[string]struct {
		smaps string
		want  []span
	}{
		"code":                      {header("r-xp", "/sb") + none, own},
		"constants":                 {header("r--p", "/sb") + none, own},
		"both":                      {header("r-xp", "/sb") + none + header("r--p", "/sb") + none, []span{own[0], own[0]}},
		"relocated":                 {header("r--p", "/sb") + some, nil},
		"variables":                 {header("rw-p", "/sb") + none, nil},
		"shared":                    {header("r--s", "/sb") + none, nil},
		"of another file":           {header("r-xp", "/sb2") + none, nil},
		"of none, behind a changed": {header("r--p", "/sb") + some + "7000-8000 rw-p 00000000 00:00 0\n" + none, nil},
		"behind one without pages":  {header("r--p", "/sb") + "7000-8000 rw-p 00000000 00:00 0\n" + none, nil},
		"no range":                  {"4-zz r-xp 00000000 fd:00 17 /sb\n" + none, nil},
		"backwards":                 {"5000-4000 r-xp 00000000 fd:00 17 /sb\n" + none, nil},
		"nothing":                   {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, unchanged(strings.NewReader(tc.smaps), "/sb"), cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}
