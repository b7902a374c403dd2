//go:build linux

// Package process names processes so that a number which the kernel gave to another process in the meantime is never
// mistaken for the first one.
package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Identity is one process for ever: its number, its start in clock ticks since boot, and that boot.
type Identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	Boot  string `json:"boot"`
}

// Identify returns the identity of the living process with the given number.
func Identify(pid int) (Identity, error) {
	stat, err := readStat(pid)
	if err != nil {
		return Identity{}, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, fmt.Errorf("reading the boot id: %w", err)
	}
	return Identity{PID: pid, Start: stat.start, Boot: strings.TrimSpace(string(boot))}, nil
}

// Alive says whether exactly this process still runs, be it with its last thread. A process that ended but was not
// collected does not.
func (i Identity) Alive() bool {
	if i.PID <= 0 {
		return false
	}
	now, err := Identify(i.PID)
	if err != nil || now != i {
		return false
	}
	stat, err := readStat(i.PID)
	return err == nil && !stat.ended()
}

// Kill ends exactly this process at once. One that is gone already is no error.
func (i Identity) Kill() error {
	if i.PID <= 0 {
		return nil
	}
	// The handle is taken before the identity is checked, so the number cannot change hands in between.
	handle, err := os.FindProcess(i.PID)
	if err != nil {
		return fmt.Errorf("finding process %d: %w", i.PID, err)
	}
	if !i.Alive() {
		return nil
	}
	if err := handle.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing process %d: %w", i.PID, err)
	}
	return nil
}

// InsideNumbers maps each process in the process namespace of this one from the number it has there to
// the number it has here.
func (i Identity) InsideNumbers() (map[int]int, error) {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", i.PID))
	if err != nil {
		return nil, fmt.Errorf("reading the process namespace of %d: %w", i.PID, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	numbers := map[int]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err != nil || other != namespace {
			continue
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the status of process %d: %w", pid, err)
		}
		if inside, ok := insideNumber(string(status)); ok {
			numbers[inside] = pid
		}
	}
	return numbers, nil
}

type stat struct {
	state   byte
	threads int
	start   uint64
}

// ended needs the count of threads: the first thread of a killed program may be done while another still works, and process
// 1 of a namespace lets its last thread wait for the namespace's other processes.
func (s stat) ended() bool {
	return (s.state == 'Z' || s.state == 'X') && s.threads <= 1
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("reading the state of process %d: %w", pid, err)
	}
	return parseStat(string(text))
}

// parseStat reads the fields after the command's name, which stands in brackets and may itself hold brackets and spaces.
func parseStat(text string) (stat, error) {
	const state, threads, start = 0, 17, 19
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, errors.New("process state without a command name")
	}
	fields := strings.Fields(text[end+1:])
	if len(fields) <= start || len(fields[state]) != 1 {
		return stat{}, errors.New("process state with too few fields")
	}
	ticks, err := strconv.ParseUint(fields[start], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("reading a process's start: %w", err)
	}
	count, err := strconv.Atoi(fields[threads])
	if err != nil {
		return stat{}, fmt.Errorf("reading a process's threads: %w", err)
	}
	return stat{state: fields[state][0], threads: count, start: ticks}, nil
}

func insideNumber(status string) (int, bool) {
	for line := range strings.Lines(status) {
		numbers, found := strings.CutPrefix(line, "NSpid:")
		if !found {
			continue
		}
		fields := strings.Fields(numbers)
		if len(fields) == 0 {
			return 0, false
		}
		inside, err := strconv.Atoi(fields[len(fields)-1])
		return inside, err == nil
	}
	return 0, false
}
