// Package awsbedrock describes Amazon Bedrock.
package awsbedrock

import (
	"net/http"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// models is the list of models, in one page.
const models = "/foundation-models"

// control is the host of the control plane, which has the list.
const control = "https://bedrock.{region}.amazonaws.com"

// New returns Bedrock. Claude takes its own Messages API through InvokeModel; every model that chats takes Converse. The list
// of models is free, on the host of the control plane; an endpoint of one's own, such as a private one, does not have it. Inference profiles, whose ids begin
// with a region, and all that is called by its ARN are not in the list.
func New() provider.Provider {
	return provider.Provider{
		Name:            "AWSBedrock",
		DefaultEndpoint: "https://bedrock-runtime.{region}.amazonaws.com",
		Offers:          offers(),
		AuthHeader:      "Authorization",
		AuthPrefix:      "Bearer ",
		KeyKinds:        []table.KeyKind{table.AWSKey, table.AWSWebIdentity, table.AWSPodIdentity},
		SigningService:  "bedrock",
		Probe:           provider.Probe{Endpoint: control, Path: models, NotFound: provider.HealthUnknown, Signs: signs()},
		List:            provider.List{Endpoint: control, Path: models, ID: "modelId", Regional: true, Owner: "."},
	}
}

func offers() []provider.Offer {
	const model = "/model/{model}"
	claude := []string{"*anthropic.claude*"}
	quirks := &dialect.Quirks{NoImageURLs: true}
	return []provider.Offer{
		{
			API: neutral.Converse, Path: model + "/converse", StreamPath: model + "/converse-stream", Except: []string{"*embed*", "*rerank*"},
			Frames: provider.AWSConverse, ModelInPath: true, StreamInPath: true, Origin: neutral.OriginAnthropic, Quirks: quirks,
		},
		{
			API: neutral.Messages, Path: model + "/invoke", StreamPath: model + "/invoke-with-response-stream", Models: claude,
			Frames: provider.AWSInvoke, ModelInPath: true, StreamInPath: true, Origin: neutral.OriginAnthropic, Quirks: quirks,
			Set: []neutral.Member{{Name: "anthropic_version", Value: []byte(`"bedrock-2023-05-31"`)}},
		},
		{API: neutral.TitanEmbed, Path: model + "/invoke", Models: []string{"amazon.titan-embed-text*"}, ModelInPath: true},
		{API: neutral.CohereEmbed, Path: model + "/invoke", Models: []string{"*cohere.embed*"}, ModelInPath: true},
	}
}

// signs: AWS refuses wrong keys with 403, as it does calls that a right key has no permission for.
func signs() []provider.Sign {
	refused := provider.Verdict{Key: provider.KeyInvalid, Health: provider.Healthy, Reason: "KeyRejected", Message: "AWS rejected the key (status 403)"}
	expired := refused
	expired.Message = "the key has expired (status 403)"
	return []provider.Sign{
		provider.NoFreeCall(),
		{Status: http.StatusForbidden, Text: "security token included in the request is invalid", Verdict: refused},
		{Status: http.StatusForbidden, Text: "request signature we calculated does not match", Verdict: refused},
		{Status: http.StatusForbidden, Text: "security token included in the request is expired", Verdict: expired},
		{Status: http.StatusForbidden, Text: "bearer token has expired", Verdict: expired},
		{Status: http.StatusForbidden, Text: "invalid API key", Verdict: refused},
		{Status: http.StatusForbidden, Text: "authentication failed", Verdict: refused},
	}
}
