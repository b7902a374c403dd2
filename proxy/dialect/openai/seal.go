package openai

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// readableBy tells whether a target can take back a thought that an origin has sealed. What OpenRouter can take depends on the model behind it; its own
// routers may choose any.
func readableBy(origin neutral.Origin, to *dialect.Target) bool {
	switch {
	case origin == neutral.NoOrigin, origin == neutral.OriginUnknown:
		return false
	case to.Origin != neutral.NoOrigin:
		return origin == to.Origin
	case to.Provider != vendorOpenRouter:
		return false
	}
	author, _, _ := strings.Cut(strings.TrimPrefix(to.Model, "~"), "/")
	switch author {
	case "anthropic":
		return origin == neutral.OriginAnthropic
	case "google":
		return origin == neutral.OriginGemini
	case "openai":
		return origin == neutral.OriginOpenAI || origin == neutral.OriginAzure
	case "x-ai":
		return origin == neutral.OriginXAI
	case "openrouter":
		return true
	}
	return false
}

// mistralIDLetters are what an id of a tool call consists of at Mistral, nine of them.
const (
	mistralIDLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mistralIDLength  = 9
)

// toolID gives the id of a tool call the form that a provider demands. The same id always becomes the same.
func toolID(form, id string) string {
	if form != "mistral9" || isMistralID(id) {
		return id
	}
	// FNV-1a, whose 64 bits make nine letters with a few to spare.
	sum := uint64(14695981039346656037)
	for i := range len(id) {
		sum = (sum ^ uint64(id[i])) * 1099511628211
	}
	var made [mistralIDLength]byte
	for i := range made {
		made[i] = mistralIDLetters[sum%uint64(len(mistralIDLetters))]
		sum /= uint64(len(mistralIDLetters))
	}
	return string(made[:])
}

func isMistralID(id string) bool {
	return len(id) == mistralIDLength && strings.Trim(id, mistralIDLetters) == ""
}

// schemaPrompt tells a model in words what its answer must look like.
func schemaPrompt(format *neutral.Format) string {
	var text strings.Builder
	text.WriteString("Answer with nothing but one JSON object that follows this JSON schema")
	if format.Description != "" {
		text.WriteString(" (" + format.Description + ")")
	}
	text.WriteString(":\n")
	if len(format.Schema) == 0 {
		text.WriteString("{}")
	}
	text.Write(format.Schema)
	return text.String()
}
