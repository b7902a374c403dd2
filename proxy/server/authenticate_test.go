package server

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/identity"
)

// TestKeyInTheQuery shows where a key in the query counts, and that it is a credential like any other beside those in headers.
func TestKeyInTheQuery(t *testing.T) {
	for name, tc := range map[string]struct {
		api    neutral.API
		query  string
		header map[string]string
		want   string
		reason identity.Reason
	}{
		"alone":                 {neutral.GenerateContent, "alt=sse&key=a", nil, "a", 0},
		"escaped":               {neutral.GenerateContent, "key=a%2Bb", nil, "a+b", 0},
		"twice the same":        {neutral.GenerateContent, "key=a&key=a", nil, "a", 0},
		"the header's":          {neutral.GenerateContent, "key=a", map[string]string{"X-Goog-Api-Key": "a", "Authorization": "Bearer a"}, "a", 0},
		"two":                   {neutral.GenerateContent, "key=a&key=b", nil, "", identity.Malformed},
		"another in the header": {neutral.GenerateContent, "key=a", map[string]string{"X-Goog-Api-Key": "b"}, "", identity.Malformed},
		"another bearer":        {neutral.GenerateContent, "key=a", map[string]string{"Authorization": "Bearer b"}, "", identity.Ambiguous},
		"another x-api-key":     {neutral.GenerateContent, "key=a", map[string]string{"X-Api-Key": "b"}, "", identity.Ambiguous},
		"another api-key":       {neutral.GenerateContent, "key=a", map[string]string{"Api-Key": "b"}, "", identity.Ambiguous},
		"empty":                 {neutral.GenerateContent, "key=", nil, "", identity.Missing},
		"with a newline":        {neutral.GenerateContent, "key=a%0Ab", nil, "", identity.Malformed},
		"at another API":        {neutral.ChatCompletions, "key=a", nil, "", identity.Missing},
		"beside another API's":  {neutral.ChatCompletions, "key=a", map[string]string{"Authorization": "Bearer b"}, "b", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := &call{r: httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?"+tc.query, http.NoBody)}
			c.place.api = tc.api
			for header, value := range tc.header {
				c.r.Header.Set(header, value)
			}
			got, err := identity.Token(c.credentials())
			var refusal *identity.Error
			if errors.As(err, &refusal) != (tc.reason != 0) || refusal != nil && refusal.Reason != tc.reason || got != tc.want {
				t.Errorf("it is %q, %v, want %q, %v", got, err, tc.want, tc.reason)
			}
			if len(tc.header) == 0 && len(c.r.Header) > 0 {
				t.Error("the key has got into the request's own header")
			}
		})
	}
}
