package core

import (
	"sort"
	"strings"
)

// Relevance is how much of a query's words a document has, 0 to 1, with a trace of both texts so that no two documents tie.
func Relevance(query, document string) float64 {
	words := strings.Fields(strings.ToLower(query))
	text := strings.ToLower(document)
	found := 0
	for _, word := range words {
		if strings.Contains(text, word) {
			found++
		}
	}
	trace := float64(SeedOf(query, document)%1000) / 1e6
	return float64(found)/float64(max(1, len(words)))*0.99 + trace
}

// Ranked is one document's place in a ranking.
type Ranked struct {
	Index int
	Score float64
}

// Rank orders documents by relevance, the best first, and keeps top of them; 0 keeps all.
func Rank(query string, documents []string, top int) []Ranked {
	out := make([]Ranked, 0, len(documents))
	for i, document := range documents {
		out = append(out, Ranked{i, Relevance(query, document)})
	}
	sort.SliceStable(out, func(i, k int) bool { return out[i].Score > out[k].Score })
	if top > 0 && top < len(out) {
		out = out[:top]
	}
	return out
}
