package dialect

import (
	"strings"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// Unlimited stands for a number that nothing in a request bounds. No call is believed to use as much.
const Unlimited = meter.MaxTokens

// Demander is a Surface that can tell the most that a request can use. That costs a walk over the whole body, so it is asked only where a budget reserves.
type Demander interface {
	// Demand goes over a body that ReadHead accepted. It is nil for an API whose requests are forms.
	Demand(body []byte, h Head) Demand
}

// RawMeter is a Passer whose answers may be no JSON, so that what they cost can only be told from the request and their size.
type RawMeter interface {
	// RawUsage is the usage of such a call. body is the request, nil for a form, promptBytes its size, and words the bytes of text that came back.
	RawUsage(body []byte, promptBytes, words int64) meter.Usage
}

// Demand is the most that a request can use, whoever it is sent to, as far as the request bounds it. Within takes in what bounds the rest: the limits of a
// target. Completion is what there can be beyond the output limit, and Prompt counts the text of the request alone.
type Demand struct {
	meter.Demand
	// Choices are how many answers there can be, to each of which the output limit applies; 0 for APIs without such a limit.
	Choices int64
	// Rounds are how often a model can read a prompt as long as its context, at least 1: for every text to embed, for every search that the provider makes.
	Rounds int64
	// Media tells that the prompt has images, sound or files, Stored that it refers to what the provider keeps, and Grows that the provider adds to it what it
	// finds. Only the model's context bounds such a prompt.
	Media, Stored, Grows bool
	// Unbounded says, in words for the client, which part of the request has no bound at all; empty for none.
	Unbounded string
}

// Limits are those of a target.
type Limits struct {
	// Model is the upstream id, and Provider the vendor's name, as in Target.
	Model, Provider string
	// Context is the most tokens that the model can read; 0 when that is not known.
	Context int64
	// Output is the output limit that is sent, for each choice; 0 when none is.
	Output int64
	// Prices of the target; nil when they are not known.
	Prices *table.Prices
}

// longestContext is the longest context that is sold above the usual one of a model.
const longestContext = 1 << 20

// context is the most that a model can read. Some models have a longer context for those who pay for it: then their prices have a tier there.
func (l *Limits) context() int64 {
	if l.Context <= 0 || l.Prices == nil {
		return l.Context
	}
	for i := range l.Prices.Tiers {
		if l.Prices.Tiers[i].Above >= l.Context {
			return max(longestContext, l.Context)
		}
	}
	return l.Context
}

// Within is the most that a call can use at a target. The words say, for the client, which part of it has no finite bound there, or are empty; a part that
// costs nothing needs none.
func (d *Demand) Within(l Limits) (meter.Demand, string) {
	m := d.Demand
	m.Prompt = d.longestPrompt(l.context())
	if d.Choices > 0 {
		output := l.Output
		if output <= 0 {
			output = Unlimited
		}
		m.Completion += product(product(d.Choices, d.Rounds), output)
	}
	model := strings.ToLower(l.Model)
	m.WritesCache = m.WritesCache || !isClaude(model) // Claude writes what is marked; others that are paid for it choose themselves.
	m.Service = l.service(m.Service)
	if m.Images > 0 && !strings.Contains(model, "gpt-image-1") {
		m.Completion = Unlimited // How many tokens an image has is known for these models only.
	}
	switch {
	case d.Unbounded != "":
		return m, d.Unbounded
	case searchesUnasked(model):
		return m, "the model searches as often as it likes"
	}
	return m, l.unpaid(&m)
}

// service is the class that a call may be served in. OpenAI's projects have a setting for calls that do not name one, and what another
// namespace's proxy calls may be one of them. What Claude gives to calls that leave it
// the choice is capacity that was paid for before.
func (l *Limits) service(asked string) string {
	switch {
	case asked == "" && (l.Provider == "OpenAI" || l.Provider == "AzureOpenAI"), asked == "" && l.Provider == "Signalbox":
		return meter.ServiceAuto
	case asked == meter.ServiceAuto && isClaude(strings.ToLower(l.Model)):
		return ""
	}
	return asked
}

// isClaude tells whether a model, named in lower case, is one of Anthropic's.
func isClaude(model string) bool { return strings.Contains(model, "claude") }

// longestPrompt is the most tokens that the prompt can have with a model's context, 0 for an unknown one.
func (d *Demand) longestPrompt(context int64) int64 {
	open := d.Media || d.Stored || d.Grows
	switch most := product(context, d.Rounds); {
	case context <= 0 && open:
		return Unlimited
	case context <= 0:
		return d.Prompt
	case open:
		return most
	default:
		return min(d.Prompt, most)
	}
}

// product of two numbers that are not negative, at most Unlimited.
func product(a, b int64) int64 {
	if a > 0 && b > Unlimited/a {
		return Unlimited
	}
	return a * b
}

// unpaid says which part of a demand is unlimited and not free.
func (l *Limits) unpaid(m *meter.Demand) string {
	for _, part := range [...]struct {
		of    *int64
		words string
	}{
		{&m.Prompt, "the prompt has parts whose size only the model's context bounds, which is not known"},
		{&m.Completion, "the length of the answer has no limit that is known"},
		{&m.AudioMillis, "the length of the sound is not known"},
		{&m.SpeechMillis, "the length of the speech has no limit"},
		{&m.Searches, "the number of searches has no limit"},
	} {
		if *part.of >= Unlimited && !l.isFree(m, part.of) {
			return part.words
		}
	}
	return ""
}

// isFree tells whether a part of a demand costs nothing. part points into m.
func (l *Limits) isFree(m *meter.Demand, part *int64) bool {
	if l.Prices == nil {
		return false
	}
	with, _ := meter.Bound(m, l.Prices)
	most := *part
	*part = 0
	without, _ := meter.Bound(m, l.Prices)
	*part = most
	return with == without
}

// searchesUnasked tells whether a model, named in lower case, searches or runs tools at the provider although the request does not ask for it.
func searchesUnasked(model string) bool {
	for _, mark := range [...]string{"groq/compound", "compound-beta", "-search-preview", "-search-api", "deep-research", ":online"} {
		if strings.Contains(model, mark) {
			return true
		}
	}
	return strings.HasPrefix(model, "sonar") || strings.HasPrefix(model, "perplexity/")
}
