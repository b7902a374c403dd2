package catalogue

import (
	"slices"

	"signalbox.dev/signalbox/hack/conformance/plan"
)

// Upstream is a provider that stands behind the proxy, as the fake provider imitates it.
type Upstream struct {
	// Name in model names, results and expectations.
	Name string
	// Provider, Path of the endpoint at the fake provider, and Block, the provider's own part of the ProviderCredential as YAML.
	Provider, Path, Block string
	// Auth of the ProviderCredential as YAML; the one key of the fake provider when empty.
	Auth string
	// API is the target's api; empty for the default.
	API string
	// Models are the provider's ids by purpose.
	Models map[string]string
}

// models are the ids of a family: one for each purpose that every generating model has, made by putting the purpose at the asterisk, and others as given.
func models(before, after string, others map[string]string) map[string]string {
	all := map[string]string{}
	for _, purpose := range []string{plan.Chat, plan.Busy, plan.Stall, plan.Broken, plan.Picky, plan.Reason} {
		all[purpose] = before + purpose + after
	}
	for purpose, id := range others {
		all[purpose] = id
	}
	return all
}

// Upstreams are all dialects that providers speak.
func Upstreams() []Upstream {
	return slices.Concat(openAILike(), others())
}

// openAILike are those that speak OpenAI's APIs.
func openAILike() []Upstream {
	return []Upstream{
		{Name: "openai", Provider: "OpenAI", Path: "/v1", API: "ChatCompletions", Models: models("gpt-", "", map[string]string{
			plan.Embedding: "text-embedding-3-small", plan.Completion: "gpt-3.5-turbo-instruct", plan.Moderation: "omni-moderation-latest",
			plan.Image: "gpt-image-1", plan.Speech: "gpt-4o-mini-tts", plan.Transcription: "whisper-1",
		})},
		{Name: "responses", Provider: "OpenAI", Path: "/v1", API: "Responses", Models: models("gpt-r-", "", nil)},
		{Name: "groq", Provider: "Groq", Path: "/openai/v1", Models: models("llama-", "", nil)},
		{Name: "openrouter", Provider: "OpenRouter", Path: "/api/v1", API: "ChatCompletions", Models: models("vendor/model-", "", nil)},
		{Name: "azure", Provider: "AzureOpenAI", Path: "/azure/openai", Block: "azureOpenAI: {apiVersion: \"2024-10-21\"}", API: "ChatCompletions", Models: models("gpt-azure-", "", nil)},
		{Name: "azure-v1", Provider: "AzureOpenAI", Path: "/azure/openai/v1", API: "ChatCompletions", Models: models("gpt-azure-v1-", "", nil)},
		{Name: "llamacpp", Provider: "OpenAICompatible", Path: "/compatible/v1", Models: models("local-", "", map[string]string{
			plan.Embedding: "local-embedding", plan.Rerank: "local-rerank",
		})},
	}
}

// others are those with dialects of their own.
func others() []Upstream {
	return []Upstream{
		{Name: "anthropic", Provider: "Anthropic", Path: "/anthropic/v1", Models: models("claude-sonnet-4-5-", "", nil)},
		{Name: "gemini", Provider: "GoogleAI", Path: "/gemini/v1beta", Models: models("gemini-3-", "", map[string]string{plan.Embedding: "gemini-embedding-001"})},
		{Name: "vertex", Provider: "VertexAI", Path: vertexPath, Block: vertexBlock, Auth: googleAuth, Models: models("gemini-3-vertex-", "", nil)},
		{Name: "vertex-claude", Provider: "VertexAI", Path: vertexPath, Block: vertexBlock, Auth: googleAuth, Models: models("claude-sonnet-4-5-vertex-", "@20250929", nil)},
		{Name: "bedrock", Provider: "AWSBedrock", Path: "/bedrock", Block: bedrockBlock, Auth: awsAuth, Models: models("amazon.nova-", "-v1:0", map[string]string{
			plan.Embedding: "cohere.embed-v4:0",
		})},
		{Name: "bedrock-claude", Provider: "AWSBedrock", Path: "/bedrock", Block: bedrockBlock, Models: models("anthropic.claude-sonnet-4-5-", "-v1:0", map[string]string{
			plan.Embedding: "amazon.titan-embed-text-v2:0",
		})},
		{Name: "cohere", Provider: "Cohere", Path: "/cohere/v2", Models: models("command-", "", map[string]string{
			plan.Embedding: "embed-v4.0", plan.Rerank: "rerank-v3.5",
		})},
	}
}

// Parts of credentials.
const (
	vertexPath   = "/vertex/v1/projects/conformance/locations/europe-west1"
	vertexBlock  = "vertexAI: {project: conformance, location: europe-west1}"
	bedrockBlock = "awsBedrock: {region: eu-central-1}"
	awsAuth      = "{aws: {accessKeyIDRef: {name: aws, key: id}, secretAccessKeyRef: {name: aws, key: secret}}}"
	googleAuth   = "{google: {serviceAccountKeyRef: {name: google, key: key.json}}}"
)
