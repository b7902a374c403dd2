// Package plan is the contract between the runner and the programs that use a client library: what to call, and what must come back.
//
// The runner writes a Plan as a JSON file for each program and names it in $CONFORMANCE_PLAN; the program prints one Result a line.
package plan

// Variable is the environment variable that names the file of the plan.
const Variable = "CONFORMANCE_PLAN"

// Purposes of a model.
const (
	// Chat answers with Plan.Text.
	Chat = "chat"
	// Busy answers 429 with Plan.Busy.
	Busy = "busy"
	// Stall sends the beginning of a stream and then nothing until the client leaves.
	Stall = "stall"
	// Broken ends a stream with the error Plan.Broken.
	Broken = "broken"
	// Picky finds fault with every request (400), for which its route moves on to other models. That says nothing about its health, so it is always asked.
	Picky = "picky"
	// Reason thinks before it answers.
	Reason = "reason"
	// Embedding makes vectors.
	Embedding = "embedding"
	// Rerank orders documents.
	Rerank = "rerank"
	// Completion completes a text.
	Completion = "completion"
	// Moderation classifies texts.
	Moderation = "moderation"
	// Image makes pictures.
	Image = "image"
	// Speech speaks.
	Speech = "speech"
	// Transcription writes down what is said.
	Transcription = "transcription"
)

// Purposes of routes that have a policy. They exist behind the proxy only.
const (
	// Fallback has the target "first", which is Picky, and after it "spare", which is Chat.
	Fallback = "fallback"
	// Priced has the targets "dear", where nearly all calls go, and "cheap". Both are Chat.
	Priced = "priced"
	// Session keeps sessions at one of the targets "left" and "right", which are Chat.
	Session = "session"
	// Limited has limits for each caller: LimitedRequests and LimitedTokens a minute, and one call at a time. Its targets are "answers", which is Chat, and
	// "stalls", which is Stall and gets only what is meant for it.
	Limited = "limited"
	// Closed has the target "open", which does not promise what the route requires.
	Closed = "closed"
)

// Purposes of routes whose calls Hard budgets count. They exist in front of some upstreams only.
const (
	// Budgeted has the target "only", which is Chat and answers at most OutputLimit tokens. Its budgets have room, but not for the end user Broke and for the
	// calls whose tag "team" is Broke.
	Budgeted = "budgeted"
	// Spent has a budget that no call fits into.
	Spent = "spent"
	// Unbounded has a target of which is not known how much it answers.
	Unbounded = "unbounded"
)

// Renewed is the purpose of a route that admits the keys Keys.Renewed alone, which tells which key a call came with. It exists in front of some upstreams only.
const Renewed = "renewed"

// What budgets know.
const (
	// OutputLimit is the longest answer of the target of Budgeted, in tokens.
	OutputLimit = 300
	// Broke has spent all.
	Broke = "broke"
	// Allowance is what the client that reads its account may spend, in US dollars.
	Allowance = 1000
	// Accountant is that client.
	Accountant = "openrouter-sdk"
)

// The limits of the route Limited.
const (
	LimitedRequests = 5000
	LimitedTokens   = 5_000_000
)

// Keys are what a program calls the proxy with.
type Keys struct {
	// Key is the API key for all bases.
	Key string `json:"key"`
	// Renewed is the key that comes after it, which opens the routes Renewed besides all others.
	Renewed string `json:"renewedKey"`
	// Revoked is a key whose Secret is gone.
	Revoked string `json:"revokedKey"`
}

// Plan is what a program calls and expects.
type Plan struct {
	// Bases are the base URLs, by the vendor whose library wants one: "openai", "groq", "openrouter", "anthropic", "gemini", "cohere".
	Bases map[string]string `json:"bases"`
	// Keys of the program.
	Keys
	// Control is the address of the control API of the fake providers.
	Control string `json:"control"`
	// Text is the whole of every text answer.
	Text string `json:"text"`
	// Image is a PNG in base64.
	Image string `json:"image"`
	// Busy and Broken are what the errors say.
	Busy   string `json:"busy"`
	Broken string `json:"broken"`
	// Upstreams to go through, in this order.
	Upstreams []Upstream `json:"upstreams"`
	// Collection is the Postman collection, Variables are its variables, and Uploads is the folder of the files that it sends.
	Collection string            `json:"collection"`
	Variables  map[string]string `json:"variables"`
	Uploads    string            `json:"uploads"`
	// Checks are the names of those to make; empty means all.
	Checks []string `json:"checks"`
}

// Upstream is a provider, and the models that stand for it at the address called.
type Upstream struct {
	// Name of the upstream.
	Name string `json:"name"`
	// Models by purpose.
	Models map[string]string `json:"models"`
	// Surfaces that are tried with it.
	Surfaces []string `json:"surfaces"`
	// Refused are the checks that must fail, by surface, a slash, and check.
	Refused map[string]Refusal `json:"refused"`
}

// Refusal is an error that is expected.
type Refusal struct {
	// Status of the error.
	Status int `json:"status"`
	// Text that the error contains.
	Text string `json:"text"`
	// Reason for people why the pair cannot do it.
	Reason string `json:"reason"`
}

// Result is the outcome of a check.
type Result struct {
	// Client, Surface, Check and Upstream say what was tried.
	Client   string `json:"client"`
	Surface  string `json:"surface"`
	Check    string `json:"check"`
	Upstream string `json:"upstream"`
	// OK tells that it went as it must.
	OK bool `json:"ok"`
	// Expected is the reason of a refusal that had to come and came; empty otherwise.
	Expected string `json:"expected,omitempty"`
	// Problem says what went wrong.
	Problem string `json:"problem,omitempty"`
	// Milliseconds that it took.
	Milliseconds int64 `json:"milliseconds"`
	// PromptTokens and CompletionTokens that the client was told, where the check is about them.
	PromptTokens     int64 `json:"promptTokens,omitempty"`
	CompletionTokens int64 `json:"completionTokens,omitempty"`
}
