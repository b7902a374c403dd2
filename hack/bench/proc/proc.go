// Package proc reads what processes used from Linux's /proc.
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux platform that Go supports.
const tick = 10 * time.Millisecond

// Usage is what a process and its living children use.
type Usage struct {
	// CPU is user and system time since their start.
	CPU time.Duration
	// RSS is the resident memory in bytes. Pages that processes share count in each.
	RSS int64
}

// Tree reads the usage of a process and of all that descend from it. The error is that the process is gone.
func Tree(root, proc string) (Usage, error) {
	stats, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "stat"))
	if err != nil {
		return Usage{}, fmt.Errorf("listing processes: %w", err)
	}
	processes := map[string]stat{}
	for _, name := range stats {
		data, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			continue // it ended between the listing and now
		}
		if parsed, err := parseStat(string(data)); err == nil {
			processes[filepath.Base(filepath.Dir(name))] = parsed
		}
	}
	if _, alive := processes[root]; !alive {
		return Usage{}, fmt.Errorf("process %s is gone", root)
	}
	var total Usage
	for pid, process := range processes {
		if descends(pid, root, processes) {
			total.CPU += process.cpu
			total.RSS += process.pages * int64(os.Getpagesize())
		}
	}
	return total, nil
}

// descends tells whether a process is root or below it.
func descends(pid, root string, processes map[string]stat) bool {
	for range len(processes) {
		if pid == root {
			return true
		}
		process, known := processes[pid]
		if !known {
			return false
		}
		pid = process.parent
	}
	return false
}

// stat is a line of /proc/PID/stat.
type stat struct {
	parent string
	cpu    time.Duration
	pages  int64
}

// parseStat reads a stat line. The command's name, in parentheses, may contain anything, blanks and parentheses too.
func parseStat(line string) (stat, error) {
	end := strings.LastIndexByte(line, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("parsing stat %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 22 {
		return stat{}, fmt.Errorf("parsing stat %q", line)
	}
	var numbers [3]int64
	for i, field := range []int{11, 12, 21} { // utime, stime and rss, counted from the state
		n, err := strconv.ParseInt(fields[field], 10, 64)
		if err != nil {
			return stat{}, fmt.Errorf("parsing stat: %w", err)
		}
		numbers[i] = n
	}
	return stat{parent: fields[1], cpu: time.Duration(numbers[0]+numbers[1]) * tick, pages: numbers[2]}, nil
}

// LoadAverage is the machine's load over the last minute, empty where it is not told.
func LoadAverage(proc string) string {
	data, err := os.ReadFile(filepath.Join(filepath.Clean(proc), "loadavg"))
	if err != nil {
		return ""
	}
	load, _, _ := strings.Cut(string(data), " ")
	return load
}
