package catalogue

import (
	"slices"

	"signalbox.dev/signalbox/hack/conformance/collection"
	"signalbox.dev/signalbox/hack/conformance/plan"
)

// Runtime says what runs a program.
type Runtime string

// The runtimes.
const (
	// PythonSDK is the virtual environment of the vendors' libraries.
	PythonSDK Runtime = "python-sdk"
	// PythonFrameworks is the virtual environment of LangChain, LlamaIndex and llm.
	PythonFrameworks Runtime = "python-frameworks"
	// Node is Node.js with all packages.
	Node Runtime = "node"
	// Go is a compiled program.
	Go Runtime = "go"
)

// Client is a program that uses one library.
type Client struct {
	// Name in results.
	Name string
	// Runtime and File of the program.
	Runtime Runtime
	File    string
	// Vendor is whose fake the library is checked against without the proxy; empty for none.
	Vendor string
	// FixedAddress tells that the library calls its vendor's host and nothing else.
	FixedAddress bool
	// Surfaces that it speaks.
	Surfaces []Surface
}

// Surface is an API of the proxy, and what is tried there.
type Surface struct {
	// Name in results.
	Name string
	// Checks are the names of all checks.
	Checks []string
	// Upstreams are those that it makes sense with; empty for all.
	Upstreams []string
	// ProxyOnly tells that it is not tried against the fakes: no provider offers it, or the fake's answers hold less than the library wants.
	ProxyOnly bool
}

// routing is what a request may ask of the proxy, and what becomes of limits, in front of an upstream of the most common dialect, one of another, and one that
// is told the preferences.
func routing(checks ...string) Surface {
	return Surface{Name: "routing", Checks: checks, Upstreams: []string{"openai", "openrouter", "anthropic"}, ProxyOnly: true}
}

// MoneyUpstreams are those in front of which there are routes with Hard budgets: one of the most common dialect, one that says itself what a call costs, and
// two of others.
func MoneyUpstreams() []string { return []string{"openai", "openrouter", "anthropic", "gemini"} }

// money is what clients are told of costs, and what becomes of calls that a Hard budget counts.
func money(checks ...string) Surface {
	return Surface{Name: "money", Checks: checks, Upstreams: MoneyUpstreams(), ProxyOnly: true}
}

// CallersUpstreams are those in front of which there is a route for renewed keys: which key a call comes with does not depend on who answers.
func CallersUpstreams() []string { return []string{"openai"} }

// callers is what becomes of a client whose token file changes while it runs.
func callers(more ...string) Surface {
	checks := append([]string{"renewed-token", "renewed-token-streamed", "revoked-token"}, more...)
	return Surface{Name: "callers", Checks: checks, Upstreams: CallersUpstreams(), ProxyOnly: true}
}

// Direct are the clients with the surfaces that are tried against the fakes.
func Direct(clients []Client) []Client {
	direct := slices.Clone(clients)
	for i, c := range direct {
		direct[i].Surfaces = slices.DeleteFunc(slices.Clone(c.Surfaces), func(s Surface) bool { return s.ProxyOnly })
	}
	return direct
}

// Serves tells whether the surface is tried with an upstream.
func (s Surface) Serves(upstream string) bool {
	return len(s.Upstreams) == 0 || slices.Contains(s.Upstreams, upstream)
}

// generation are the checks that every library for generating text has.
func generation(more ...string) []string {
	return append([]string{"plain", "streamed", "tools", "structured", "image", "unknown-model", "busy", "cancel"}, more...)
}

// Clients are all libraries.
func Clients() []Client {
	return slices.Concat(pythonSDKs(), frameworks(), nodeClients(), goClients(), fixed(), postman(), sent())
}

