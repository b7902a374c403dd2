package provider

import (
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/table"
)

// modelList is where OpenAI's list of models is, below the base path.
const modelList = "/models"

// Provider is one vendor. It is a value and never changes.
type Provider struct {
	// Name is the vendor's name in a ProviderCredential.
	Name string
	// DefaultEndpoint is where the vendor's API is; empty where every user has an address of their own. It may hold
	// {region} and {location} of the account.
	DefaultEndpoint string
	// LocationEndpoints are used in its place for accounts of these locations.
	LocationEndpoints map[string]string
	// BasePath is the path of the vendor's API, such as "/openai/v1". See Address for what it applies to.
	BasePath string
	// Offers are the APIs of the vendor, those that are preferred first.
	Offers []Offer
	// Quirks are how the vendor's chat completions differ from OpenAI's.
	Quirks dialect.Quirks
	// Dated is the provider for accounts that name an API version; nil where there is no such thing.
	Dated *Provider
	// AuthHeader is the header that a key is sent in, and AuthPrefix what stands before the key.
	AuthHeader, AuthPrefix string
	// KeyKinds are the kinds of keys that the vendor takes besides those in a header.
	KeyKinds []table.KeyKind
	// SigningService is the name of the AWS service that requests are signed for; empty elsewhere.
	SigningService string
	// Headers are sent with every request.
	Headers map[string]string
	// Probe says how a key is tried.
	Probe Probe
	// List says where the list of models is.
	List List
	// Balance says where the vendor tells what an account still has.
	Balance Balance
	// CacheLifetime is how long prompts stay in the vendor's cache after their last use; 0 where that is not known.
	CacheLifetime time.Duration
}

// OpenAICompatible returns a vendor that follows OpenAI in everything: base path /v1, bearer keys, chat completions, usage
// in streams on request, a model list that only a valid key can read. Vendors change what they do differently.
func OpenAICompatible(name, defaultEndpoint string) Provider {
	return Provider{
		Name:            name,
		DefaultEndpoint: defaultEndpoint,
		BasePath:        "/v1",
		Offers:          Offers(neutral.ChatCompletions),
		AuthHeader:      "Authorization",
		AuthPrefix:      "Bearer ",
		Probe:           Probe{Path: modelList, NotFound: Unhealthy},
		List:            List{Path: modelList},
	}
}

// Offers are APIs at their usual paths below the base path of OpenAI or Anthropic.
func Offers(apis ...neutral.API) []Offer {
	offers := make([]Offer, len(apis))
	for i, api := range apis {
		offers[i] = Offer{API: api, Path: usualPath(api)}
	}
	return offers
}

// OnDemand are the same for targets that ask for them.
func OnDemand(apis ...neutral.API) []Offer {
	offers := Offers(apis...)
	for i := range offers {
		offers[i].OnDemand = true
	}
	return offers
}

func usualPath(api neutral.API) string {
	return map[neutral.API]string{
		neutral.ChatCompletions:  "/chat/completions",
		neutral.Completions:      "/completions",
		neutral.Responses:        "/responses",
		neutral.Messages:         "/messages",
		neutral.CountTokens:      "/messages/count_tokens",
		neutral.Embeddings:       "/embeddings",
		neutral.Rerank:           "/rerank",
		neutral.Moderations:      "/moderations",
		neutral.ImageGenerations: "/images/generations",
		neutral.ImageEdits:       "/images/edits",
		neutral.ImageVariations:  "/images/variations",
		neutral.Speech:           "/audio/speech",
		neutral.Transcriptions:   "/audio/transcriptions",
		neutral.Translations:     "/audio/translations",
	}[api]
}
