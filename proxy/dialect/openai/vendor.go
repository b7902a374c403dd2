package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// The vendors whose members and habits others do not share, as dialect.Target names them.
const (
	vendorOpenAI     = "OpenAI"
	vendorAzure      = "AzureOpenAI"
	vendorGroq       = "Groq"
	vendorOpenRouter = "OpenRouter"
	vendorTogether   = "Together"
	vendorFireworks  = "Fireworks"
	// vendorAny is a server of the user's own, such as vLLM, or any gateway: what it understands is not known.
	vendorAny = "OpenAICompatible"
)

// isOpenAI tells whether a vendor is OpenAI itself, wherever it runs.
func isOpenAI(vendor string) bool { return vendor == vendorOpenAI || vendor == vendorAzure }

// isSpecial tells whether only some vendors understand a top-level member of a request.
func isSpecial(name []byte) bool {
	switch string(name) {
	case "plugins", "route", "transforms", "debug", "trace", "usage", "image_config", "stop_server_tools_when", "max_tool_calls",
		"structured_outputs", "top_a", "cache_control",
		"reasoning_format", "search_settings", "compound_custom", "citation_options", "disable_tool_validation", "include_domains", "exclude_domains", "documents",
		"include_reasoning", "reasoning", "thinking", "service_tier", "top_k", "min_p", "repetition_penalty":
		return true
	}
	return false
}

// owners are the vendors that take a top-level member; nil when it is no vendor's own. A server of the user's own is given what such servers are known to
// take.
func owners(name string) []string {
	switch name {
	case "plugins", "route", "transforms", "debug", "trace", "usage", "image_config", "stop_server_tools_when", "max_tool_calls", "cache_control":
		return []string{vendorOpenRouter}
	case "structured_outputs", "top_a":
		return []string{vendorOpenRouter, vendorAny}
	case "reasoning_format", "search_settings", "compound_custom", "citation_options", "disable_tool_validation", "include_domains", "exclude_domains":
		return []string{vendorGroq}
	case "documents":
		return []string{vendorGroq, vendorAny}
	case "include_reasoning":
		return []string{vendorGroq, vendorAny, vendorOpenRouter}
	}
	return nil
}

// foreign tells whether a top-level member belongs to another vendor than this one.
func foreign(name, vendor string) bool {
	switch name {
	case "thinking":
		return isOpenAI(vendor) || vendor == vendorGroq || vendor == vendorOpenRouter
	case "top_k", "min_p", "repetition_penalty":
		return isOpenAI(vendor)
	}
	takers := owners(name)
	return takers != nil && !slices.Contains(takers, vendor)
}

// foreignTier tells whether a service tier is one of another vendor's.
func foreignTier(tier, vendor string) bool {
	switch tier {
	case "on_demand", "performance":
		return vendor != vendorGroq
	case "flex":
		return vendor != vendorGroq && vendor != vendorOpenRouter && vendor != vendorAny && !isOpenAI(vendor)
	case "default", "priority", "scale":
		return vendor == vendorGroq
	}
	return false
}

// takesExtensions tells whether a vendor takes sampling parameters that OpenAI does not have.
func takesExtensions(vendor string) bool {
	return slices.Contains([]string{vendorOpenRouter, vendorTogether, vendorFireworks, vendorAny}, vendor)
}

// takesCacheMarks tells whether a vendor takes cache_control.
func takesCacheMarks(vendor string) bool { return vendor == vendorOpenRouter || vendor == vendorAny }

// refused tells whether a provider does not take a top-level member.
func refused(name string, q *dialect.Quirks) bool {
	return slices.Contains(q.Refused, name) || q.Accepted != nil && !slices.Contains(q.Accepted, name)
}

// asksForNothing tells whether leaving a member out changes nothing.
func asksForNothing(name string, value []byte) bool {
	if isEmpty(value) {
		return name != "web_search_options" || value[0] == 'n' // Even an empty one switches the search on.
	}
	switch name {
	case "usage", "stream_options":
		return true
	case "include_reasoning", "parallel_tool_calls":
		return string(value) == "true"
	case "n", "best_of":
		return string(value) == "1"
	case "frequency_penalty", "presence_penalty", "top_logprobs", "logprobs", "top_k", "min_p", "top_a":
		return string(value) == "0" || string(value) == "0.0" || string(value) == "false"
	case "service_tier":
		return slices.Contains([]string{`"auto"`, `"default"`, `"on_demand"`}, string(value))
	}
	return string(value) == "false"
}

// isEmpty tells whether a checked value is null, or a string, list or object with nothing in it.
func isEmpty(value []byte) bool {
	switch value[0] {
	case '[', '{':
		return jsonscan.Space(value, 1) == len(value)-1
	case '"':
		return len(value) == 2
	}
	return value[0] == 'n'
}

// needed tells whether a client would miss what a member asks for, so that it must not be left out in silence.
func needed(name string, value []byte) bool {
	switch name {
	case "n", "best_of", "logprobs", "top_logprobs", "tools", "functions", "audio", "response_format", "suffix", "echo", "web_search_options":
		return !asksForNothing(name, value) && string(value) != `{"type":"text"}`
	case "modalities":
		return !asksForNothing(name, value) && string(value) != `["text"]`
	}
	return false
}
