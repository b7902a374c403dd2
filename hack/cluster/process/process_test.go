//go:build linux

package process

import (
	"os"
	"os/exec"
	"testing"
)

func TestParseStat(t *testing.T) {
	const after = " S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 9876 1000 10"
	for name, tc := range map[string]struct {
		text  string
		want  stat
		fails bool
	}{
		"plain":                     {text: "12 (sh)" + after, want: stat{state: 'S', threads: 3, start: 9876}},
		"brackets in the name":      {text: "12 (a) Z 1) (b)" + after, want: stat{state: 'S', threads: 3, start: 9876}},
		"no name":                   {text: "12 sh S 1", fails: true},
		"cut off":                   {text: "12 (sh) S 1 1", fails: true},
		"start that is no number":   {text: "12 (sh) S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 x 1", fails: true},
		"threads that is no number": {text: "12 (sh) S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 x 0 1 1", fails: true},
		"nothing":                   {text: "", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat(tc.text)
			if (err != nil) != tc.fails || got != tc.want {
				t.Errorf("got %v and error %v, want %v and an error: %v", got, err, tc.want, tc.fails)
			}
		})
	}
}

func TestEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		stat stat
		want bool
	}{
		"running":                           {stat{state: 'R', threads: 1}, false},
		"waiting to be collected":           {stat{state: 'Z', threads: 1}, true},
		"first thread done, last one works": {stat{state: 'Z', threads: 2}, false},
		"collected":                         {stat{state: 'X', threads: 0}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.stat.ended(); got != tc.want {
				t.Errorf("ended is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestKillOnlyThisProcess(t *testing.T) {
	command := exec.CommandContext(t.Context(), "cat")
	if _, err := command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	identity, err := Identify(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]Identity{
		"an earlier process of that number": {PID: identity.PID, Start: identity.Start - 1, Boot: identity.Boot},
		"a process of an earlier boot":      {PID: identity.PID, Start: identity.Start, Boot: "earlier"},
		"no process":                        {},
	} {
		if other.Alive() {
			t.Errorf("%s counts as alive", name)
		}
		if err := other.Kill(); err != nil {
			t.Errorf("killing %s: %v", name, err)
		}
	}
	if !identity.Alive() {
		t.Fatal("the process was killed in the name of another")
	}
	if err := identity.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	if identity.Alive() {
		t.Error("the process is still there")
	}
	if err := identity.Kill(); err != nil {
		t.Errorf("killing it again: %v", err)
	}
}

func TestInsideNumbersWithoutANamespace(t *testing.T) {
	self, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := self.InsideNumbers()
	if err != nil {
		t.Fatal(err)
	}
	if got := numbers[os.Getpid()]; got != os.Getpid() {
		t.Errorf("this process is number %d, want %d", got, os.Getpid())
	}
}

func TestInsideNumber(t *testing.T) {
	for name, tc := range map[string]struct {
		status string
		want   int
		found  bool
	}{
		"two namespaces": {"Name:\tsh\nNSpid:\t120\t7\n", 7, true},
		"one namespace":  {"NSpid:\t120\n", 120, true},
		"none":           {"Name:\tsh\n", 0, false},
		"empty":          {"NSpid:\n", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, found := insideNumber(tc.status); got != tc.want || found != tc.found {
				t.Errorf("got %d, %v; want %d, %v", got, found, tc.want, tc.found)
			}
		})
	}
}
