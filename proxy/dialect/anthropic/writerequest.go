package anthropic

import (
	"bytes"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// AppendRequest appends the request to dst. A request without a limit on its answer gets one that depends on the model: 4,096 tokens for Claude 3, 8,192
// for Claude 3.5 and for models that are not Claude's, 32,000 for all others. What models since 4.7 refuse is left out and reported; see traits.
func (Messages) AppendRequest(dst []byte, r *neutral.Request, to dialect.Target) ([]byte, neutral.Report, error) {
	w := &requestWriter{dst: dst, r: r, to: to, model: traitsOf(to.Model)}
	for _, step := range [...]func() error{w.refuse, w.plan, w.write} {
		if err := step(); err != nil {
			return dst, neutral.Report{}, err
		}
	}
	return w.dst, w.report, nil
}

// requestWriter writes one request.
type requestWriter struct {
	dst    []byte
	r      *neutral.Request
	to     dialect.Target
	model  traits
	report neutral.Report

	limit  int64
	think  thinking
	choice toolPlan
	format formatPlan
	// system are the blocks of the system prompt, turns the conversation.
	system []placed
	turns  []turn
	// notes are instructions that stand in for what the model cannot be made to do.
	notes []string
}

// native tells that the request came in this API, whose client knows what it asks for.
func (w *requestWriter) native() bool { return w.r.Source == neutral.Messages }

// unsupported is the error for what the API has no place for.
func unsupported(field, reason string) error {
	return &neutral.UnsupportedError{Field: field, Reason: reason}
}

// refuse refuses what the client would miss.
func (w *requestWriter) refuse() error {
	r := w.r
	switch {
	case r.N > 1:
		return unsupported("n", "only one choice can be had")
	case r.LogProbs, r.TopLogProbs != nil && *r.TopLogProbs > 0:
		return unsupported("logprobs", "log probabilities cannot be had")
	case slices.ContainsFunc(r.Modalities, func(m string) bool { return m != "text" }):
		return unsupported("modalities", "only text can be had")
	case w.native():
		return nil
	case r.ToolChoice.Raw != nil:
		return unsupported("tool_choice", "this form of it is not known")
	case r.Format.Kind == neutral.FormatOther:
		return unsupported("response_format", "this form of it is not known")
	}
	for i := range r.Tools {
		if r.Tools[i].Raw != nil {
			return unsupported("tools["+strconv.Itoa(i)+"]", "tools hosted by another provider cannot be had")
		}
	}
	return nil
}

// plan decides what the parts of the request have to agree on.
func (w *requestWriter) plan() error {
	var reduced bool
	if w.limit, reduced = outputLimit(w.r, w.model); reduced {
		w.report.Drop("max_tokens")
	}
	if err := w.planTurns(); err != nil {
		return err
	}
	w.planFormat()
	w.planTools()
	w.think = planThinking(w.r, w.model, w.limit)
	if w.think.kind == thinkingEnabled && !w.native() && (w.choice.forced || w.prefills() || w.loopWithoutThought()) {
		w.think = thinking{dropped: "reasoning"}
	}
	if w.think.dropped != "" {
		w.report.Drop(w.think.dropped)
	}
	return nil
}

// write writes all members.
func (w *requestWriter) write() error {
	w.dst = append(w.dst, '{')
	if !w.to.ModelInPath {
		w.next("model")
		w.dst = jsonscan.AppendQuoted(w.dst, w.to.Model)
	}
	w.next("max_tokens")
	w.dst = strconv.AppendInt(w.dst, w.limit, 10)
	w.writeSystem()
	if err := w.writeTurns(); err != nil {
		return err
	}
	w.writeTools()
	w.writeStop()
	w.writeSampling()
	w.writeThinking()
	w.writeOutput()
	w.writeAttributes()
	w.writeHost()
	w.writeExtra()
	w.dst = append(w.dst, '}')
	w.reportDropped()
	return nil
}

// next appends the name of a member.
func (w *requestWriter) next(name string) {
	if w.dst[len(w.dst)-1] != '{' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(jsonscan.AppendQuoted(w.dst, name), ':')
}

// optional appends the name of a member, unless the provider refuses it: then it is reported, and false.
func (w *requestWriter) optional(name string) bool {
	if refused(w.to.Quirks, name) {
		w.report.Drop(name)
		return false
	}
	w.next(name)
	return true
}

// refused tells that a provider does not take a member.
func refused(q dialect.Quirks, name string) bool {
	return slices.Contains(q.Refused, name) || q.Accepted != nil && !slices.Contains(q.Accepted, name)
}

func (w *requestWriter) writeStop() {
	stops := slices.DeleteFunc(slices.Clone(w.r.Stop), func(s string) bool { return len(bytes.TrimSpace([]byte(s))) == 0 })
	if len(stops) < len(w.r.Stop) { // The API refuses blank ones.
		w.report.Drop("stop")
	}
	if len(stops) > 0 && w.optional("stop_sequences") {
		w.dst = dialect.AppendJSON(w.dst, stops)
	}
}

// rest is what the request's own writing of an object has beyond the neutral form: its members, without the braces. It is empty for requests of other APIs.
func (w *requestWriter) rest(name string) []byte {
	if !w.native() {
		return nil
	}
	for _, m := range w.r.Extra {
		if m.Name == name && len(m.Value) > 2 && m.Value[0] == '{' {
			return m.Value[1 : len(m.Value)-1]
		}
	}
	return nil
}

// writeObject writes a member with an object of the given members, each with a comma before it, and the rest.
func (w *requestWriter) writeObject(name string, members []byte) {
	rest := w.rest(name)
	if len(members) == 0 && len(rest) == 0 || !w.optional(name) {
		return
	}
	w.dst = append(w.dst, '{')
	if len(members) > 0 {
		w.dst = append(w.dst, members[1:]...)
	}
	if len(members) > 0 && len(rest) > 0 {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(append(w.dst, rest...), '}')
}

func (w *requestWriter) writeThinking() {
	var members []byte
	if w.think.kind != "" && !bytes.Contains(w.rest("thinking"), []byte(`"type":`)) {
		members = appendString(members, "type", w.think.kind)
	}
	if w.think.budget > 0 {
		members = appendInt(members, "budget_tokens", w.think.budget)
	}
	if w.think.display != "" {
		members = appendString(members, "display", w.think.display)
	}
	w.writeObject("thinking", members)
}

func (w *requestWriter) writeOutput() {
	var members []byte
	if w.think.effort != "" {
		members = appendString(members, "effort", w.think.effort)
	}
	switch {
	case w.format != formatNative:
	case w.r.Format.Raw != nil:
		members = append(append(members, `,"format":`...), w.r.Format.Raw...)
	default:
		members = append(append(members, `,"format":{"type":"json_schema","schema":`...), w.r.Format.Schema...)
		members = append(members, '}')
	}
	w.writeObject("output_config", members)
}

// writeAttributes writes who asks, and how the request is to be served.
func (w *requestWriter) writeAttributes() {
	var user []byte
	if w.r.User != "" {
		user = appendString(nil, "user_id", w.r.User)
	}
	w.writeObject("metadata", user)
	if tier := w.serviceTier(); tier != "" && w.optional("service_tier") {
		w.dst = jsonscan.AppendQuoted(w.dst, tier)
	}
	if w.r.Cache != nil && w.optional("cache_control") {
		w.dst = appendCache(w.dst, w.r.Cache)
	}
	if w.r.Stream && !w.to.StreamInPath {
		w.next("stream")
		w.dst = append(w.dst, "true"...)
	}
}

// serviceTier is Anthropic's word for a service tier. Other hosts of the API have none.
func (w *requestWriter) serviceTier() string {
	switch tier := w.r.ServiceTier; {
	case w.native() || tier == "":
		return tier
	case w.to.ModelInPath && tier != "auto" && tier != "default":
		w.report.Drop("service_tier")
	case w.to.ModelInPath:
	case tier == "auto", tier == "priority":
		return "auto"
	case tier == "default":
		return "standard_only"
	default:
		w.report.Drop("service_tier")
	}
	return ""
}

// writeHost writes what the host of the API wants in the body.
func (w *requestWriter) writeHost() {
	for _, m := range hostMembers(w.to) {
		w.next(m.Name)
		w.dst = append(w.dst, m.Value...)
	}
}

// hostMembers are the members that the host of the API wants in the body.
func hostMembers(to dialect.Target) []neutral.Member {
	if len(to.Betas) == 0 {
		return to.Set
	}
	return append(slices.Clone(to.Set), neutral.Member{Name: "anthropic_beta", Value: dialect.AppendJSON(nil, to.Betas)})
}

// writeExtra puts back the members that the neutral form has no place for. Those of other APIs are reported, unless they ask for nothing.
func (w *requestWriter) writeExtra() {
	host := hostMembers(w.to)
	for _, m := range w.r.Extra {
		switch {
		case !w.native():
			w.report.DropExtra([]neutral.Member{m})
		case slices.Contains([]string{"thinking", "output_config", "metadata"}, m.Name):
		case slices.ContainsFunc(host, func(h neutral.Member) bool { return h.Name == m.Name }):
		case w.optional(m.Name):
			w.dst = append(w.dst, m.Value...)
		}
	}
}

// reportDropped reports the parameters that the API does not have.
func (w *requestWriter) reportDropped() {
	r := w.r
	for _, parameter := range [...]struct {
		name  string
		given bool
	}{
		{"frequency_penalty", !isZero(r.FrequencyPenalty)}, {"presence_penalty", !isZero(r.PresencePenalty)},
		{"repetition_penalty", r.RepetitionPenalty != "" && r.RepetitionPenalty != "1"}, {"seed", r.Seed != ""},
		{"min_p", !isZero(r.MinP)}, {"top_a", !isZero(r.TopA)}, {"logit_bias", len(r.LogitBias) > len("{}")},
		{"verbosity", r.Verbosity != ""}, {"metadata", len(r.Metadata) > 0}, {"prompt_cache_key", r.PromptCacheKey != ""},
	} {
		if parameter.given {
			w.report.Drop(parameter.name)
		}
	}
}

// isZero tells that a number is 0 or was not given.
func isZero(n neutral.Number) bool { return n == "" || floatOf(n) == 0 }

func floatOf(n neutral.Number) float64 {
	value, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return 0
	}
	return value
}
