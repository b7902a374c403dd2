// Package anthropic speaks Anthropic's Messages API, as a surface for clients and as an upstream: at Anthropic itself, at Google's Vertex AI, in AWS
// Bedrock's InvokeModel, and at all who offer the same API. It also knows count_tokens and Anthropic's list of models.
package anthropic
