// Package openai reads and writes the wire format of OpenAI's API and of its dialects (OpenRouter, Groq, vLLM and many more): the head of a request, the
// few bytes of it that a proxy changes, answers and streams with their usage, errors and model lists. Bytes that need no change are passed on as they
// are.
package openai
