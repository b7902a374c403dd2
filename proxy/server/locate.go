package server

import (
	"net/http"
	"net/url"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/telemetry"
)

type action uint8

const (
	actionGenerate action = iota + 1
	actionForm
	actionCountTokens
	actionListModels
	actionGetModel
	actionExplain
	actionGeneration
	actionKey
	actionCredits
	actionActivity
	actionUsage
)

// place is what a path stands for.
type place struct {
	action action
	// explains is what would be done with the request that is to be explained.
	explains action
	// api that requests at this path speak; for lists, and where nothing is found, the one whose manners the reply has.
	api    neutral.API
	flavor dialect.Flavor
	// surface of api.
	surface dialect.Surface
	// modelID is the model of GET models/{id} and of Gemini's paths.
	modelID string
	// stream and array are what Gemini's paths say of the answer.
	stream, array bool
	// path for the log: the request's own, without what a client can make up.
	path string
}

const pathsServed = "this proxy serves POST chat/completions, completions, responses, messages, messages/count_tokens, embeddings, rerank, moderations, " +
	"images/generations, images/edits, images/variations, audio/speech, audio/transcriptions, audio/translations, route/explain, GET models and models/{id}, each under " +
	"/v1, /api/v1 and /openai/v1; GET usage there, and generation, key, credits and activity under /api/v1; and Gemini's models/{id}:generateContent and models/{id}:streamGenerateContent under /v1beta"

