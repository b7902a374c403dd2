package server

import (
	"math/rand/v2"
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/route"
)

func TestClosest(t *testing.T) {
	long := strings.Repeat("a", maxCompared)
	for name, tc := range map[string]struct {
		asked  string
		models string
		want   string
	}{
		"a letter too many":          {"chatt", "assistant chat", "chat"},
		"a letter missing":           {"gpt-4o-min", "gpt-4o gpt-4o-mini", "gpt-4o-mini"},
		"letters in a wrong order":   {"gtp-4o", "claude gpt-4o", "gpt-4o"},
		"a wrong letter":             {"claude-sonnet-4_5", "claude-sonnet-4-5 gpt-5", "claude-sonnet-4-5"},
		"another letter case":        {"GPT-4o", "gpt-5 gpt-4o", "gpt-4o"},
		"a prefix too many":          {"openai/gpt-4o", "gpt-4o-mini gpt-4o", "gpt-4o"},
		"a prefix missing":           {"llama-3.1-8b", "groq/llama-3.1-8b llama-3.2-8b", "groq/llama-3.1-8b"},
		"the first of two as near":   {"chats", "chat chata", "chat"},
		"something else":             {"gpt-4o", "chat assistant claude", ""},
		"four letters wrong":         {"claude-sonnet-zzzz", "claude-sonnet-4567", ""},
		"a short name is no guess":   {"a", "b", ""},
		"two of four letters wrong":  {"chat", "chip", ""},
		"patterns are not told":      {"groq/lama", "groq/lam*", ""},
		"nothing to use":             {"chat", "", ""},
		"the empty name":             {"", "a b", ""},
		"a name that ends in a line": {"openai/", "a b", ""},
		"the longest that is read":   {long[1:], long, long},
		"a longer one":               {long, long + "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var models []route.Model
			for model := range strings.FieldsSeq(tc.models) {
				models = append(models, route.Model{Name: model})
			}
			if got := closest(tc.asked, models); got != tc.want {
				t.Errorf("closest is %q, want %q", got, tc.want)
			}
		})
	}
}

// Looking at near ways only finds the same as looking at all.
func TestDistanceIsThatOfEditing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		letters := make([]byte, random.IntN(9))
		for i := range letters {
			letters[i] = "ab"[random.IntN(2)]
		}
		return string(letters)
	}
	var edits func(a, b string) int
	edits = func(a, b string) int {
		switch {
		case a == "" || b == "":
			return len(a) + len(b)
		case a[0] == b[0]:
			return edits(a[1:], b[1:])
		}
		return 1 + min(edits(a[1:], b), edits(a, b[1:]), edits(a[1:], b[1:]))
	}
	for range 2000 {
		a, b, limit := word(), word(), 1+random.IntN(4)
		if got, want := distance(a, b, limit), min(limit, edits(a, b)); got != want {
			t.Fatalf("from %q to %q are %d edits, below %d; want %d", a, b, got, limit, want)
		}
	}
}

// Anybody with a key can ask for models that there are none of, as long as they like.
func BenchmarkClosestOfThousand(b *testing.B) {
	models := make([]route.Model, 1000)
	for i := range models {
		models[i].Name = strings.Repeat("ab", 30) + string(rune('a'+i%26))
	}
	asked := strings.Repeat("ab", 29) + "xyz"
	for b.Loop() {
		closest(asked, models)
	}
}
