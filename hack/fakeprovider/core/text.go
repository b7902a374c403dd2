package core

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"sort"
	"strings"
)

// wordAt is the deterministic word of an answer at a position.
func wordAt(seed, position uint64) string {
	words := [...]string{
		"signal", "track", "train", "lever", "points", "yard", "platform", "whistle", "ballast", "junction", "steam", "rail", "bridge", "tunnel", "lamp", "guard",
		"line", "block", "semaphore", "crossing", "sleeper", "engine", "wagon", "timetable", "station", "freight", "coupling", "boiler", "piston", "route", "départ", "駅",
	}
	mixed := (seed + position) * golden
	return words[mixed>>59]
}

// golden is the odd number nearest to 2^64 divided by the golden ratio.
const golden = 0x9E3779B97F4A7C15

// mix is the finalizer of SplitMix64: equal inputs give equal results that look random.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// SeedOf hashes what an answer depends on.
func SeedOf(parts ...string) uint64 {
	hash := fnv.New64a()
	for _, part := range parts {
		_, _ = hash.Write([]byte(part)) // a hash never returns an error
		_, _ = hash.Write([]byte{0})
	}
	return hash.Sum64()
}

// madeUpTokens is a text of n tokens; every token but the first begins with a blank.
func madeUpTokens(seed uint64, n int) []string {
	tokens := make([]string, 0, n)
	for position := uint64(0); len(tokens) < n; position++ {
		tokens = append(tokens, " "+wordAt(seed, position))
	}
	if n > 0 {
		tokens[0] = tokens[0][1:]
	}
	return tokens
}

// splitTokens splits a given text before each blank.
func splitTokens(text string) []string {
	var tokens []string
	for start := 0; start < len(text); {
		end := strings.IndexByte(text[start+1:], ' ')
		if end < 0 {
			return append(tokens, text[start:])
		}
		tokens = append(tokens, text[start:start+1+end])
		start += 1 + end
	}
	return tokens
}

// cutTokens applies the stop sequences and then the limit, and returns what is left with the finish reason and the sequence met.
// A limit of zero means none.
func cutTokens(tokens, stop []string, limit int) (kept []string, finish Finish, match string) {
	text := strings.Join(tokens, "")
	cut := len(text)
	finish = FinishStop
	for _, sequence := range stop {
		if at := strings.Index(text, sequence); at >= 0 && sequence != "" && at < cut {
			cut, finish, match = at, FinishMatch, sequence
		}
	}
	kept = make([]string, 0, len(tokens))
	for _, token := range tokens {
		if cut == 0 {
			break
		}
		token = token[:min(len(token), cut)]
		cut -= len(token)
		kept = append(kept, token)
	}
	if limit > 0 && len(kept) > limit {
		return kept[:limit], FinishLength, ""
	}
	return kept, finish, match
}

// CountTokens is the price of a text: one token per four bytes, rounded up.
func CountTokens(text string) int64 { return int64(len(text)+3) / 4 }

// VectorOf is a deterministic unit vector.
func VectorOf(seed uint64, dimensions int) []float32 {
	raw := make([]float64, dimensions)
	var norm float64
	state := seed
	for i := range raw {
		state = state*6364136223846793005 + 1442695040888963407
		raw[i] = float64(state>>11)/(1<<53) - 0.5
		norm += raw[i] * raw[i]
	}
	norm = math.Sqrt(norm)
	vector := make([]float32, dimensions)
	for i := range raw {
		vector[i] = float32(raw[i] / norm)
	}
	return vector
}

// LittleEndian is the byte form of a vector that base64 encoding carries.
func LittleEndian(vector []float32) []byte {
	out := make([]byte, 0, 4*len(vector))
	for _, x := range vector {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return out
}

// exampleOf makes up a value that fits a JSON schema, as far as type, enum, properties and items go. Depth bounds recursion.
func exampleOf(schema map[string]any, depth int) any {
	if enum, ok := schema["enum"].([]any); ok && len(enum) > 0 {
		return enum[0]
	}
	switch typeOf(schema) {
	case "object":
		return exampleObject(schema, depth)
	case "array":
		return exampleArray(schema, depth)
	case "integer", "number":
		return 7
	case "boolean":
		return true
	case "null":
		return nil
	default:
		return "junction"
	}
}

// typeOf is the type of a schema in lower case, the first one of a list; Gemini writes types in upper case.
func typeOf(schema map[string]any) string {
	if list, ok := schema["type"].([]any); ok && len(list) > 0 {
		name, _ := list[0].(string)
		return name
	}
	name, _ := schema["type"].(string)
	return strings.ToLower(name)
}

func exampleArray(schema map[string]any, depth int) []any {
	if depth <= 0 {
		return []any{}
	}
	items, _ := schema["items"].(map[string]any)
	return []any{exampleOf(items, depth-1)}
}

func exampleObject(schema map[string]any, depth int) map[string]any {
	if depth <= 0 {
		return map[string]any{}
	}
	properties, _ := schema["properties"].(map[string]any)
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	sort.Strings(names)
	out := make(map[string]any, len(names))
	for _, name := range names {
		property, _ := properties[name].(map[string]any)
		out[name] = exampleOf(property, depth-1)
	}
	return out
}