// locate finds out what a path stands for, and refuses paths and methods that the proxy does not serve.
func (s *Server) locate(next handler) handler {
	return func(c *call) error {
		found, ok := find(c.r)
		found.surface = s.codecs.Surface(found.api)
		c.place = found
		if found.api == neutral.Messages || found.api == neutral.CountTokens {
			c.w.Header()[headerAnthropicRequestID] = []string{c.id}
		}
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

// find reads a path. The place's api is right even where nothing is found, for the reply says so in its dialect.
func find(r *http.Request) (place, bool) {
	prefix, flavor := splitPath(r.URL.Path)
	switch prefix {
	case "":
		return place{api: neutral.ChatCompletions, path: "other"}, false
	case "/v1beta/":
		return findGemini(r, prefix)
	case "/v2/":
		return findCohere(r.URL.Path)
	}
	found := place{api: neutral.ChatCompletions, flavor: flavor, path: r.URL.Path}
	suffix := r.URL.Path[len(prefix):]
	if api, served := apiOf(suffix); served {
		found.api, found.action = api, actionOf(api)
		return found, true
	}
	if found.action = ownAction(flavor, suffix); found.action != 0 {
		return found, true
	}
	switch {
	case suffix == "route/explain":
		return findExplained(r, found)
	case suffix == "models" || strings.HasPrefix(suffix, "models/"):
		if verbOf(r.URL.Path) != "" {
			return findGemini(r, prefix)
		}
		found.api = listDialect(r.Header)
		return findModel(found, r.URL, prefix)
	case strings.HasPrefix(suffix, "messages"):
		found.api = neutral.Messages
	}
	found.path = prefix + "other"
	return found, false
}

// ownAction is what a path asks of the caller's own calls; 0 for other paths. All but one are OpenRouter's.
func ownAction(flavor dialect.Flavor, suffix string) action {
	if suffix == "usage" {
		return actionUsage
	}
	if flavor != dialect.OpenRouterFlavor {
		return 0
	}
	switch suffix {
	case "generation":
		return actionGeneration
	case "key", "auth/key":
		return actionKey
	case "credits":
		return actionCredits
	case "activity":
		return actionActivity
	default:
		return 0
	}
}

// findCohere reads the one path of Cohere's that is served.
func findCohere(path string) (place, bool) {
	if path != "/v2/rerank" {
		return place{api: neutral.ChatCompletions, path: "/v2/other"}, false
	}
	return place{api: neutral.CohereRerank, action: actionGenerate, path: path}, true
}

// splitPath returns the prefix under which the API is served, and whose manners it has.
func splitPath(path string) (string, dialect.Flavor) {
	switch {
	case strings.HasPrefix(path, "/v1/"):
		return "/v1/", dialect.OpenAIFlavor
	case strings.HasPrefix(path, "/openai/v1/"):
		return "/openai/v1/", dialect.GroqFlavor
	case strings.HasPrefix(path, "/api/v1/"):
		return "/api/v1/", dialect.OpenRouterFlavor
	case strings.HasPrefix(path, "/v1beta/"):
		return "/v1beta/", dialect.OpenAIFlavor
	case strings.HasPrefix(path, "/v2/"):
		return "/v2/", dialect.OpenAIFlavor
	default:
		return "", dialect.OpenAIFlavor
	}
}

// apiOf is the API of a path below its prefix.
func apiOf(suffix string) (neutral.API, bool) {
	switch suffix {
	case "chat/completions":
		return neutral.ChatCompletions, true
	case "completions":
		return neutral.Completions, true
	case "responses":
		return neutral.Responses, true
	case "messages":
		return neutral.Messages, true
	case "messages/count_tokens":
		return neutral.CountTokens, true
	case "embeddings":
		return neutral.Embeddings, true
	case "rerank":
		return neutral.Rerank, true
	case "moderations":
		return neutral.Moderations, true
	default:
		return mediaAPI(suffix)
	}
}

// mediaAPI is the API of a path for images and sound.
func mediaAPI(suffix string) (neutral.API, bool) {
	switch suffix {
	case "images/generations":
		return neutral.ImageGenerations, true
	case "images/edits":
		return neutral.ImageEdits, true
	case "images/variations":
		return neutral.ImageVariations, true
	case "audio/speech":
		return neutral.Speech, true
	case "audio/transcriptions":
		return neutral.Transcriptions, true
	case "audio/translations":
		return neutral.Translations, true
	default:
		return "", false
	}
}

func actionOf(api neutral.API) action {
	switch api {
	case neutral.CountTokens:
		return actionCountTokens
	case neutral.ImageEdits, neutral.ImageVariations, neutral.Transcriptions, neutral.Translations:
		return actionForm
	default:
		return actionGenerate
	}
}

// listDialect tells Anthropic's and Google's clients from the others, for they ask for models at the same path.
func listDialect(header http.Header) neutral.API {
	if _, ok := header[headerAnthropicVersion]; ok {
		return neutral.Messages
	}
	if _, ok := header["X-Goog-Api-Key"]; ok {
		return neutral.GenerateContent
	}
	return neutral.ChatCompletions
}

// findModel reads models and models/{id}. Ids hold slashes, which some clients escape and others do not.
func findModel(found place, u *url.URL, prefix string) (place, bool) {
	found.path = prefix + "models"
	if u.Path == found.path {
		found.action = actionListModels
		return found, true
	}
	found.path = prefix + "models/{id}"
	if prefix == "/v1beta/" && !strings.HasPrefix(u.Path, prefix+"models/") {
		found.path = prefix + "other"
	}
	escaped, ok := strings.CutPrefix(u.EscapedPath(), prefix+"models/")
	if !ok {
		return found, false
	}
	id, err := url.PathUnescape(escaped)
	if err != nil || id == "" {
		return found, false
	}
	found.action, found.modelID = actionGetModel, id
	return found, true
}

// The verbs of Gemini's paths.
const (
	generateVerb = "generateContent"
	streamVerb   = "streamGenerateContent"
)

// verbOf is what stands behind the last colon of a path, if it is one of Gemini's verbs.
func verbOf(path string) string {
	switch _, verb := cutLast(path, ":"); verb {
	case generateVerb, streamVerb:
		return verb
	default:
		return ""
	}
}

func cutLast(text, separator string) (before, after string) {
	if at := strings.LastIndex(text, separator); at >= 0 {
		return text[:at], text[at+len(separator):]
	}
	return text, ""
}

// findGemini reads models, models/{id} and models/{id}:verb.
func findGemini(r *http.Request, prefix string) (place, bool) {
	found := place{api: neutral.GenerateContent, path: prefix + "other"}
	verb := verbOf(r.URL.Path)
	if verb == "" {
		return findModel(found, r.URL, prefix)
	}
	escaped, _ := cutLast(r.URL.EscapedPath(), ":")
	escaped, ok := strings.CutPrefix(escaped, prefix+"models/")
	if !ok {
		return found, false
	}
	id, err := url.PathUnescape(escaped)
	if err != nil || id == "" {
		return found, false
	}
	found.action, found.modelID, found.path = actionGenerate, id, prefix+"models/{id}:"+verb
	found.stream = verb == streamVerb
	found.array = found.stream && r.URL.Query().Get("alt") != "sse"
	return found, true
}

func (p place) method() string {
	switch p.action {
	case actionListModels, actionGetModel, actionGeneration, actionKey, actionCredits, actionActivity, actionUsage:
		return http.MethodGet
	default:
		return http.MethodPost
	}
}

// free tells whether calls cost nothing at any provider.
func (p place) free() bool { return p.api == neutral.CountTokens }

// operation is the endpoint's in the words of metrics.
func (p place) operation() telemetry.Operation {
	if p.method() == http.MethodGet || p.action == actionExplain {
		return telemetry.OtherOperation
	}
	switch p.api {
	case neutral.ChatCompletions, neutral.Responses, neutral.Messages:
		return telemetry.Chat
	case neutral.GenerateContent:
		return telemetry.GenerateContent
	case neutral.Completions:
		return telemetry.TextCompletion
	case neutral.Embeddings:
		return telemetry.Embeddings
	case neutral.Rerank, neutral.CohereRerank:
		return telemetry.Rerank
	case neutral.Moderations:
		return telemetry.Moderation
	case neutral.ImageGenerations, neutral.ImageEdits, neutral.ImageVariations:
		return telemetry.Image
	case neutral.Speech:
		return telemetry.Speech
	case neutral.Transcriptions, neutral.Translations:
		return telemetry.Transcription
	default:
		return telemetry.OtherOperation
	}
}
