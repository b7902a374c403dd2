package telemetry

import "strings"

// ProviderName is a provider's name in the GenAI conventions; those that they do not know keep their own, in lower case.
func ProviderName(provider string) string {
	switch provider {
	case "OpenAI":
		return "openai"
	case "Anthropic":
		return "anthropic"
	case "Groq":
		return "groq"
	case "GoogleAI":
		return "gcp.gemini"
	case "VertexAI":
		return "gcp.vertex_ai"
	case "AWSBedrock":
		return "aws.bedrock"
	case "AzureOpenAI":
		return "azure.ai.openai"
	case "Mistral":
		return "mistral_ai"
	case "DeepSeek":
		return "deepseek"
	default:
		return otherName(provider)
	}
}

func otherName(provider string) string {
	switch provider {
	case "XAI":
		return "x_ai"
	default:
		return strings.ToLower(provider)
	}
}
