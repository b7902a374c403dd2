package health_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/health"
)

// header makes a header of lines.
func header(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestReadRateLimits(t *testing.T) {
	now := moment(t, "2026-11-22T12:00:00Z")
	const date = "Date: Sun, 22 Nov 2026 12:00:30 GMT" // The provider's clock is ahead.
	for name, tc := range map[string]struct {
		lines []string
		want  health.RateLimits
	}{
		"nothing": {nil, untold},
		"others":  {[]string{"Content-Type: text/plain", "X-Ratelimit-Limit-Requests: 5"}, untold},
		"OpenAI": {
			[]string{"x-ratelimit-limit-requests: 500", "x-ratelimit-remaining-requests: 499", "x-ratelimit-reset-requests: 120ms", "x-ratelimit-remaining-tokens: 29000", "x-ratelimit-reset-tokens: 6m0s"},
			health.RateLimits{RequestsLeft: 499, TokensLeft: 29000, RequestsReset: 120 * time.Millisecond, TokensReset: 6 * time.Minute},
		},
		"Groq": {
			[]string{"x-ratelimit-remaining-requests: 14370", "x-ratelimit-reset-requests: 2m59.56s", "x-ratelimit-remaining-tokens: 17997", "x-ratelimit-reset-tokens: 7.66s"},
			health.RateLimits{RequestsLeft: 14370, TokensLeft: 17997, RequestsReset: 179560 * time.Millisecond, TokensReset: 7660 * time.Millisecond},
		},
		"Azure": {
			[]string{"x-ratelimit-remaining-requests: 9", "x-ratelimit-remaining-tokens: 900", "x-ratelimit-reset-tokens: 12"},
			health.RateLimits{RequestsLeft: 9, TokensLeft: 900, TokensReset: 12 * time.Second},
		},
		"Anthropic": {
			[]string{
				date, "anthropic-ratelimit-requests-remaining: 49", "anthropic-ratelimit-requests-reset: 2026-11-22T12:01:00Z",
				"anthropic-ratelimit-tokens-remaining: 50000", "anthropic-ratelimit-tokens-reset: 2026-11-22T12:02:00Z",
				"anthropic-ratelimit-input-tokens-remaining: 40000", "anthropic-ratelimit-input-tokens-reset: 2026-11-22T12:01:00Z",
				"anthropic-ratelimit-output-tokens-remaining: 8000", "anthropic-ratelimit-output-tokens-reset: 2026-11-22T13:00:40+01:00",
			},
			health.RateLimits{RequestsLeft: 49, TokensLeft: 8000, RequestsReset: 30 * time.Second, TokensReset: 10 * time.Second},
		},
		"Anthropic, input is less": {
			[]string{"anthropic-ratelimit-input-tokens-remaining: 10", "anthropic-ratelimit-input-tokens-reset: 2026-11-22T12:01:00Z", "anthropic-ratelimit-output-tokens-remaining: 8000"},
			health.RateLimits{RequestsLeft: -1, TokensLeft: 10, TokensReset: time.Minute},
		},
		"as little for longer": {
			[]string{"anthropic-ratelimit-input-tokens-remaining: 0", "anthropic-ratelimit-input-tokens-reset: 2026-11-22T12:01:00Z", "anthropic-ratelimit-output-tokens-remaining: 0", "anthropic-ratelimit-output-tokens-reset: 2026-11-22T12:00:05Z"},
			health.RateLimits{RequestsLeft: -1, TokensLeft: 0, TokensReset: time.Minute},
		},
		"OpenRouter": {
			[]string{"X-RateLimit-Limit: 20", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795348845500"},
			health.RateLimits{RequestsLeft: 0, TokensLeft: -1, RequestsReset: 45500 * time.Millisecond},
		},
		"OpenRouter, its clock": {
			[]string{date, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795348845500"},
			health.RateLimits{RequestsLeft: 0, TokensLeft: -1, RequestsReset: 15500 * time.Millisecond},
		},
		"seconds since 1970": {[]string{"X-RateLimit-Remaining: 1", "X-RateLimit-Reset: 1795348810"}, health.RateLimits{RequestsLeft: 1, TokensLeft: -1, RequestsReset: 10 * time.Second}},
		"Mistral":            {[]string{"x-ratelimit-remaining-req-minute: 717", "x-ratelimit-remaining-tokens-minute: 4999911"}, health.RateLimits{RequestsLeft: 717, TokensLeft: 4999911}},
		"Cerebras": {
			[]string{"x-ratelimit-remaining-requests-day: 99", "x-ratelimit-reset-requests-day: 33011.5", "x-ratelimit-remaining-tokens-minute: 98", "x-ratelimit-reset-tokens-minute: 11.25"},
			health.RateLimits{RequestsLeft: 99, TokensLeft: 98, RequestsReset: 33011500 * time.Millisecond, TokensReset: 11250 * time.Millisecond},
		},
		"overdrawn":     {[]string{"x-ratelimit-remaining-tokens: -70", "x-ratelimit-reset-tokens: -5s"}, untold},
		"past":          {[]string{"x-ratelimit-remaining: 3", "x-ratelimit-reset: 1000000001"}, untold},
		"huge":          {[]string{"x-ratelimit-remaining-tokens: 1e300", "x-ratelimit-reset-tokens: 1e300"}, untold},
		"far":           {[]string{"x-ratelimit-remaining-tokens: 1", "x-ratelimit-reset-tokens: 2000000h"}, untold},
		"no limit":      {[]string{"x-ratelimit-limit-requests: 0", "x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 10s"}, untold},
		"full at once":  {[]string{"x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 0s"}, untold},
		"no numbers":    {[]string{"x-ratelimit-remaining-requests: NaN", "x-ratelimit-remaining-tokens: many", "anthropic-ratelimit-tokens-remaining: Inf", "x-ratelimit-remaining: "}, untold},
		"no reset":      {[]string{"x-ratelimit-remaining-requests: 1", "x-ratelimit-reset-requests: soon"}, untold},
		"bad one aside": {[]string{"x-ratelimit-remaining-tokens: ?", "anthropic-ratelimit-tokens-remaining: 5"}, health.RateLimits{RequestsLeft: -1, TokensLeft: 5}},
		"bad date":      {[]string{"Date: today", "anthropic-ratelimit-tokens-remaining: 5", "anthropic-ratelimit-tokens-reset: 2026-11-22T12:00:07Z"}, health.RateLimits{RequestsLeft: -1, TokensLeft: 5, TokensReset: 7 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, health.ReadRateLimits(header(tc.lines...), now)); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadRetryAfter(t *testing.T) {
	now := moment(t, "2026-11-22T12:00:00Z")
	for name, tc := range map[string]struct {
		lines []string
		want  time.Duration
	}{
		"nothing":        {nil, 0},
		"seconds":        {[]string{"Retry-After: 7"}, 7 * time.Second},
		"fraction":       {[]string{"Retry-After: 0.25"}, 250 * time.Millisecond},
		"milliseconds":   {[]string{"retry-after-ms: 1500", "Retry-After: 2"}, 1500 * time.Millisecond},
		"date":           {[]string{"Retry-After: Sun, 22 Nov 2026 12:00:20 GMT"}, 20 * time.Second},
		"provider's":     {[]string{"Retry-After: Sun, 22 Nov 2026 12:10:20 GMT", "Date: Sun, 22 Nov 2026 12:10:00 GMT"}, 20 * time.Second},
		"past":           {[]string{"Retry-After: Sun, 22 Nov 2020 12:00:00 GMT"}, 0},
		"negative":       {[]string{"Retry-After: -5"}, 0},
		"huge":           {[]string{"Retry-After: 1e30"}, time.Hour},
		"huge in millis": {[]string{"retry-after-ms: 1e30"}, time.Hour},
		"far date":       {[]string{"Retry-After: Sun, 22 Nov 2099 12:00:00 GMT"}, time.Hour},
		"no number":      {[]string{"Retry-After: NaN"}, 0},
		"words":          {[]string{"Retry-After: later"}, 0},
		"bad millis":     {[]string{"retry-after-ms: x", "Retry-After: 3"}, 3 * time.Second},
		"used up":        {[]string{"x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 9s", "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 11s"}, 11 * time.Second},
		"one used up":    {[]string{"x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 9s", "x-ratelimit-remaining-tokens: 5", "x-ratelimit-reset-tokens: 11s"}, 9 * time.Second},
		"none used up":   {[]string{"x-ratelimit-remaining-requests: 1", "x-ratelimit-reset-requests: 9s"}, 0},
		"used up, far":   {[]string{"x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 20h"}, time.Hour},
		"OpenRouter":     {[]string{"X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795348845500"}, 45500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			if got := health.ReadRetryAfter(header(tc.lines...), now); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestHeadersCostNothing: reading what most answers have, and have not, allocates nothing.
func TestHeadersCostNothing(t *testing.T) {
	now := moment(t, "2026-11-22T12:00:00Z")
	for name, h := range map[string]http.Header{
		"none": header("Content-Type: application/json", "Date: Sun, 22 Nov 2026 12:00:00 GMT"),
		"Groq": header("x-ratelimit-remaining-requests: 14370", "x-ratelimit-reset-requests: 2m59.56s", "x-ratelimit-remaining-tokens: 17997", "x-ratelimit-reset-tokens: 7"),
	} {
		t.Run(name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, func() { health.ReadRateLimits(h, now) }); got != 0 {
				t.Errorf("%f allocations", got)
			}
		})
	}
}

// FuzzHeaders checks that all that is read is within bounds.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"5", "2m59.56s", "1795348845500", "2026-11-22T12:01:00Z", "Sun, 22 Nov 2026 12:00:30 GMT", "-1e400", "0x1p-2", "1e12", "\xff"} {
		f.Add(seed, "0", "")
		f.Add("0", seed, seed)
	}
	f.Fuzz(func(t *testing.T, left, reset, date string) {
		now := time.Unix(1_800_000_000, 0)
		for _, names := range [][2]string{
			{"X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"}, {"X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
			{"Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"}, {"Retry-After", "Retry-After-Ms"},
		} {
			h := http.Header{names[0]: {left}, names[1]: {reset}, "Date": {date}}
			limits := health.ReadRateLimits(h, now)
			for _, figure := range []int64{limits.RequestsLeft, limits.TokensLeft} {
				if figure < -1 || figure > 1<<50 {
					t.Errorf("%v leaves %d", h, figure)
				}
			}
			for _, d := range []time.Duration{limits.RequestsReset, limits.TokensReset} {
				if d < 0 || d > 24*time.Hour {
					t.Errorf("%v resets after %s", h, d)
				}
			}
			if d := health.ReadRetryAfter(h, now); d < 0 || d > time.Hour {
				t.Errorf("%v asks for %s", h, d)
			}
		}
	})
}
