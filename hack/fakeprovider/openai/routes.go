// Package openai imitates OpenAI and those that speak like it: Groq, OpenRouter, Azure and model servers such as vLLM.
package openai

import (
	"net/http"
	"slices"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// Routes are the endpoints of all flavours.
func Routes() []core.Route {
	return slices.Concat(
		openAI.routes("/v1/"), groq.routes("/openai/v1/"), openRouter.routes("/api/v1/"), compatible.routes("/compatible/v1/"), azureRoutes("/azure/openai/"),
		[]core.Route{
			openRouter.route(http.MethodGet, "/api/v1/key", "key", (*exchange).key),
			openAI.route(http.MethodPost, "/v1/rerank", "rerank", (*exchange).rerank),
			compatible.route(http.MethodPost, "/compatible/v1/rerank", "rerank", (*exchange).rerank),
		},
		managementRoutes(),
	)
}

// Fallbacks refuse, by prefix, what no route takes.
func Fallbacks() map[string]core.Vendor {
	return map[string]core.Vendor{"/": openAI, "/openai/v1/": groq, "/api/v1/": openRouter, "/azure/": azure, "/compatible/": compatible}
}
