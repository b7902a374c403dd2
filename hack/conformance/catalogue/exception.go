package catalogue

import "signalbox.dev/signalbox/hack/conformance/plan"

// Exception is a check that cannot succeed, and how it has to fail. Empty selectors match everything.
type Exception struct {
	// Clients, Surfaces, Checks and Upstreams that it is about.
	Clients, Surfaces, Checks, Upstreams []string
	plan.Refusal
}

// Exceptions are all of them. The first that matches counts.
func Exceptions() []Exception {
	bedrock := []string{"bedrock", "bedrock-claude"}
	return []Exception{
		{Checks: []string{"image-by-url"}, Upstreams: bedrock, Refusal: plan.Refusal{
			Status: 400, Text: "by url cannot be sent", Reason: "Bedrock takes images as bytes, and the proxy never fetches a URL out of a request",
		}},
		{Checks: []string{"stop"}, Upstreams: []string{"responses"}, Refusal: plan.Refusal{
			Status: 400, Text: "no stop sequences", Reason: "the Responses API has no stop sequences",
		}},
		{Surfaces: []string{"embeddings"}, Upstreams: []string{"bedrock-claude"}, Refusal: plan.Refusal{
			Status: 400, Text: "one text a call", Reason: "Titan's embedding models take one text a call",
		}},
		{Clients: []string{"google-genai"}, Checks: []string{"count-tokens"}, Refusal: plan.Refusal{
			Status: 405, Text: "takes get only", Reason: "Gemini's countTokens is not offered",
		}},
	}
}

// RefusalOf is how a check has to fail; false when it must succeed.
func RefusalOf(exceptions []Exception, client, surface, check, upstream string) (plan.Refusal, bool) {
	for _, e := range exceptions {
		if selects(e.Clients, client) && selects(e.Surfaces, surface) && selects(e.Checks, check) && selects(e.Upstreams, upstream) {
			return e.Refusal, true
		}
	}
	return plan.Refusal{}, false
}

func selects(names []string, name string) bool {
	if len(names) == 0 {
		return true
	}
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
