// Package fakeprovider is a model server that answers with made-up text, faithfully in everything else: the grammar of bodies and streams, the
// shapes of errors, headers, token accounting, and what each provider refuses. Tests, the demo and the benchmarks use it in place of providers; the
// product never links it. The folder hack/conformance/fakes-go drives it with the vendors' own libraries.
//
// # Data
//
// Each provider is served under a prefix, by a package of its name:
//
//	/v1           OpenAI: chat/completions, completions, embeddings, responses (stored or not), moderations, images, audio, models, rerank as Jina has it
//	/openai/v1    Groq: x_groq in answers and streams, times in usage, no "param" in errors
//	/api/v1       OpenRouter: keep-alive comments, usage always reported, signed reasoning_details, numeric error codes, open model list, GET key, management of keys
//	/compatible   vLLM and DeepSeek under /compatible/v1: reasoning_content, a few parameters more, no rate limits
//	/azure        Azure OpenAI: /azure/openai/deployments/{name}/..., /azure/openai/responses, /azure/openai/v1/...; results of its filter
//	/anthropic    Anthropic: /v1/messages, /v1/messages/count_tokens, /v1/models
//	/gemini       the Gemini API: /v1beta/models/{model}:generateContent, :streamGenerateContent, :countTokens, :embedContent, :batchEmbedContents
//	/vertex       Vertex AI: /v1/projects/{p}/locations/{l}/publishers/google|anthropic/models/{model}:..., POST /vertex/token for service accounts
//	/bedrock      Amazon Bedrock: /model/{id}/converse, converse-stream, invoke and invoke-with-response-stream (Claude, Titan embeddings), with SigV4
//	/cohere       Cohere: /v2/chat, /v2/embed, /v2/rerank, /v1/models
//
// Text is a pure function of model, prompt and choice index, one word a token, and the same in every dialect: the prompt is all text in its order,
// and of media the hash of their bytes. A prompt costs one token per four bytes of it plus three per message and three for the answer. Tools are
// called when the last message is the user's own, or when the request demands it; arguments are generated from the tool's JSON schema.
//
// Models whose name contains "think" or "reason" think, in eight words; Claude thinks when it is told to. Thoughts are signed or sealed, and those
// that come back changed, or from another provider, are refused. Claude's models whose name contains "redact" seal what others sign.
//
// The secret of an AWS access key is "secret-of-" and its id. Hosted tools, files and batches are not imitated.
//
// # Control
//
// A second handler, on a listener of its own, sets what happens and tells what did. All bodies are JSON, durations are strings like "150ms":
//
//	GET    /healthz             200 once the server runs
//	GET    /settings            the Settings in force
//	PUT    /settings            replaces them; what is not given takes its default
//	PATCH  /settings            changes only the fields given
//	GET    /faults              the faults still to come, each with the times left
//	POST   /faults              appends one Fault or a list of them
//	DELETE /faults              forgets them
//	GET    /requests?last=N     the last N requests received, oldest first; 256 are kept
//	GET    /arrivals            when the last 131072 requests came, oldest first
//	GET    /managed-keys        the keys that management APIs made, with their values and when they were made and deleted
//	GET    /counters            Counters since the start or the last reset
//	POST   /reset               back to the state at start: settings, faults, requests and counters
//	GET    /vertex/service-account?token_uri=URL
//	                            the key file of a service account that POST /vertex/token at that URL knows
//
// An answer is counted right after its last byte was written: a test that compares sums waits until inFlight is 0.
//
// Keys that the management APIs make, OpenRouter's /api/v1/keys and OpenAI's /v1/organization/projects/{id}/service_accounts, are taken from then on until they
// are deleted. Faults match these endpoints as keys.list, keys.make, keys.get and keys.delete: with CloseMidBody a key is made and its answer lost.
//
// Faults stand in a queue: a request takes the first one that matches it, before its key is checked, and uses up one of its times. One with permille
// takes only so many of a thousand, the same ones for the same seed.
//
// What a bad day needs beside faults are settings: firstTokenDelay for a provider that is slow to begin, keys with a status for a key that is revoked,
// withdrawn for models that are no longer offered, and quota for limits that are enforced and told in every answer. A provider that is gone is a process
// that was killed.
//
// Errors of the control API are a 4xx with {"error": "..."}.
package fakeprovider
