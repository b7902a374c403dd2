package gemini

import (
	"strconv"
	"strings"
)

// version is what a model's name tells about its abilities.
type version struct {
	// known tells that the name is one of Google's with a number.
	known        bool
	major, minor int
	pro          bool
}

// versionOf reads names such as "gemini-2.5-flash", "models/gemini-3-pro-preview" and "publishers/google/models/gemini-2.0-flash". The names that end in
// "-latest" without a number stand for models from Gemini 3 on.
func versionOf(model string) version {
	name := model[strings.LastIndexByte(model, '/')+1:]
	rest, ok := strings.CutPrefix(name, "gemini-")
	if !ok {
		return version{}
	}
	v := version{pro: strings.Contains(name, "-pro")}
	number, _, _ := strings.Cut(rest, "-")
	whole, fraction, _ := strings.Cut(number, ".")
	major, err := strconv.Atoi(whole)
	if err != nil {
		if !strings.HasSuffix(name, "-latest") {
			return version{}
		}
		v.known, v.major, v.minor = true, 3, latestMinor
		return v
	}
	v.known, v.major = true, major
	if minor, err := strconv.Atoi(fraction); err == nil {
		v.minor = minor
	}
	return v
}

// latestMinor is above every known minor version.
const latestMinor = 99

// from tells whether the model is this version or a later one.
func (v version) from(major, minor int) bool {
	return v.known && (v.major > major || v.major == major && v.minor >= minor)
}

// before tells whether the model is known to be older than this version.
func (v version) before(major, minor int) bool { return v.known && !v.from(major, minor) }
