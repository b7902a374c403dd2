package openai

import (
	"encoding/json"
	"net/http"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// mark adds what Azure's filter thinks of a choice, and on OpenRouter the word with which the provider behind it ended.
func (f flavour) mark(c *chatChoice, generated core.Choice) {
	if f == openRouter && generated.Finish != "" {
		c.NativeFinishReason = string(generated.Finish)
	}
	if f == azure {
		c.ContentFilterResults = json.RawMessage(`{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},` +
			`"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}`)
	}
}

// promptFilterResults are what Azure's filter thinks of the prompt.
func promptFilterResults() json.RawMessage {
	return json.RawMessage(`[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},` +
		`"jailbreak":{"filtered":false,"detected":false},"self_harm":{"filtered":false,"severity":"safe"},` +
		`"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}}]`)
}

// versioned is a route that wants its version in the query.
func versioned(r core.Route) core.Route {
	inner := r.Answer
	r.Answer = func(x *core.Exchange) error {
		if x.R.URL.Query().Get("api-version") == "" {
			return azure.NotFound(x)
		}
		return inner(x)
	}
	return r
}

// azureRoutes are the deployments with their version in the query, and the versionless API, which is OpenAI's.
func azureRoutes(prefix string) []core.Route {
	var out []core.Route
	for _, r := range azure.routes(prefix + "deployments/{deployment}/") {
		if r.Endpoint != "models" && !strings.HasPrefix(r.Endpoint, "responses") {
			out = append(out, versioned(r))
		}
	}
	for _, r := range append(azure.responseRoutes(prefix), azure.route(http.MethodGet, prefix+"models", "models", (*exchange).models)) {
		out = append(out, versioned(r))
	}
	return append(out, azure.routes(prefix+"v1/")...)
}
