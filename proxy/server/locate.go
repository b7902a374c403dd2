package server

import (
	"net/http"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/telemetry"
)

type action uint8

const (
	actionGenerate action = iota + 1
	actionListModels
	actionGetModel
)

// place is what a path stands for.
type place struct {
	surface dialect.Flavor
	action  action
	kind    openai.Kind
	// modelID is the model of GET models/{id}.
	modelID string
	// path for the log: the request's own, without what a client can make up.
	path string
}

const pathsServed = "this proxy serves POST chat/completions, completions and embeddings, GET models and models/{id}, each under /v1, /api/v1 and /openai/v1"

// locate finds out what a path stands for, and refuses paths and methods that the proxy does not serve.
func (s *Server) locate(next handler) handler {
	return func(c *call) error {
		found, ok := find(c.r.URL)
		c.place = found
		if !ok {
			return &Error{Code: CodePathNotFound, Status: http.StatusNotFound, Message: "there is nothing at this path; " + pathsServed}
		}
		if method := found.method(); c.r.Method != method {
			refusal := &Error{Code: CodeMethodNotAllowed, Status: http.StatusMethodNotAllowed, Message: "this path takes " + method + " only"}
			return refusal.withHeader("Allow", method)
		}
		return next(c)
	}
}

// find reads a path. The surface is right even where nothing is found, for the reply says so in its dialect.
func find(u *url.URL) (place, bool) {
	surface, prefix := dialect.OpenAIFlavor, ""
	switch path := u.Path; {
	case strings.HasPrefix(path, "/v1/"):
		prefix = "/v1/"
	case strings.HasPrefix(path, "/openai/v1/"):
		prefix = "/openai/v1/"
	case strings.HasPrefix(path, "/api/v1/"):
		surface, prefix = dialect.OpenRouterFlavor, "/api/v1/"
	default:
		return place{path: "other"}, false
	}
	found := place{surface: surface}
	switch u.Path[len(prefix):] {
	case "chat/completions":
		found.action, found.kind = actionGenerate, openai.ChatCompletions
	case "completions":
		found.action, found.kind = actionGenerate, openai.Completions
	case "embeddings":
		found.action, found.kind = actionGenerate, openai.Embeddings
	case "models":
		found.action = actionListModels
	default:
		return findModel(found, u, prefix)
	}
	found.path = u.Path
	return found, true
}

// findModel reads models/{id}. Ids hold slashes, which some clients escape and others do not.
func findModel(found place, u *url.URL, prefix string) (place, bool) {
	found.path = prefix + "other"
	escaped, ok := strings.CutPrefix(u.EscapedPath(), prefix+"models/")
	if !ok {
		return found, false
	}
	id, err := url.PathUnescape(escaped)
	if err != nil || id == "" {
		return found, false
	}
	found.action, found.modelID, found.path = actionGetModel, id, prefix+"models/{id}"
	return found, true
}

func (p place) method() string {
	if p.action == actionGenerate {
		return http.MethodPost
	}
	return http.MethodGet
}

// operation is the endpoint's in the words of metrics.
func (p place) operation() telemetry.Operation {
	if p.action != actionGenerate {
		return telemetry.OtherOperation
	}
	switch p.kind {
	case openai.Completions:
		return telemetry.TextCompletion
	case openai.Embeddings:
		return telemetry.Embeddings
	default:
		return telemetry.Chat
	}
}

// upstream is the endpoint's operation at a provider.
func (p place) upstream() provider.Operation {
	switch p.kind {
	case openai.Completions:
		return provider.Completions
	case openai.Embeddings:
		return provider.Embeddings
	default:
		return provider.ChatCompletions
	}
}
