package bedrock

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Converse is the API of Converse and ConverseStream. The model stands in the address.
type Converse struct{}

var _ dialect.GenerationUpstream = Converse{}

// AppendRequest appends the request to dst.
func (Converse) AppendRequest(dst []byte, r *neutral.Request, to dialect.Target) ([]byte, neutral.Report, error) {
	w := writer{dst: dst, request: r, to: to}
	var err error
	if w.plan, err = newPlan(r, to, &w.report); err == nil {
		err = w.write()
	}
	if err != nil {
		return dst, neutral.Report{}, err
	}
	return w.dst, w.report, nil
}

// writer writes one request.
type writer struct {
	dst     []byte
	request *neutral.Request
	to      dialect.Target
	plan    plan
	report  neutral.Report
	// turn is the message that is being written.
	turn turn
	// documents are the names that were given to documents.
	documents map[string]bool
}

func (w *writer) write() error {
	w.raw("{")
	if err := w.messages(); err != nil {
		return err
	}
	if err := w.system(); err != nil {
		return err
	}
	w.inference()
	w.tools()
	w.outputConfig()
	w.additional()
	w.tier()
	for _, member := range w.to.Set {
		w.member(member.Name)
		w.raw(string(member.Value))
	}
	w.raw("}")
	w.dropped()
	return nil
}

// raw appends text as it is.
func (w *writer) raw(text string) { w.dst = append(w.dst, text...) }

// quoted appends text as a JSON string.
func (w *writer) quoted(text string) { w.dst = jsonscan.AppendQuoted(w.dst, text) }

// separate puts a comma between two members or elements.
func (w *writer) separate() {
	if last := w.dst[len(w.dst)-1]; last != '{' && last != '[' {
		w.raw(",")
	}
}

// member begins a member.
func (w *writer) member(name string) {
	w.separate()
	w.quoted(name)
	w.raw(":")
}

// element begins an object in an array.
func (w *writer) element(start string) {
	w.separate()
	w.raw(start)
}

// inference writes the parameters that all models have. An object without members is allowed.
func (w *writer) inference() {
	r := w.request
	w.member("inferenceConfig")
	w.raw("{")
	if r.MaxTokens != nil {
		w.member("maxTokens")
		w.raw(strconv.FormatInt(*r.MaxTokens, 10))
	}
	temperature, topP := w.samplers()
	if temperature != "" {
		w.member("temperature")
		w.raw(string(temperature))
	}
	if topP != "" {
		w.member("topP")
		w.raw(string(topP))
	}
	if len(r.Stop) > 0 {
		w.member("stopSequences")
		w.raw("[")
		for _, stop := range r.Stop {
			w.separate()
			w.quoted(stop)
		}
		w.raw("]")
	}
	w.raw("}")
}

// samplers returns the sampling parameters that the model takes.
func (w *writer) samplers() (temperature, topP neutral.Number) {
	temperature, topP = w.request.Temperature, w.request.TopP
	m := w.plan.model
	if w.plan.thinking.fixed || m.family == claude && m.version >= claudeNoSamplers {
		w.dropGiven("temperature", temperature)
		w.dropGiven("top_p", topP)
		return "", ""
	}
	if m.family == claude && m.version >= claudeOneSampler && temperature != "" && topP != "" {
		w.report.Drop("top_p")
		topP = ""
	}
	if above(temperature, 1) && (m.family == claude || m.family == nova) {
		w.report.Drop("temperature")
		temperature = "1"
	}
	return temperature, topP
}

// above tells whether a number that was given is above a bound.
func above(n neutral.Number, bound float64) bool {
	value, err := strconv.ParseFloat(string(n), 64)
	return err == nil && value > bound
}

func (w *writer) dropGiven(name string, n neutral.Number) {
	if n != "" {
		w.report.Drop(name)
	}
}

// outputConfig writes effort and schema.
func (w *writer) outputConfig() {
	native := w.plan.output == nativeOutput
	if !native && w.plan.thinking.effort == "" {
		return
	}
	w.member("outputConfig")
	w.raw("{")
	if w.plan.thinking.effort != "" {
		w.member("effort")
		w.quoted(w.plan.thinking.effort)
	}
	if native {
		format := w.request.Format
		w.member("textFormat")
		w.raw(`{"type":"json_schema","structure":{"jsonSchema":{"schema":`)
		w.quoted(string(format.Schema))
		if format.Name != "" {
			w.member("name")
			w.quoted(format.Name)
		}
		if format.Description != "" {
			w.member("description")
			w.quoted(format.Description)
		}
		w.raw("}}}")
	}
	w.raw("}")
}

// additional writes the parameters that only some models have.
func (w *writer) additional() {
	m, fields := w.plan.model, w.plan.thinking.fields
	topK := w.request.TopK
	switch {
	case topK == "":
	case m.family == claude && m.version < claudeNoSamplers && !w.plan.thinking.fixed:
		fields = join(fields, `"top_k":`+string(topK))
	case m.family == nova && !w.plan.thinking.fixed:
		fields = join(fields, `"inferenceConfig":{"topK":`+string(topK)+"}")
	default:
		w.report.Drop("top_k")
	}
	if fields != "" {
		w.member("additionalModelRequestFields")
		w.raw("{" + fields + "}")
	}
	if m.family == claude && len(w.request.Stop) > 0 {
		w.member("additionalModelResponseFieldPaths")
		w.raw(`["/stop_sequence"]`)
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}

// tier writes the processing tier, where the client's word has one.
func (w *writer) tier() {
	switch tier := w.request.ServiceTier; tier {
	case "", "auto":
	case "default", "flex", "priority", "reserved":
		w.member("serviceTier")
		w.raw(`{"type":`)
		w.quoted(tier)
		w.raw("}")
	case "standard_only":
		w.member("serviceTier")
		w.raw(`{"type":"default"}`)
	default:
		w.report.Drop("service_tier")
	}
}

// dropped reports what Converse has no place for.
func (w *writer) dropped() {
	r := w.request
	w.dropGiven("min_p", r.MinP)
	w.dropGiven("top_a", r.TopA)
	w.dropGiven("frequency_penalty", r.FrequencyPenalty)
	w.dropGiven("presence_penalty", r.PresencePenalty)
	w.dropGiven("repetition_penalty", r.RepetitionPenalty)
	w.dropGiven("seed", r.Seed)
	for name, given := range map[string]bool{
		"logit_bias":          len(r.LogitBias) > 0,
		"user":                r.User != "",
		"metadata":            len(r.Metadata) > 0,
		"verbosity":           r.Verbosity != "",
		"prompt_cache_key":    r.PromptCacheKey != "",
		"parallel_tool_calls": r.ParallelToolCalls != nil && !*r.ParallelToolCalls && len(r.Tools) > 0,
	} {
		if given {
			w.report.Drop(name)
		}
	}
	w.report.DropExtra(r.Extra)
}
