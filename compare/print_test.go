package compare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answers are one of each kind: whole, in a script of wide letters, and failed.
func answers() []Answer {
	return []Answer{
		{
			Model: "groq/llama", Target: "fast", Text: "The signal shows »clear«.\n\n- the points are set\n- the lamps are lit\x1b[31m and red\x07", Finish: "stop",
			FirstToken: 120 * time.Millisecond, Total: 620 * time.Millisecond, PromptTokens: 12, CompletionTokens: 40, Cost: "0.00001234",
		},
		{
			Model: "claude", Target: "large", Text: "駅の信号は青です。列車は朝の八時に出発します。", Finish: "end_turn",
			FirstToken: 2 * time.Second, Total: 3 * time.Second, PromptTokens: 15, CompletionTokens: 1,
		},
		{Model: "gone", Total: 30 * time.Millisecond, Err: &StatusError{Status: 404, Code: "model_not_found", Message: "no route serves the model"}},
	}
}

func TestPrintText(t *testing.T) {
	cases := map[string]struct {
		answers []Answer
		columns int
		file    string
	}{
		"wide terminal":   {answers(), 110, "beside.txt"},
		"narrow terminal": {answers(), 60, "stacked.txt"},
		"no terminal":     {answers(), 0, "plain.txt"},
		"one answer":      {answers()[:1], 200, "one.txt"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := PrintText(&out, tc.answers, tc.columns); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Error(diff)
			}
			for line := range strings.SplitSeq(out.String(), "\n") {
				if tc.columns > 0 && textWidth(line) > tc.columns {
					t.Errorf("a line has %d columns: %q", textWidth(line), line)
				}
			}
		})
	}
}

func TestPrintJSON(t *testing.T) {
	var out strings.Builder
	if err := PrintJSON(&out, answers()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

// full is a file system without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestPrintingFails(t *testing.T) {
	if err := PrintText(full{}, answers(), 0); err == nil {
		t.Error("text: no error")
	}
	if err := PrintJSON(full{}, answers()); err == nil {
		t.Error("JSON: no error")
	}
}

func TestWrap(t *testing.T) {
	cases := map[string]struct {
		line string
		room int
		want []string
	}{
		"fits":            {"a b", 3, []string{"a b"}},
		"at blanks":       {"one two three", 7, []string{"one two", "three"}},
		"inside words":    {"abcdefgh ij", 3, []string{"abc", "def", "gh", "ij"}},
		"wide letters":    {"駅駅駅", 4, []string{"駅駅", "駅"}},
		"accents":         {"e\u0301e\u0301e\u0301", 3, []string{"e\u0301e\u0301e\u0301"}},
		"no room":         {"a b c", 0, []string{"a b c"}},
		"blank":           {"", 3, []string{""}},
		"blanks together": {"a    bcd", 4, []string{"a", "bcd"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, wrap(tc.line, tc.room)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzPrint: no text takes over the terminal or leaves its column.
func FuzzPrint(f *testing.F) {
	f.Add("a\x1b[2J\u202eb\u2028c", 80)
	f.Add("駅 e\u0301 🚂", 70)
	f.Fuzz(func(t *testing.T, text string, columns int) {
		if columns > 500 {
			return
		}
		var out strings.Builder
		if err := PrintText(&out, []Answer{{Model: text, Text: text}, {Model: "b", Err: errors.New(text)}}, columns); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.ContainsAny(got, "\x1b\x07\r\u202e\u2028") {
			t.Errorf("not printable: %q", got)
		}
		if column(2, columns) < minColumn {
			return
		}
		for line := range strings.SplitSeq(out.String(), "\n") {
			if textWidth(line) > columns {
				t.Errorf("%d columns of %d: %q", textWidth(line), columns, line)
			}
		}
	})
}