// pythonSDKs are the vendors' libraries for Python.
func pythonSDKs() []Client {
	chat := Surface{Name: "chat", Checks: generation("streamed-without-usage", "tools-streamed", "structured-streamed", "image-by-url", "stop", "cut-by-limit",
		"broken-stream", "models")}
	responses := Surface{Name: "responses", Checks: generation("tools-streamed", "reasoning", "cut-by-limit", "broken-stream")}
	embeddings := Surface{Name: "embeddings", Checks: []string{"floats", "base64", "dimensions"}, Upstreams: embedding()}
	media := Surface{
		Name: "media", Checks: []string{"completion", "moderation", "image", "image-edit", "speech", "transcription", "translation"}, Upstreams: []string{"openai"},
	}
	messages := Surface{Name: "messages", Checks: generation("system-inside", "tools-streamed", "forced-tool", "reasoning", "reasoning-moved", "image-by-url", "stop", "cut-by-limit", "count-tokens", "broken-stream", "models")}
	groq := Surface{Name: "chat", Checks: generation("broken-stream", "models")}
	// Claude, and Bedrock, have no mode for JSON without a schema.
	byPrompt := []string{"anthropic", "vertex-claude", "bedrock", "bedrock-claude"}
	json := Surface{Name: "json", Checks: []string{"json-object"}, Upstreams: without(byPrompt)}
	jsonByPrompt := Surface{Name: "json-by-prompt", Checks: []string{"json-object"}, Upstreams: byPrompt}
	gemini := Surface{Name: "gemini", Checks: generation("stop", "count-tokens", "models")}
	rerank := Surface{Name: "rerank", Checks: []string{"plain", "unknown-model"}, Upstreams: []string{"cohere"}}
	return []Client{
		{Name: "openai-python", Runtime: PythonSDK, File: "openai_python.py", Vendor: "openai", Surfaces: []Surface{chat, responses, embeddings, media, routing(
			"alternatives", "fallback", "variants", "preferences", "session", "metadata", "limits", "limit-reached", "unknown-preference", "no-target",
		), money("cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user"), callers("renewed-token-async")}},
		{Name: "anthropic-python", Runtime: PythonSDK, File: "anthropic_python.py", Vendor: "anthropic", Surfaces: []Surface{messages, routing(
			"alternatives", "fallback", "session", "metadata", "limit-reached", "unknown-preference", "no-target",
		), money("cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user")}},
		{Name: "groq-python", Runtime: PythonSDK, File: "groq_python.py", Vendor: "groq", Surfaces: []Surface{groq, json, jsonByPrompt, routing("limits", "limit-reached")}},
		{Name: "google-genai", Runtime: PythonSDK, File: "google_genai.py", Vendor: "gemini", Surfaces: []Surface{gemini, money("cost", "output-limit", "budget-exceeded", "unbounded", "tags")}},
		{Name: "cohere-python", Runtime: PythonSDK, File: "cohere_python.py", Vendor: "cohere", Surfaces: []Surface{rerank}},
	}
}

// frameworks are libraries on top of those.
func frameworks() []Client {
	chain := generation("tools-streamed", "structured-by-tool")
	embeddings := Surface{Name: "embeddings", Checks: []string{"plain"}, Upstreams: embedding()}
	index := func(name string) Surface { return Surface{Name: name, Checks: generation()} }
	return []Client{
		{Name: "langchain-groq", Runtime: PythonFrameworks, File: "langchain_groq_client.py", Vendor: "groq", Surfaces: []Surface{{Name: "chat", Checks: chain}}},
		{Name: "langchain-openai", Runtime: PythonFrameworks, File: "langchain_openai_client.py", Vendor: "openai",
			Surfaces: []Surface{{Name: "chat", Checks: chain}, {Name: "responses", Checks: chain}, embeddings}},
		{Name: "llama-index", Runtime: PythonFrameworks, File: "llama_index_client.py", Vendor: "openai",
			Surfaces: []Surface{index("groq"), index("openrouter"), index("chat")}},
	}
}

// nodeClients are the libraries for JavaScript and TypeScript.
func nodeClients() []Client {
	ai := generation("tools-streamed", "broken-stream")
	embeddings := Surface{Name: "embeddings", Checks: []string{"plain"}, Upstreams: embedding()}
	chat := func(checks ...string) []Surface { return []Surface{{Name: "chat", Checks: checks}} }
	return []Client{
		{Name: "openai-node", Runtime: Node, File: "openai_node.mjs", Vendor: "openai", Surfaces: []Surface{
			{Name: "chat", Checks: generation("tools-streamed", "broken-stream", "models")}, {Name: "responses", Checks: generation("tools-streamed")}, embeddings,
			routing("alternatives", "fallback", "variants", "preferences", "session", "metadata", "limits", "limit-reached", "unknown-preference", "no-target"),
			money("cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user"), callers(),
		}},
		{Name: "anthropic-ts", Runtime: Node, File: "anthropic_ts.mjs", Vendor: "anthropic", Surfaces: []Surface{
			{Name: "messages", Checks: generation("tools-streamed", "broken-stream", "count-tokens", "models")},
			routing("alternatives", "fallback", "limit-reached"), money("cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user"),
		}},
		{Name: "groq-ts", Runtime: Node, File: "groq_ts.mjs", Vendor: "groq", Surfaces: append(chat(generation("broken-stream", "models")...), routing("limits", "limit-reached"))},
		{Name: "ai-sdk-openai", Runtime: Node, File: "ai_sdk_openai.mjs", Vendor: "openai",
			Surfaces: []Surface{{Name: "chat", Checks: ai}, {Name: "responses", Checks: ai}}},
		{Name: "ai-sdk-groq", Runtime: Node, File: "ai_sdk_groq.mjs", Vendor: "groq", Surfaces: chat(ai...)},
		{Name: "ai-sdk-openrouter", Runtime: Node, File: "ai_sdk_openrouter.mjs", Vendor: "openrouter",
			Surfaces: append(chat(ai...), Surface{Name: "reasoning", Checks: []string{"round-trip"}},
				routing("alternatives", "preferences", "session", "metadata", "limit-reached", "unknown-preference", "no-target"))},
		{Name: "openrouter-sdk", Runtime: Node, File: "openrouter_sdk.mjs", Vendor: "openrouter", Surfaces: []Surface{
			{Name: "chat", Checks: generation("tools-streamed", "broken-stream")}, {Name: "models", Checks: []string{"list"}, ProxyOnly: true},
			{Name: "responses", Checks: []string{"plain", "streamed"}, ProxyOnly: true},
			routing("alternatives", "fallback", "variants", "preferences", "session", "metadata", "limit-reached", "unknown-preference", "no-target"),
			money("generation", "generation-of-answer", "key", "activity", "cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user"),
		}},
		{Name: "langchain-groq-js", Runtime: Node, File: "langchain_groq_js.mjs", Vendor: "groq", Surfaces: chat(generation()...)},
	}
}

