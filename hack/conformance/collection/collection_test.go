package collection

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Names() {
		if seen[name] || name == "" {
			t.Errorf("%q comes twice, or is empty", name)
		}
		seen[name] = true
	}
}

func TestBodiesAreJSON(t *testing.T) {
	for _, folder := range Folders() {
		for _, call := range folder.Calls {
			if call.Body != "" && !json.Valid([]byte(call.Body)) {
				t.Errorf("%s: the body is no JSON", call.Name)
			}
			if len(call.Checks) == 0 {
				t.Errorf("%s: nothing is checked", call.Name)
			}
		}
	}
}

// TestCommandsReachCurl: a shell gives curl the words that are meant, whatever quotes are in them.
func TestCommandsReachCurl(t *testing.T) {
	dir := t.TempDir()
	fake := "#!/bin/sh\nfor word in \"$@\"; do printf '%s\\0' \"$word\"; done\n"
	if err := os.WriteFile(filepath.Join(dir, "curl"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, folder := range Folders() {
		for _, call := range folder.Calls {
			shell := exec.CommandContext(t.Context(), "sh", "-c", command(call))
			shell.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "URL=http://h", "KEY=k'\"")
			for _, v := range Variables()[2:] {
				shell.Env = append(shell.Env, shellName(v.Name)+"=team/"+v.Name)
			}
			out, err := shell.Output()
			if err != nil {
				t.Fatalf("%s: %v", call.Name, err)
			}
			words := strings.Split(string(out), "\x00")
			replace := func(text string) string {
				for _, v := range Variables()[2:] {
					text = strings.ReplaceAll(text, "{{"+v.Name+"}}", "team/"+v.Name)
				}
				return text
			}
			if want := "http://h" + replace(call.Path); !contains(words, want) {
				t.Errorf("%s: no word is %s: %q", call.Name, want, words)
			}
			if call.Body != "" && !contains(words, replace(call.Body)) {
				t.Errorf("%s: no word is the body: %q", call.Name, words)
			}
			key := "Authorization: Bearer k'\""
			if call.KeyHeader != "" {
				key = call.KeyHeader + ": k'\""
			}
			if !contains(words, key) {
				t.Errorf("%s: no word is the key: %q", call.Name, words)
			}
		}
	}
}

func contains(words []string, want string) bool {
	for _, word := range words {
		if word == want {
			return true
		}
	}
	return false
}

func TestPostmanIsJSON(t *testing.T) {
	data, err := Postman()
	if err != nil || !json.Valid(data) {
		t.Errorf("%v\n%s", err, data)
	}
	for _, name := range Names() {
		if !strings.Contains(string(data), `"name": "`+name+`"`) {
			t.Errorf("%s is not in the collection", name)
		}
	}
}
