// Package bedrock imitates Amazon Bedrock's runtime: Converse, and the native bodies of Claude and of Titan's embeddings.
package bedrock

import (
	"net/http"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// prefix of all paths.
const prefix = "/bedrock/"

// vendor is Amazon Bedrock.
type vendor struct{}

// Routes are the endpoints.
func Routes() []core.Route {
	v := vendor{}
	at := prefix + "model/{id}/"
	return []core.Route{
		{Method: http.MethodPost, Pattern: at + "converse", Endpoint: "converse", Vendor: v, Answer: converse},
		{Method: http.MethodPost, Pattern: at + "converse-stream", Endpoint: "converse-stream", Vendor: v, Answer: converseStream},
		{Method: http.MethodPost, Pattern: at + "invoke", Endpoint: "invoke", Vendor: v, Answer: invoke},
		{Method: http.MethodPost, Pattern: at + "invoke-with-response-stream", Endpoint: "invoke-with-response-stream", Vendor: v, Answer: invokeStream},
		{Method: http.MethodGet, Pattern: prefix + "foundation-models", Endpoint: "models", Vendor: v, Answer: models},
	}
}

// Fallbacks refuse, by prefix, what no route takes.
func Fallbacks() map[string]core.Vendor { return map[string]core.Vendor{prefix: vendor{}} }

// Head reads model and stream out of the path; the key is the access key's id, or a bearer token.
func (vendor) Head(r *http.Request, _ []byte) core.Head {
	key := core.Bearer(r.Header)
	if a, ok := parseAuthorization(r.Header.Get("Authorization")); ok {
		key = a.keyID
	}
	return core.Head{Model: r.PathValue("id"), Stream: strings.HasSuffix(r.URL.Path, "stream"), Key: key}
}

// Authenticate wants a bearer token, or a signature with the secret that belongs to the access key.
func (vendor) Authenticate(x *core.Exchange) *core.Refusal {
	a, signed := parseAuthorization(x.R.Header.Get("Authorization"))
	if x.Key == "" {
		return core.Refuse(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	if refused := x.CheckKey(core.Refuse(http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")); refused != nil {
		return refused
	}
	if !signed {
		return nil
	}
	return checkSignature(x, a)
}

// Headers sets the request's id.
func (vendor) Headers(x *core.Exchange, h http.Header) { h.Set("X-Amzn-Requestid", x.RequestID) }

// UsualError is what Bedrock says with a status.
func (vendor) UsualError(status int) core.APIError {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return core.APIError{Type: "AccessDeniedException", Message: "You don't have access to the model with the specified model ID."}
	case http.StatusNotFound:
		return core.APIError{Type: "ResourceNotFoundException", Message: "Could not resolve the foundation model from the provided model identifier."}
	case http.StatusRequestTimeout:
		return core.APIError{Type: "ModelTimeoutException", Message: "Model has timed out in processing the request. Try your request again."}
	case http.StatusFailedDependency:
		return core.APIError{Type: "ModelErrorException", Message: "The system encountered an unexpected error during processing. Try your request again."}
	case http.StatusTooManyRequests:
		return core.APIError{Type: "ThrottlingException", Message: "Too many requests, please wait before trying again."}
	case http.StatusServiceUnavailable:
		return core.APIError{Type: "ServiceUnavailableException", Message: "Bedrock is unable to process your request."}
	}
	if status >= http.StatusInternalServerError {
		return core.APIError{Type: "InternalServerException", Message: "The system encountered an unexpected error during processing. Try your request again."}
	}
	return core.APIError{Type: "ValidationException", Message: http.StatusText(status)}
}

// exception is the class of a refusal; those that Anthropic's rules made are Bedrock's validation errors.
func exception(refused *core.Refusal) string {
	if strings.HasSuffix(refused.Body.Type, "Exception") {
		return refused.Body.Type
	}
	return vendor{}.UsualError(refused.Status).Type
}

// ErrorBody is the message; the class is in a header.
func (vendor) ErrorBody(_ *core.Exchange, refused *core.Refusal, h http.Header) []byte {
	h.Set("X-Amzn-Errortype", exception(refused)+":http://internal.amazon.com/coral/com.amazon.bedrock/")
	return core.Encode(map[string]string{"message": refused.Body.Message})
}

// ErrorEvent is an exception inside a stream.
func (vendor) ErrorEvent(_ *core.Exchange, refused *core.Refusal) core.Event {
	class := exception(refused)
	if class == "ModelErrorException" {
		class = "ModelStreamErrorException"
	}
	return core.Event{Name: strings.ToLower(class[:1]) + class[1:], Exception: true, Data: core.Encode(map[string]string{"message": refused.Body.Message})}
}

// NotFound refuses an unknown path.
func (vendor) NotFound(*core.Exchange) *core.Refusal {
	return core.Refuse(http.StatusNotFound, "UnknownOperationException", "Unknown operation")
}

// WrongMethod is an operation that does not exist.
func (v vendor) WrongMethod(x *core.Exchange) *core.Refusal { return v.NotFound(x) }

func checkModel(x *core.Exchange) *core.Refusal {
	switch {
	case x.Serves(x.Model):
		return nil
	case x.Withdrawn(x.Model):
		return core.Refuse(http.StatusNotFound, "ResourceNotFoundException",
			"This model version has reached the end of its life. Please refer to the AWS documentation for more details.")
	}
	return invalid("The provided model identifier is invalid.")
}

// read checks a request for Converse and generates the answer.
func read(x *core.Exchange) (writer, core.Generation, *core.Refusal) {
	var r request
	if refused := decode(x, &r); refused != nil {
		return writer{}, core.Generation{}, refused
	}
	if refused := checkModel(x); refused != nil {
		return writer{}, core.Generation{}, refused
	}
	if refused := r.check(); refused != nil {
		return writer{}, core.Generation{}, refused
	}
	ask, refused := r.ask()
	if refused != nil {
		return writer{}, core.Generation{}, refused
	}
	g := x.Generate(ask)
	return writer{x, g.Usage, g.Choices[0]}, g, nil
}

func converse(x *core.Exchange) error {
	w, g, refused := read(x)
	if refused != nil {
		return refused
	}
	return x.Plain(w.plain(), g.Tokens(), &g.Usage)
}

func converseStream(x *core.Exchange) error {
	w, g, refused := read(x)
	if refused != nil {
		return refused
	}
	return x.Stream(core.Stream{ContentType: eventStreamType, Frame: frame, Events: w.events()}, &g.Usage)
}

// eventStreamType is the media type of AWS's event streams.
const eventStreamType = "application/vnd.amazon.eventstream"

// setCounts tells the tokens in headers, as the answers of native bodies do.
func setCounts(x *core.Exchange, u core.Usage) {
	x.Header().Set("X-Amzn-Bedrock-Input-Token-Count", strconv.FormatInt(u.PromptTokens, 10))
	x.Header().Set("X-Amzn-Bedrock-Output-Token-Count", strconv.FormatInt(u.CompletionTokens, 10))
	x.Header().Set("X-Amzn-Bedrock-Invocation-Latency", strconv.FormatInt(x.Now().Sub(x.Started).Milliseconds(), 10))
}

type modelSummary struct {
	ModelARN         string   `json:"modelArn"`
	ModelID          string   `json:"modelId"`
	ModelName        string   `json:"modelName"`
	ProviderName     string   `json:"providerName"`
	InputModalities  []string `json:"inputModalities"`
	OutputModalities []string `json:"outputModalities"`
	Streaming        bool     `json:"responseStreamingSupported"`
}

// models is ListFoundationModels of the control plane.
func models(x *core.Exchange) error {
	out := []modelSummary{}
	for _, id := range x.Listed() {
		out = append(out, modelSummary{"arn:aws:bedrock:us-east-1::foundation-model/" + id, id, "Fake " + id, "Fake", []string{"TEXT"}, []string{"TEXT"}, true})
	}
	return x.Plain(map[string]any{"modelSummaries": out}, 0, nil)
}
