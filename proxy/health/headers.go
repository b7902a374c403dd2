package health

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxReset bounds how long a limit takes to be full again; those by the day take longest.
	maxReset = maxSpan
	// Numbers above these can only be times: seconds and milliseconds since 1970.
	minUnixSeconds = 1e9
	minUnixMillis  = 1e12
)

// limitHeader names the headers of one limit, in the form that http.Header has them in.
type limitHeader struct{ limit, left, reset string }

// requestHeaders and tokenHeaders are the limits that providers tell of. Where one tells several, the one of which least is left counts.
func requestHeaders() [5]limitHeader {
	return [...]limitHeader{
		// OpenAI, Azure, Groq, Fireworks and others.
		{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
		// OpenRouter and Together.
		{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
		// Mistral, which tells no reset, and Cerebras.
		{"X-Ratelimit-Limit-Req-Minute", "X-Ratelimit-Remaining-Req-Minute", "X-Ratelimit-Reset-Req-Minute"},
		{"X-Ratelimit-Limit-Requests-Day", "X-Ratelimit-Remaining-Requests-Day", "X-Ratelimit-Reset-Requests-Day"},
	}
}

func tokenHeaders() [5]limitHeader {
	return [...]limitHeader{
		{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
		{"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
		{"Anthropic-Ratelimit-Input-Tokens-Limit", "Anthropic-Ratelimit-Input-Tokens-Remaining", "Anthropic-Ratelimit-Input-Tokens-Reset"},
		{"Anthropic-Ratelimit-Output-Tokens-Limit", "Anthropic-Ratelimit-Output-Tokens-Remaining", "Anthropic-Ratelimit-Output-Tokens-Reset"},
		// Mistral and Cerebras.
		{"X-Ratelimit-Limit-Tokens-Minute", "X-Ratelimit-Remaining-Tokens-Minute", "X-Ratelimit-Reset-Tokens-Minute"},
	}
}

// ReadRateLimits reads the rate limits in the headers of a provider's answer, in the forms of OpenAI and Groq (x-ratelimit-*), Anthropic
// (anthropic-ratelimit-*), Cerebras, and OpenRouter. The names of h must be in canonical form. Resets that are times are taken as the provider's clock has
// them, if it tells the date.
func ReadRateLimits(h http.Header, now time.Time) RateLimits {
	limits := RateLimits{RequestsLeft: -1, TokensLeft: -1}
	for _, names := range requestHeaders() {
		tighten(&limits.RequestsLeft, &limits.RequestsReset, names, h, now)
	}
	for _, names := range tokenHeaders() {
		tighten(&limits.TokensLeft, &limits.TokensReset, names, h, now)
	}
	return limits
}

// tighten takes a limit in if it is there and less is left of it, or as little for longer. A limit of 0 is that of a gateway that means none, and one that
// is full again at once, or nobody knows when, says nothing of now.
func tighten(left *int64, reset *time.Duration, names limitHeader, h http.Header, now time.Time) {
	text := value(h, names.left)
	if text == "" {
		return
	}
	figure, ok := readFigure(text)
	if !ok || *left >= 0 && figure > *left || value(h, names.limit) == "0" {
		return
	}
	told := value(h, names.reset)
	until := readReset(told, h, now)
	if told != "" && (until <= 0 || until >= maxReset) {
		return
	}
	if figure == *left {
		until = max(until, *reset)
	}
	*left, *reset = figure, until
}

// ReadRetryAfter reads how long a provider wants to be left alone: retry-after-ms, Retry-After in seconds or as a date, else the reset of the limit that is
// used up. It is bounded by an hour; 0 when the provider does not say.
func ReadRetryAfter(h http.Header, now time.Time) time.Duration {
	if millis, ok := readNumber(value(h, "Retry-After-Ms")); ok {
		return min(span(millis/1000), maxTold)
	}
	if text := value(h, "Retry-After"); text != "" {
		if seconds, ok := readNumber(text); ok {
			return min(span(seconds), maxTold)
		}
		if at, err := http.ParseTime(text); err == nil {
			return min(max(at.Sub(clock(h, now)), 0), maxTold)
		}
	}
	limits := ReadRateLimits(h, now)
	var after time.Duration
	if limits.RequestsLeft == 0 {
		after = limits.RequestsReset
	}
	if limits.TokensLeft == 0 {
		after = max(after, limits.TokensReset)
	}
	return min(after, maxTold)
}

// value is the first value of a header; looking it up so allocates nothing.
func value(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// clock is what time it is for the provider.
func clock(h http.Header, now time.Time) time.Time {
	if text := value(h, "Date"); text != "" {
		if date, err := http.ParseTime(text); err == nil {
			return date
		}
	}
	return now
}

// readFigure reads how much is left. A limit that is overdrawn has nothing left.
func readFigure(text string) (int64, bool) {
	number, ok := readNumber(text)
	if !ok {
		return 0, false
	}
	return int64(min(max(number, 0), float64(maxLeft))), true
}

// readReset reads when a limit is full again: "2m59.56s", seconds, a time of RFC 3339, or seconds or milliseconds since 1970; 0 for what cannot be read.
func readReset(text string, h http.Header, now time.Time) time.Duration {
	switch last := max(len(text)-1, 0); {
	case text == "":
		return 0
	case text[last] == 's' || text[last] == 'm' || text[last] == 'h':
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0
		}
		return min(max(d, 0), maxReset)
	case len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == 'T':
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return 0
		}
		return min(max(at.Sub(clock(h, now)), 0), maxReset)
	}
	number, _ := readNumber(text)
	switch {
	case number >= minUnixMillis:
		return span((number - float64(clock(h, now).UnixMilli())) / 1000)
	case number >= minUnixSeconds:
		return span(number - float64(clock(h, now).Unix()))
	default:
		return span(number)
	}
}

// readNumber reads a finite number.
func readNumber(text string) (float64, bool) {
	if text == "" {
		return 0, false
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
		return 0, false
	}
	return number, true
}

// span makes a duration of seconds, within bounds.
func span(seconds float64) time.Duration {
	return time.Duration(min(max(seconds, 0), maxReset.Seconds()) * float64(time.Second))
}
