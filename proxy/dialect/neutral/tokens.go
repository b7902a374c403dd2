package neutral

import (
	"math"
	"strconv"

	"signalbox.dev/signalbox/proxy/meter"
)

// Tokens reads a number of tokens as a provider reports it, cut to 0 and meter.MaxTokens; fractions round up, and what is null or was not given is 0. It returns false
// when it is no number or had to be cut: the report is not believable then.
func (n Number) Tokens() (int64, bool) {
	if n == "" || n == "null" {
		return 0, true
	}
	value, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.IsNaN(value) {
		return 0, false
	}
	count := int64(math.Ceil(min(max(value, 0), meter.MaxTokens)))
	return count, value >= 0 && value <= meter.MaxTokens
}
