package gemini

import (
	"net/http"

	"signalbox.dev/signalbox/hack/fakeprovider/anthropic"
	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// claude answers for Anthropic's models. A body says that it wants a stream, and has to be sent where streams come from.
func claude(x *core.Exchange) error {
	model, _ := cutMethod(x.R.PathValue("call"))
	switch {
	case model == countModel && x.Endpoint == "rawPredict":
		return anthropic.CountTokens(x)
	case x.Endpoint != "rawPredict" && x.Endpoint != "streamRawPredict":
		return vertexClaude.NotFound(x)
	case !x.Serves(x.Model):
		return core.Refuse(http.StatusNotFound, "", "Publisher Model `projects/%s/locations/%s/publishers/anthropic/models/%s` was not found or your project does not have access to it. Please ensure you are using a valid model version.",
			x.R.PathValue("project"), x.R.PathValue("location"), x.Model)
	}
	a, refused := anthropic.Platform{Version: claudeVersion, ModelInPath: true}.Read(x)
	if refused != nil {
		return refused
	}
	if a.Stream && x.Endpoint == "streamRawPredict" {
		return x.Stream(core.EventStream(a.Events()), &a.Generation.Usage)
	}
	return x.Plain(a.Plain(), a.Generation.Tokens(), &a.Generation.Usage)
}
