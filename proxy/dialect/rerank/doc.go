// Package rerank is the API of POST rerank, which orders documents by a query: Jina's, as vLLM, llama.cpp, OpenRouter and Together have it too.
package rerank
