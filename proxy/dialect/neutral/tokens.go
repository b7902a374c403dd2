package neutral

import (
	"math"
	"strconv"

	"signalbox.dev/signalbox/proxy/meter"
)

// Tokens reads a number of tokens as a provider reports it; fractions round up, and what is null or was not given is 0. It returns 0 and false when it is no number,
// below 0 or above meter.MaxTokens: the report is not believable then, and one broken answer must not cost a fortune.
func (n Number) Tokens() (int64, bool) {
	if n == "" || n == "null" {
		return 0, true
	}
	value, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.IsNaN(value) {
		return 0, false
	}
	if value < 0 || value > meter.MaxTokens {
		return 0, false
	}
	return int64(math.Ceil(value)), true
}
