// Package fakeprovider is an OpenAI-compatible model server that answers with made-up text, faithfully in everything else: the grammar of bodies
// and streams, the shapes of errors, headers, token accounting. Tests, the demo and the benchmarks use it in place of a provider; the product never
// links it.
//
// # Data
//
// The same endpoints are served under three prefixes, each with the manners of one provider:
//
//	/v1         OpenAI
//	/openai/v1  Groq: x_groq in answers and streams, no "param" in errors
//	/api/v1     OpenRouter: keep-alive comments, usage always reported, numeric error codes, open model list
//
// The endpoints are POST chat/completions, POST completions, POST embeddings, GET models and GET models/{id}, and under
// OpenRouter's prefix GET key, which tells whether a key is good. Text is a pure function of model,
// prompt and choice index, one word a token. A prompt costs one token per four bytes of content plus three per message and three for the answer.
// Tools are called when the last message is from the user, or when tool_choice demands it; arguments are generated from the tool's JSON schema.
// Not imitated: log probabilities, audio, images as output, the Responses API.
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
//	GET    /counters            Counters since the start or the last reset
//	POST   /reset               back to the state at start: settings, faults, requests and counters
//
// An answer is counted right after its last byte was written: a test that compares sums waits until inFlight is 0.
//
// Faults stand in a queue: a request takes the first one that matches it, before its key is checked, and uses up one of its times.
// Errors of the control API are a 4xx with {"error": "..."}.
package fakeprovider