// goClients are the libraries for Go.
func goClients() []Client {
	return []Client{{Name: "openai-go", Runtime: Go, File: "openaigo", Vendor: "openai", Surfaces: []Surface{
		{Name: "chat", Checks: generation("tools-streamed", "broken-stream", "models")}, {Name: "responses", Checks: generation()},
		{Name: "embeddings", Checks: []string{"plain"}, Upstreams: embedding()},
		routing("alternatives", "fallback", "variants", "preferences", "session", "metadata", "limits", "limit-reached", "cost", "unknown-preference", "no-target"),
		money("cost", "output-limit", "budget-exceeded", "unbounded", "tags", "end-user"), callers(),
	}}}
}

// fixed are the libraries whose address cannot be changed.
func fixed() []Client {
	return []Client{{Name: "llm", Runtime: PythonFrameworks, File: "llm_client.py", Vendor: "openrouter", FixedAddress: true, Surfaces: []Surface{
		{Name: "openrouter-responses", Checks: generation("conversation", "models")},
		// llm-groq has neither tools nor schemas, and takes images only for models with "-vision" in their name.
		{Name: "groq-chat", Checks: []string{"plain", "streamed", "conversation", "unknown-model", "busy", "cancel", "models"}},
	}}}
}

// postman runs the collection of examples.
func postman() []Client {
	return []Client{{Name: "postman", Runtime: Node, File: "postman.mjs", Surfaces: []Surface{
		{Name: "collection", Checks: collection.Names(), Upstreams: []string{"openai"}},
	}}}
}

// sent checks requests that reach OpenAI, Groq and Anthropic against the types of their libraries.
func sent() []Client {
	surface := func(name string) Surface {
		return Surface{
			Name: name, Checks: []string{"text", "stream", "tools", "tool-results", "structured", "images"},
			Upstreams: []string{"openai", "responses", "groq", "azure-v1", "anthropic"},
		}
	}
	return []Client{{Name: "sent-requests", Runtime: PythonSDK, File: "sent_requests.py", Surfaces: []Surface{
		surface("chat"), surface("responses"), surface("messages"),
	}}}
}

// LlamaCPP is the name of the upstream that is a real model.
const LlamaCPP = "llama.cpp"

// RealModel is the program that calls a real model. The native surfaces reach the same API of the model server, the others its chat completions.
func RealModel() Client {
	both := []string{"plain", "streamed"}
	return Client{Name: LlamaCPP, Runtime: PythonSDK, File: "real_model.py", Surfaces: []Surface{
		{Name: "chat", Checks: both}, {Name: "responses", Checks: both}, {Name: "responses-native", Checks: both}, {Name: "messages", Checks: both},
		{Name: "messages-native", Checks: both}, {Name: "embeddings", Checks: []string{"plain"}},
	}}
}

// without are all upstreams but some.
func without(some []string) []string {
	var names []string
	for _, u := range Upstreams() {
		if !slices.Contains(some, u.Name) {
			names = append(names, u.Name)
		}
	}
	return names
}

// embedding are the upstreams that make vectors.
func embedding() []string {
	var names []string
	for _, u := range Upstreams() {
		if u.Models[plan.Embedding] != "" {
			names = append(names, u.Name)
		}
	}
	return names
}
