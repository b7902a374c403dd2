package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// CostRoom is how many bytes AddCost may add to an answer.
const CostRoom = 32

// Answer is what the proxy needs to know of an answer that is not streamed.
type Answer struct {
	// Usage as reported, normalised; zero without HasUsage.
	Usage meter.Usage
	// HasUsage tells whether the provider reported any.
	HasUsage bool
	// OutputBytes is the size of the text of all choices, reasoning and tool calls included; 0 for embeddings.
	OutputBytes int64
	// Err is the error that the provider put into an answer of status 200; nil when there is none.
	Err *neutral.Error

	// usage is where the object starts that takes the cost; 0 without one.
	usage int
}

// AnswerError tells why an answer of status 200 cannot be an answer: it is HTML, for example, or was cut off.
type AnswerError struct {
	// Err is the problem; it holds nothing of the answer.
	Err error
}

// Error implements error.
func (e *AnswerError) Error() string { return "the answer cannot be read: " + e.Err.Error() }

// Unwrap returns the problem.
func (e *AnswerError) Unwrap() error { return e.Err }

// ReadAnswer reads the body of an answer that is not streamed. The error is an *AnswerError.
func ReadAnswer(body []byte) (Answer, error) {
	var d document
	if err := d.read(body); err != nil {
		return Answer{}, &AnswerError{Err: err}
	}
	answer := Answer{OutputBytes: int64(d.text)}
	if d.failure {
		failure := dialect.ParseError(body)
		answer.Err = &failure
	}
	answer.Usage, answer.usage = d.reported(body)
	answer.HasUsage = answer.usage != 0
	return answer, nil
}

// reported returns the usage of the document and where the object starts that reports it: the common one, or else Groq's own; 0 when neither does.
func (d *document) reported(data []byte) (meter.Usage, int) {
	for _, at := range [...]int{d.usage, d.groqUsage} {
		if at == 0 {
			continue
		}
		if usage, ok := readUsage(data, at); ok {
			return usage, at
		}
	}
	return meter.Usage{}, 0
}

// Settle returns the usage to charge: the reported one, or an estimate where none was reported or the report is not believable. promptBytes is the size of
// the request's body.
func (a Answer) Settle(promptBytes int64) meter.Usage {
	estimate := meter.EstimateUsage(promptBytes, a.OutputBytes, 0)
	switch {
	case !a.HasUsage:
		return estimate
	case a.Usage.Estimated:
		return a.Usage.AtLeast(estimate)
	}
	return a.Usage
}

// AddCost puts the cost in dollars into the usage object of body, which must be what a was read from: "cost", as OpenRouter has it. It changes body where
// that has the room, at most CostRoom bytes, and returns the result. An answer without usage gets no cost.
func (a Answer) AddCost(body []byte, nano int64) []byte {
	if !a.HasUsage {
		return body
	}
	cost := costPatch(body, a.usage, nano)
	return slices.Replace(body, cost.At, cost.End, []byte(cost.Text)...)
}
