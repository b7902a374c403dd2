package bedrock

import (
	"strconv"
	"strings"
)

// family is whose model it is. Converse is one API, but what the models behind it accept differs.
type family int

const (
	otherFamily family = iota
	claude
	nova
	gptOSS
	mistralLarge
	// plainFamily are models that neither follow a schema nor can be made to call a tool.
	plainFamily
	// hiddenFamily is what stands behind the ARN of an inference profile or of rented throughput, which do not name it.
	hiddenFamily
)

// newest is the version of a Claude whose id does not tell it, as the newer ones do.
const newest = 9900

// The versions of Claude since which something differs, as major*100+minor.
const (
	// claudeThinks is the first that thinks.
	claudeThinks = 307
	// claudeOneSampler refuses temperature and top_p together.
	claudeOneSampler = 401
	// claudeStructured follows schemas, and keeps caches for an hour.
	claudeStructured = 405
	// claudeAdaptive decides itself how much to think, and has levels of effort.
	claudeAdaptive = 406
	// claudeNoSamplers refuses temperature, top_p and top_k, and hides its thinking unless asked.
	claudeNoSamplers = 407
)

// model is what is known of a model by its id.
type model struct {
	family family
	// version is major*100+minor for Claude, the major number for Nova, and 0 otherwise.
	version int
}

// modelOf recognises a model by its id.
func modelOf(id string) model {
	id = strings.ToLower(id)
	switch {
	case strings.Contains(id, "claude"):
		return model{family: claude, version: claudeVersion(id)}
	case strings.Contains(id, "nova-2"):
		return model{family: nova, version: 2}
	case strings.Contains(id, "amazon.nova"):
		return model{family: nova, version: 1}
	case strings.Contains(id, "gpt-oss"):
		return model{family: gptOSS}
	case strings.Contains(id, "mistral-large-24"):
		return model{family: mistralLarge}
	}
	for _, name := range []string{"llama", "titan", "ai21.", "cohere.", "deepseek.r1", "mistral-7b", "mixtral", "mistral-small"} {
		if strings.Contains(id, name) {
			return model{family: plainFamily}
		}
	}
	if strings.HasPrefix(id, "arn:") && !strings.Contains(id, ":inference-profile/") && !strings.Contains(id, ":foundation-model/") {
		return model{family: hiddenFamily}
	}
	return model{}
}

// claudeVersion reads the version out of claude-3-5-sonnet-20241022-v2:0, claude-sonnet-4-20250514-v1:0, claude-opus-4-6-v1 and the like. Dates are longer
// than version numbers.
func claudeVersion(id string) int {
	_, name, _ := strings.Cut(id, "claude-")
	words := strings.Split(name, "-")
	if words[0] == "instant" || strings.HasPrefix(words[0], "v2") {
		return 200
	}
	for i, word := range words {
		major, ok := versionNumber(word)
		if !ok {
			continue
		}
		minor := 0
		if i+1 < len(words) {
			minor, _ = versionNumber(words[i+1])
		}
		return major*100 + minor
	}
	return newest
}

// versionNumber reads one or two digits.
func versionNumber(word string) (int, bool) {
	number, err := strconv.ParseUint(word, 10, 7)
	if err != nil || len(word) > 2 {
		return 0, false
	}
	return int(number), true
}

// seals tells whether the model may be one that takes its sealed thoughts back.
func (m model) seals() bool { return m.family == claude || m.family == hiddenFamily }

// caches tells whether the model takes marks of its prompt cache.
func (m model) caches() bool { return m.family == claude || m.family == nova }

// cachesTools tells whether they may stand behind tools.
func (m model) cachesTools() bool { return m.family == claude }

// cachesForHours tells whether they may have a time to live.
func (m model) cachesForHours() bool { return m.family == claude && m.version >= claudeStructured }

// tellsFailures tells whether tool results may have a status.
func (m model) tellsFailures() bool { return m.family == claude || m.family == nova }

// canBeForced tells whether the model can be made to call a tool.
func (m model) canBeForced() bool {
	return m.family == claude || m.family == nova || m.family == mistralLarge
}

// followsSchemas tells whether the model's answer can be bound to a JSON schema.
func (m model) followsSchemas() bool {
	switch m.family {
	case claude:
		return m.version >= claudeStructured
	case nova, mistralLarge, plainFamily:
		return false
	default:
		return true
	}
}
