package failure

import "strings"

// passedOn is how OpenRouter begins what another provider said.
const passedOn = "provider returned error"

// plain is a message in lower case and with plain apostrophes, and without what an aggregator puts before another provider's words.
func plain(message string) string {
	text := strings.ReplaceAll(strings.ToLower(message), "’", "'")
	if !strings.HasPrefix(text, passedOn) {
		return text
	}
	if _, inner, ok := strings.Cut(text, ": "); ok {
		return inner
	}
	return text
}

// badKey is how Google and xAI, who answer 400 for it, begin to speak of a key or a country.
func badKey() []string {
	return []string{
		"api key not valid", "api key not found", "api key expired", "incorrect api key provided", "invalid api key",
		"user location is not supported", "gemini api free tier is not available in your country",
	}
}

// noCredit is how those who answer 400 for it begin to speak of credit: Anthropic, AWS.
func noCredit() []string {
	return []string{
		"your credit balance is too low", "you have reached your specified api usage limits",
		"your request exceeds the service quota",
	}
}

// speaksOfCredit is for statuses that say nothing of the request, so that nothing of it is quoted.
func speaksOfCredit(text string) bool {
	return containsAny(text, []string{
		"out of credits", "have any credits", "available credits", "insufficient credits", "credits are depleted", "credit balance", "spending limit",
		"requires billing", "billing account",
	})
}

func speaksOfLoad(text string) bool {
	return containsAny(text, []string{"overloaded", "high traffic", "high demand", "capacity exceeded", "no capacity", "not ready"})
}

// blockPage is how a page begins with which a firewall in front of an API turns away one request or one address, whatever its key: Cloudflare, CloudFront. One
// caller's text must not have the key left alone for all.
func blockPage() []string {
	return []string{"attention required!", "just a moment", "sorry, you have been blocked", "error: the request could not be satisfied"}
}

// goneModel is how a 404 begins that means the model.
func goneModel() []string {
	return []string{
		"the model", "model ", "model:", "models/", "this model", "publisher model", "the requested model", "requested model", "unknown model",
		"invalid model", "could not resolve the foundation model", "unable to access model", "the api deployment for this resource",
		"access denied. this model",
	}
}

// closedModel is how a model begins that an account may not use.
func closedModel() []string {
	return []string{
		"you don't have access to the model", "model access is denied", "access to this model", "your project does not have access to model",
		"the provided model doesn't support on-demand throughput",
	}
}

// invalidModel is how those who answer 400 for it begin to speak of a model that they do not have: DeepSeek, Mistral, AWS.
func invalidModel() []string {
	return []string{"model not exist", "invalid model:", "unknown model", "the provided model identifier is invalid", "invocation of model id"}
}

// endOfModel is what else such an answer says, if it begins with the model only.
func endOfModel() []string {
	return []string{"does not exist", "decommissioned", "deprecated", "no longer", "not found"}
}

// noEndpoint is how OpenRouter begins to say that no provider fits the request.
func noEndpoint() []string {
	return []string{"no endpoints found", "no endpoints available", "no allowed providers"}
}

// longContext is what providers say of a prompt that is too long. What they say of too large a max_tokens alone is not among it: that is a bound of its own.
func longContext() []string {
	return []string{
		// OpenAI, DeepSeek, Fireworks, Mistral, OpenRouter, vLLM
		"maximum context length", "context_length_exceeded",
		// SGLang, llama.cpp, Cohere
		"model's context length", "context size", "context window", "too many tokens",
		// Anthropic, AWS, Groq, Cerebras, xAI
		"prompt is too long", "exceed context limit", "input is too long", "reduce the length of the messages", "maximum prompt length",
		// Google: "The input token count (N) exceeds the maximum number of tokens allowed (M)."
		"exceeds the maximum number of tokens allowed",
		// Together: "`inputs` tokens + `max_new_tokens` must be <= N."
		"tokens + `max_new_tokens` must be",
	}
}

func speaksOfFilter(text string) bool {
	return containsAny(text, []string{
		// OpenAI, Azure
		"content management policy", "content policy", "safety system", "usage policy", "usage policies", "content filter",
		// xAI, OpenRouter, DeepSeek, Anthropic, Google, AWS
		"usage guidelines", "moderation", "was flagged", "content exists risk", "content filtering policy", "blocked due to", "prompt was blocked",
		"blocked by our content filters",
	})
}

func containsAny(text string, phrases []string) bool {
	for _, phrase := range phrases {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

func beginsWithAny(text string, beginnings []string) bool {
	for _, beginning := range beginnings {
		if strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}
