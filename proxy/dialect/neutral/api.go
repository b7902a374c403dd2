package neutral

// API is a wire API: the format of one operation's requests, answers, streams and errors.
type API string

// The APIs. Those of one Family can be translated into each other.
const (
	// ChatCompletions is OpenAI's POST chat/completions, and that of all who follow it.
	ChatCompletions API = "ChatCompletions"
	// Completions is OpenAI's older POST completions.
	Completions API = "Completions"
	// Responses is OpenAI's POST responses, without state.
	Responses API = "Responses"
	// Messages is Anthropic's POST messages.
	Messages API = "Messages"
	// GenerateContent is Gemini's generateContent and streamGenerateContent.
	GenerateContent API = "GenerateContent"
	// Converse is AWS Bedrock's Converse and ConverseStream.
	Converse API = "Converse"
	// CohereChat is Cohere's POST v2/chat.
	CohereChat API = "CohereChat"

	// Embeddings is OpenAI's POST embeddings.
	Embeddings API = "Embeddings"
	// BatchEmbedContents is Gemini's batchEmbedContents.
	BatchEmbedContents API = "BatchEmbedContents"
	// VertexPredict is Vertex AI's predict for embedding models.
	VertexPredict API = "VertexPredict"
	// CohereEmbed is Cohere's POST v2/embed.
	CohereEmbed API = "CohereEmbed"
	// TitanEmbed is the embedding request of Amazon's Titan models on Bedrock.
	TitanEmbed API = "TitanEmbed"

	// Rerank is Jina's POST rerank, which vLLM, llama.cpp and OpenRouter follow; Cohere's v2/rerank differs in details that this reads too.
	Rerank API = "Rerank"
	// CohereRerank is Cohere's POST v2/rerank.
	CohereRerank API = "CohereRerank"

	// CountTokens is Anthropic's POST messages/count_tokens.
	CountTokens API = "CountTokens"
	// Moderations is OpenAI's POST moderations.
	Moderations API = "Moderations"
	// ImageGenerations, ImageEdits and ImageVariations are OpenAI's POST images/*.
	ImageGenerations API = "ImageGenerations"
	ImageEdits       API = "ImageEdits"
	ImageVariations  API = "ImageVariations"
	// Speech, Transcriptions and Translations are OpenAI's POST audio/*.
	Speech         API = "Speech"
	Transcriptions API = "Transcriptions"
	Translations   API = "Translations"
)

// Family groups the APIs that can be translated into each other.
type Family int

// The families.
const (
	// Alone is an API that is passed on as it is or not at all.
	Alone Family = iota
	// Generation produces text from a conversation.
	Generation
	// Embedding produces vectors from texts.
	Embedding
	// Reranking orders documents.
	Reranking
)

// Family of the API.
func (a API) Family() Family {
	switch a {
	case ChatCompletions, Completions, Responses, Messages, GenerateContent, Converse, CohereChat:
		return Generation
	case Embeddings, BatchEmbedContents, VertexPredict, CohereEmbed, TitanEmbed:
		return Embedding
	case Rerank, CohereRerank:
		return Reranking
	default:
		return Alone
	}
}
