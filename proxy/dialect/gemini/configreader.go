package gemini

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// config reads the "generationConfig".
func (r *requestReader) config(raw []byte) error {
	var format formatReader
	err := eachMember(raw, "generationConfig", func(name string, value []byte) error {
		if read, err := format.read(name, value); read {
			return err
		}
		path := "generationConfig." + name
		if read, err := r.sampling(name, value, path); read {
			return err
		}
		switch name {
		case "stopSequences":
			return dialect.Decode(value, path, &r.request.Stop)
		case "responseModalities":
			return dialect.Decode(value, path, &r.request.Modalities)
		case "thinkingConfig":
			return r.thinking(value)
		case "candidateCount": // It is part of the head.
			return nil
		}
		r.extra(path, value)
		return nil
	})
	for i, modality := range r.request.Modalities {
		r.request.Modalities[i] = strings.ToLower(modality)
	}
	r.request.Format = format.format()
	return err
}

// sampling reads what is a number or a flag; false when the member is something else.
func (r *requestReader) sampling(name string, value []byte, path string) (bool, error) {
	q := r.request
	numbers := map[string]*neutral.Number{
		"temperature": &q.Temperature, "topP": &q.TopP, "topK": &q.TopK, "seed": &q.Seed,
		"presencePenalty": &q.PresencePenalty, "frequencyPenalty": &q.FrequencyPenalty,
	}
	if into, ok := numbers[name]; ok {
		number, ok := readNumber(value)
		if !ok {
			return true, wrongType(path, "a number")
		}
		*into = number
		return true, nil
	}
	switch name {
	case "maxOutputTokens":
		return true, dialect.Decode(unquoted(value), path, &q.MaxTokens)
	case "logprobs":
		return true, dialect.Decode(unquoted(value), path, &q.TopLogProbs)
	case "responseLogprobs":
		return true, dialect.Decode(value, path, &q.LogProbs)
	}
	return false, nil
}

// readNumber reads a number, which may stand in quotes.
func readNumber(raw []byte) (neutral.Number, bool) {
	raw = unquoted(raw)
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return "", false
	}
	return neutral.Number(raw), true
}

// thinking reads the "thinkingConfig".
func (r *requestReader) thinking(raw []byte) error {
	reasoning := &neutral.Reasoning{Exclude: true}
	r.request.Reasoning = reasoning
	return eachMember(raw, "generationConfig.thinkingConfig", func(name string, value []byte) error {
		path := "generationConfig.thinkingConfig." + name
		switch name {
		case "includeThoughts":
			var include bool
			err := dialect.Decode(value, path, &include)
			reasoning.Exclude = !include
			return err
		case "thinkingLevel":
			level, err := readString(value, path)
			if level != "THINKING_LEVEL_UNSPECIFIED" {
				reasoning.Effort = strings.ToLower(level)
			}
			return err
		case "thinkingBudget":
			var budget int64
			err := dialect.Decode(unquoted(value), path, &budget)
			setBudget(reasoning, budget)
			return err
		}
		r.extra(path, value)
		return nil
	})
}

// setBudget takes in a budget for thinking: 0 switches it off, and a negative one leaves the amount to the model.
func setBudget(reasoning *neutral.Reasoning, budget int64) {
	enabled := budget != 0
	switch {
	case budget > 0:
		reasoning.MaxTokens = &budget
	default:
		reasoning.Enabled = &enabled
	}
}

// formatReader collects the members that say what the answer's text looks like.
type formatReader struct {
	mime   string
	schema []byte
	// google is the schema as it came, if it is one of Google's own kind; other is "responseFormat", which says the same in another way.
	google, other []byte
}

// read takes in a member; false when it is something else.
func (f *formatReader) read(name string, value []byte) (bool, error) {
	switch name {
	case "responseMimeType":
		var err error
		f.mime, err = readString(value, "generationConfig.responseMimeType")
		return true, err
	case "responseSchema":
		f.schema, f.google = jsonSchema(value), value
	case "responseJsonSchema", "_responseJsonSchema":
		f.schema = slices.Clone(value)
	case "responseFormat":
		f.other = value
	default:
		return false, nil
	}
	return true, nil
}

// enumFormat is the type of an answer that is one word of an enumeration, without quotes.
const enumFormat = "text/x.enum"

// format is what was collected. What only Google knows is an object with the members of the configuration.
func (f *formatReader) format() neutral.Format {
	switch {
	case f.other != nil:
		return neutral.Format{Kind: neutral.FormatOther, Raw: append(rawMember([]byte{'{'}, "responseFormat", f.other), '}')}
	case f.google != nil && f.mime == enumFormat:
		raw := stringMember([]byte{'{'}, "responseMimeType", enumFormat)
		return neutral.Format{Kind: neutral.FormatOther, Raw: append(rawMember(raw, "responseSchema", f.google), '}')}
	case f.schema != nil:
		return neutral.Format{Kind: neutral.FormatJSONSchema, Schema: f.schema}
	case f.mime == "application/json":
		return neutral.Format{Kind: neutral.FormatJSONObject}
	}
	return neutral.Format{}
}
