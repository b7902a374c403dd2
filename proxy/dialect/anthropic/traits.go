package anthropic

import (
	"slices"
	"strconv"
	"strings"
)

// The families of Claude models that differ in more than their version.
const (
	familyHaiku  = "haiku"
	familySonnet = "sonnet"
	familyOpus   = "opus"
	familyFable  = "fable"
	familyMythos = "mythos"
)

// newest is the version of a Claude model whose name does not tell one: what is new has the rules of the newest.
const newest version = 99_00

// version of a model, major*100 + minor.
type version int

// traits are the rules of a model that a request must keep. The API refuses requests that break them, and does not tell the rules by itself.
type traits struct {
	// claude tells that the model is one of Anthropic's; others that speak the API have rules of their own, of which nothing is known.
	claude  bool
	family  string
	version version
}

// traitsOf reads the traits out of a model's name, however a host of the API writes it: "claude-sonnet-4-5-20250929", "claude-3-7-sonnet@20250219",
// "us.anthropic.claude-opus-4-6-v1:0", "anthropic/claude-opus-4.6".
func traitsOf(model string) traits {
	_, name, found := strings.Cut(strings.ToLower(model), "claude-")
	if !found {
		return traits{}
	}
	words := strings.FieldsFunc(name, func(c rune) bool { return strings.ContainsRune("-.@:/", c) })
	t := traits{claude: true, version: versionOf(words)}
	for _, word := range words {
		switch word {
		case familyHaiku, familySonnet, familyOpus, familyFable, familyMythos:
			t.family = word
		case "instant":
			t.version = 1_00
		}
	}
	return t
}

// versionOf is the version in the words of a name: the first number and the one right behind it. Dates, and the host's own versions ("v1:0"), are none.
func versionOf(words []string) version {
	first := slices.IndexFunc(words, func(word string) bool { return versionNumber(strings.TrimPrefix(word, "v")) >= 0 })
	if first < 0 {
		return newest
	}
	v := versionNumber(strings.TrimPrefix(words[first], "v")) * 100
	if first+1 < len(words) {
		v += max(versionNumber(words[first+1]), 0)
	}
	return v
}

// versionNumber reads a part of a version; -1 for anything else.
func versionNumber(word string) version {
	number, err := strconv.Atoi(word)
	if err != nil || number < 0 || number > 99 {
		return -1
	}
	return version(number)
}

// maxOutput is how many tokens the model can answer with; 0 when that is not known.
func (t traits) maxOutput() int64 {
	switch {
	case !t.claude || t.version == newest:
		return 0
	case t.version < 3_05:
		return 4096
	case t.version < 3_07:
		return 8192
	case t.version >= 4_06:
		return 128_000
	case t.family == familyOpus && t.version < 4_05:
		return 32_000
	}
	return 64_000
}

// defaultMaxTokens is the limit on the answer of a request that has none, for the API demands one: what the older models can do at most, 32,000 for those
// since Claude 3.7, which can do that or more, and 8,192 for models that are not Claude's.
func (t traits) defaultMaxTokens() int64 {
	const modern, foreign = 32_000, 8192
	switch most := t.maxOutput(); {
	case !t.claude:
		return foreign
	case most == 0:
		return modern
	default:
		return min(most, modern)
	}
}

// adaptive tells that the model decides itself how much to think, steered by an effort.
func (t traits) adaptive() bool { return t.claude && t.version >= 4_06 }

// budget tells that the model thinks within a budget of tokens. Those since 4.7 refuse one.
func (t traits) budget() bool { return t.claude && t.version >= 3_07 && t.version < 4_07 }

// thinksUnasked tells that the model thinks unless it is told not to.
func (t traits) thinksUnasked() bool { return t.claude && t.version >= 5_00 }

// alwaysThinks tells that the model refuses to be told not to think.
func (t traits) alwaysThinks() bool {
	return t.thinksUnasked() && (t.family != familyHaiku && t.version >= 5_05 || t.family == familyFable || t.family == familyMythos)
}

// thinksBetweenTools tells that the model has, in place of no thinking, the setting that only thinks between calls.
func (t traits) thinksBetweenTools() bool { return t.family == familySonnet && t.version == 5_05 }

// efforts tells whether the model takes an effort, and which are its strongest.
func (t traits) efforts() (any, xhigh, most bool) {
	any = t.claude && (t.version >= 4_06 || t.family == familyOpus && t.version >= 4_05)
	return any, t.claude && t.version >= 4_07, t.adaptive()
}

// sampling tells that the model takes temperature, top_p and top_k.
func (t traits) sampling() bool { return !t.claude || t.version < 4_07 }

// oneSampler tells that temperature and top_p exclude each other.
func (t traits) oneSampler() bool { return t.claude && t.version >= 4_01 }

// forcedTools tells that the model can be made to call a tool.
func (t traits) forcedTools() bool {
	switch t.family {
	case familyFable, familyMythos:
		return t.version < 5_01
	case familyHaiku:
		return true
	}
	return t.version < 5_05
}

// structured tells that the model can be made to answer by a schema, and to follow those of tools exactly.
func (t traits) structured() bool {
	return t.claude && (t.version >= 4_05 || t.family == familyOpus && t.version >= 4_01)
}

// prefill tells that the model goes on with an assistant's message at the end of the conversation.
func (t traits) prefill() bool { return !t.claude || t.version < 4_06 }
