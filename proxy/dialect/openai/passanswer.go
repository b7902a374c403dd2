package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// ReadPassed reads a whole answer.
func (Chat) ReadPassed(body []byte, o dialect.Exchange) (dialect.Answer, error) {
	return readChoices(body, o)
}

// ReadPassed reads a whole answer.
func (Text) ReadPassed(body []byte, o dialect.Exchange) (dialect.Answer, error) {
	return readChoices(body, o)
}

// ReadPassed reads a whole answer.
func (Vectors) ReadPassed(body []byte, o dialect.Exchange) (dialect.Answer, error) {
	return answerOf(readPassed(body, newFlavored(o)))
}

// ReadPassed reads a whole answer, which stays as it is.
func (p Plain) ReadPassed(body []byte, _ dialect.Exchange) (dialect.Answer, error) {
	read, err := readPassed(body, flavored{})
	if err != nil {
		return nil, err
	}
	return newPlainAnswer(read, p.API), nil
}

// readChoices reads an answer that has choices, or at least usage, or an error. Anything else is the answer of something in front of the API.
func readChoices(body []byte, o dialect.Exchange) (dialect.Answer, error) {
	a, err := readPassed(body, newFlavored(o))
	if err == nil && a.failure == nil && a.read.choicesAt == 0 && !a.told {
		err = &dialect.AnswerError{Err: errNoChoices}
	}
	return answerOf(a, err)
}

// answerOf keeps an answer that could not be read from looking like one.
func answerOf(a *passedAnswer, err error) (dialect.Answer, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}

// passedAnswer is a whole answer that passes.
type passedAnswer struct {
	flavored
	body  []byte
	read  document
	usage meter.Usage
	// told tells that there is usage, and usageAt where the object starts that the client finds it in; 0 without one.
	told    bool
	usageAt int
	failure *neutral.Error
}

func readPassed(body []byte, f flavored) (*passedAnswer, error) {
	a := &passedAnswer{flavored: f, body: body, read: document{namesThoughts: f.namesThoughts(), strict: f.strictness(strictAnswer)}}
	if err := a.read.read(body); err != nil {
		return nil, &dialect.AnswerError{Err: err}
	}
	if a.read.failure {
		failure := dialect.ParseError(body)
		a.failure = &failure
	}
	if a.usage, a.told = a.read.reported(body); a.told {
		a.usageAt = a.read.shown()
	}
	return a, nil
}

// Failure is the error inside the answer.
func (a *passedAnswer) Failure() *neutral.Error { return a.failure }

// Reported is the usage that the provider reported.
func (a *passedAnswer) Reported() (meter.Usage, bool) { return a.usage, a.told }

// Settle returns the usage to charge.
func (a *passedAnswer) Settle(promptBytes int64) meter.Usage {
	estimate := meter.EstimateUsage(promptBytes, int64(a.read.text), 0)
	estimate.Service = a.read.service(a.body)
	switch {
	case !a.told:
		return estimate
	case a.usage.Estimated:
		return a.usage.AtLeast(estimate)
	}
	return a.usage
}

// Body is what the client gets. OpenRouter's clients are told the usage even where the provider reports none.
func (a *passedAnswer) Body(used meter.Usage) []byte {
	d := &a.read
	patches := d.mends
	if a.usageAt != 0 {
		patches = a.usagePatches(patches, a.body, a.usageAt, used)
	} else if a.asOpenRouter && d.choicesAt != 0 {
		patches = append(patches, a.estimatePatch(used))
	}
	patches = a.choicePatches(patches, d, a.body)
	if a.asGroq && !d.xGroq && d.choicesAt != 0 {
		patches = append(patches, dialect.Patch{At: d.start + 1, End: d.start + 1, Text: a.greeting})
	}
	switch len(patches) {
	case 0:
		return a.body
	case 1:
		p := patches[0]
		return slices.Replace(a.body, p.At, p.End, []byte(p.Text)...)
	}
	size := len(a.body)
	for _, p := range patches {
		size += len(p.Text)
	}
	return dialect.Apply(make([]byte, 0, size), a.body, patches)
}

// estimatePatch tells a usage that was not reported.
func (a *passedAnswer) estimatePatch(used meter.Usage) dialect.Patch {
	usage := string(appendUsage(nil, used, &a.o))
	if a.read.memberEnd > 0 {
		return dialect.Patch{At: a.read.memberStart, End: a.read.memberEnd, Text: `"usage":` + usage}
	}
	return dialect.Patch{At: a.read.end, End: a.read.end, Text: `,"usage":` + usage}
}
