package failure

import (
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxRetryAfter bounds how long an error can ask to be left alone.
const maxRetryAfter = time.Hour

// RetryAfter is how long an error asks to be left alone: in Google's RetryInfo, or in its text, as Google, Groq and Azure write it: "Please retry in 34.07s.", "Please try again in
// 1m2.5s", "Please retry after 2 seconds."; 0 when it does not. Headers, where there are any, say it better.
func RetryAfter(said neutral.Error) time.Duration {
	if said.RetryAfter > 0 {
		return said.RetryAfter
	}
	text := plain(said.Message)
	for _, phrase := range []string{"try again in ", "retry in ", "retry after ", "try again after "} {
		if _, rest, ok := strings.Cut(text, phrase); ok {
			return readSpan(rest)
		}
	}
	return 0
}

// readSpan reads the duration at the beginning of a text.
func readSpan(text string) time.Duration {
	first, rest, _ := strings.Cut(text, " ")
	first = strings.TrimRight(first, ".,;")
	if seconds, err := strconv.ParseUint(first, 10, 16); err == nil && strings.HasPrefix(rest, "second") {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	d, err := time.ParseDuration(first)
	if err != nil {
		return 0
	}
	return min(max(d, 0), maxRetryAfter)
}
