package neutral

import "signalbox.dev/signalbox/proxy/meter"

// EmbeddingRequest asks for vectors.
type EmbeddingRequest struct {
	// Model that the client asks for.
	Model string
	// Inputs in their order: each is a text or a list of tokens.
	Inputs []EmbeddingInput
	// Dimensions of the vectors; nil leaves it to the model.
	Dimensions *int64
	// Base64 tells that the client wants each vector as little-endian 32-bit floats in base64.
	Base64 bool
	// InputType is what the vectors are for, in Cohere's words (search_document, search_query, classification, clustering); empty when it was not given.
	InputType string
	// User is the end user's stable id.
	User string
	// Extra are the top-level members that this form has no place for.
	Extra []Member
}

// EmbeddingInput is a text or tokens.
type EmbeddingInput struct {
	// Text to embed; Tokens is nil then.
	Text string
	// Tokens of OpenAI's tokenizer; nil for a text.
	Tokens []int64
}

// EmbeddingResponse holds one vector for each input.
type EmbeddingResponse struct {
	// Model that answered.
	Model string
	// Vectors in the order of the inputs.
	Vectors [][]float32
	// Usage; nil when the provider reported none.
	Usage *meter.Usage
}

// RerankRequest asks for the order of documents by a query.
type RerankRequest struct {
	// Model that the client asks for.
	Model string
	// Query and the documents' texts.
	Query     string
	Documents []string
	// TopN is how many results are wanted; nil means all.
	TopN *int64
	// ReturnDocuments asks for the texts in the answer.
	ReturnDocuments bool
	// Extra are the top-level members that this form has no place for.
	Extra []Member
}

// RerankResponse is the order.
type RerankResponse struct {
	// ID at the provider; empty when it gives none.
	ID string
	// Model that answered; empty when the provider does not tell.
	Model string
	// Results, best first.
	Results []RerankResult
	// SearchUnits that were billed (Cohere); 0 when the provider does not tell.
	SearchUnits int64
	// Usage; nil when the provider reported none.
	Usage *meter.Usage
}

// RerankResult is one document's place.
type RerankResult struct {
	// Index of the document in the request.
	Index int
	// Score as the provider wrote it.
	Score Number
}
