// Package openai reads and writes the wire formats of OpenAI's API and of its dialects (OpenRouter, Groq, vLLM and many more): chat completions, completions,
// embeddings, and what needs little more than another model name. Where a provider speaks the same, bytes that need no change pass as they are; otherwise
// requests, answers and streams cross through package neutral.
package openai
