// Package cohere speaks Cohere's API, version 2: it writes requests for chat and vectors and reads what comes back, and it knows the order of documents,
// rerank, from both sides.
package cohere
