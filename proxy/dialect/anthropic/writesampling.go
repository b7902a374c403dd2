package anthropic

import "signalbox.dev/signalbox/proxy/dialect/neutral"

// leastThinkingTopP is the lowest top_p that the API takes together with thinking.
const leastThinkingTopP = 0.95

// sampling are the parameters of sampling as they are sent; empty for those that are not.
type sampling struct{ temperature, topP, topK neutral.Number }

// writeSampling writes the parameters of sampling, as far as the model takes them.
func (w *requestWriter) writeSampling() {
	s := sampling{w.r.Temperature, w.r.TopP, w.r.TopK}
	if !w.native() {
		s = w.fit(s)
	}
	for _, member := range [...]struct {
		name  string
		value neutral.Number
	}{{"temperature", s.temperature}, {"top_p", s.topP}, {"top_k", s.topK}} {
		if member.value != "" && w.optional(member.name) {
			w.dst = append(w.dst, member.value...)
		}
	}
}

// fit leaves out what the model refuses. What is a default is left out without a word.
func (w *requestWriter) fit(s sampling) sampling {
	if s.topP != "" && floatOf(s.topP) == 1 {
		s.topP = ""
	}
	if isZero(s.topK) { // OpenRouter's word for no limit.
		s.topK = ""
	}
	if s.temperature != "" && floatOf(s.temperature) > 1 {
		w.report.Drop("temperature")
		s.temperature = "1"
	}
	switch {
	case !w.model.sampling():
		s = sampling{w.defaultTemperature(s.temperature), w.without("top_p", s.topP), w.without("top_k", s.topK)}
	case w.think.on():
		s.temperature, s.topK = w.defaultTemperature(s.temperature), w.without("top_k", s.topK)
		if floatOf(s.topP) < leastThinkingTopP {
			s.topP = w.without("top_p", s.topP)
		}
	case s.temperature != "" && w.model.oneSampler():
		s.topP = w.without("top_p", s.topP)
	}
	return s
}

// defaultTemperature leaves the temperature out, and reports it if it is not the one that the model has by itself.
func (w *requestWriter) defaultTemperature(temperature neutral.Number) neutral.Number {
	if floatOf(temperature) == 1 {
		return ""
	}
	return w.without("temperature", temperature)
}

// without reports a parameter, if it was given, and returns none.
func (w *requestWriter) without(name string, value neutral.Number) neutral.Number {
	if value != "" {
		w.report.Drop(name)
	}
	return ""
}
