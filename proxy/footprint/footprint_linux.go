package footprint

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// span is a range of addresses; end is not within.
type span struct{ start, end uintptr }

// dropProgram has the pages of the program unmapped that are as in its file. Where that is not known or fails, more memory is held, and nothing else is wrong.
func dropProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, s := range unchanged(bytes.NewReader(maps), program) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, s.start, s.end-s.start, syscall.MADV_DONTNEED)
	}
}

// disown gives memory back that holds nothing but zeros.
func disown(memory []byte) {
	// Failing means that it is held.
	_ = syscall.Madvise(memory, syscall.MADV_DONTNEED)
}

// unchanged finds the mappings of a program in /proc/PID/smaps that can be mapped again from its file: those that cannot be written and have no page of their
// own. What a loader has relocated before it took the right to write away is such a page.
func unchanged(smaps io.Reader, program string) []span {
	var found []span
	var candidate span
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		if s, ok := mapping(lines.Text(), program); ok {
			candidate = s
			continue
		}
		switch fields := strings.Fields(lines.Text()); {
		case len(fields) < 2:
		case !strings.HasSuffix(fields[0], ":"):
			candidate = span{} // another mapping begins
		case fields[0] == "Anonymous:" && fields[1] == "0" && candidate != span{}:
			found = append(found, candidate)
		}
	}
	return found
}

// mapping reads the line that a mapping begins with, such as "00400000-01edc000 r-xp 00000000 fd:00 17 /signalbox"; false for other lines, and for what is not
// of the program or can be written.
func mapping(line, program string) (span, bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || (fields[1] != "r-xp" && fields[1] != "r--p") {
		return span{}, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(from, 16, strconv.IntSize)
	if err != nil {
		return span{}, false
	}
	end, err := strconv.ParseUint(to, 16, strconv.IntSize)
	if err != nil || end <= start {
		return span{}, false
	}
	return span{uintptr(start), uintptr(end)}, true
}
