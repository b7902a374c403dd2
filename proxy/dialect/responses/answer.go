package responses

import (
	"encoding/json"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// answer is a response as clients get it: what was asked, with what came of it.
type answer struct {
	call dialect.Exchange
	// model and tier in the provider's words; empty when it does not tell.
	model, tier string
	// status of the answer; empty while it is in progress.
	status string
	// incomplete says why the answer is not whole; empty when it is.
	incomplete string
	// output is the inside of the list of items.
	output []byte
	usage  *meter.Usage
}

// finish sets the status by why the answer ended. What a refusing model says is a refusal part; without one its answer was held back.
func (a *answer) finish(f neutral.Finish, refused bool) {
	a.status = statusCompleted
	switch {
	case f == neutral.FinishLength:
		a.status, a.incomplete = statusIncomplete, "max_output_tokens"
	case f == neutral.FinishContentFilter, f == neutral.FinishRefusal && !refused:
		a.status, a.incomplete = statusIncomplete, "content_filter"
	case f == neutral.FinishError:
		a.status = statusFailed
	}
}

// itemStatus is the status of the last item.
func (a *answer) itemStatus() string {
	if a.status == statusCompleted {
		return statusCompleted
	}
	return statusIncomplete
}

// append appends the response to dst.
func (a *answer) append(dst []byte) []byte {
	o := a.call
	dst = append(append(dst, `{"id":`...), quoted("resp_"+o.ID)...)
	dst = strconv.AppendInt(append(dst, `,"object":"response","created_at":`...), o.Created, 10)
	status := a.status
	if status == "" {
		status = statusInProgress
	}
	dst = append(append(append(dst, `,"status":"`...), status...), `","background":false`...)
	dst = append(append(dst, `,"completed_at":`...), a.completedAt()...)
	dst = append(dst, `,"error":`...)
	if a.status == statusFailed {
		dst = append(dst, `{"code":"server_error","type":"server_error","message":"the provider failed while it generated the response","param":null}`...)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"incomplete_details":`...)
	if a.incomplete != "" {
		dst = append(append(append(dst, `{"reason":"`...), a.incomplete...), `"}`...)
	} else {
		dst = append(dst, "null"...)
	}
	model := a.model
	if model == "" {
		model = o.Model
	}
	dst = append(append(dst, `,"model":`...), quoted(model)...)
	dst = append(append(append(dst, `,"output":[`...), a.output...), ']')
	dst = a.appendAsked(dst)
	dst = appendUsage(append(dst, `,"usage":`...), a.usage)
	return append(dst, '}')
}

// completedAt is when the answer was completed, in seconds since 1970; null until then, and where nobody measures.
func (a *answer) completedAt() json.RawMessage {
	if a.status != statusCompleted || a.call.Timing == nil {
		return json.RawMessage("null")
	}
	t := a.call.Timing()
	return strconv.AppendInt(nil, a.call.Created+int64((t.Queue+t.Prompt+t.Completion).Seconds()), 10)
}

// appendAsked appends what the request asked for.
func (a *answer) appendAsked(dst []byte) []byte {
	r := a.call.Request
	if r == nil {
		r = &neutral.Request{}
	}
	tier := json.RawMessage("null")
	if slices.Contains(tiers[:], a.tier) {
		tier = quoted(a.tier)
	}
	for _, member := range []neutral.Member{
		{Name: "frequency_penalty", Value: orZero(r.FrequencyPenalty)},
		{Name: "instructions", Value: askedInstructions(r)},
		{Name: "max_output_tokens", Value: orNull(r.MaxTokens)},
		{Name: "max_tool_calls", Value: askedExtra(r, "max_tool_calls", "null")},
		{Name: "metadata", Value: askedMetadata(r)},
		{Name: "parallel_tool_calls", Value: strconv.AppendBool(nil, r.ParallelToolCalls == nil || *r.ParallelToolCalls)},
		{Name: "presence_penalty", Value: orZero(r.PresencePenalty)},
		{Name: "previous_response_id", Value: json.RawMessage("null")},
		{Name: "prompt_cache_key", Value: orNullText(r.PromptCacheKey)},
		{Name: "reasoning", Value: askedReasoning(r)},
		{Name: "safety_identifier", Value: askedExtra(r, "safety_identifier", "null")},
		{Name: "service_tier", Value: tier},
		{Name: "store", Value: json.RawMessage("false")},
		{Name: "temperature", Value: orNullNumber(r.Temperature)},
		{Name: "text", Value: askedText(r)},
		{Name: "tool_choice", Value: askedChoice(r)},
		{Name: "tools", Value: askedTools(r)},
		{Name: "top_logprobs", Value: askedTopLogProbs(r)},
		{Name: "top_p", Value: orNullNumber(r.TopP)},
		{Name: "truncation", Value: askedExtra(r, "truncation", `"disabled"`)},
		{Name: "user", Value: orNullText(r.User)},
	} {
		dst = append(append(append(dst, `,"`...), member.Name...), `":`...)
		dst = append(dst, member.Value...)
	}
	return dst
}

func orNull(value *int64) json.RawMessage {
	if value == nil {
		return json.RawMessage("null")
	}
	return strconv.AppendInt(nil, *value, 10)
}

func orNullText(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("null")
	}
	return quoted(text)
}

func orNullNumber(number neutral.Number) json.RawMessage {
	if number == "" {
		return json.RawMessage("null")
	}
	return json.RawMessage(number)
}

func orZero(number neutral.Number) json.RawMessage {
	if number == "" {
		return json.RawMessage("0")
	}
	return json.RawMessage(number)
}

// askedExtra is a member of the request that the neutral form has no place for, or what holds without it.
func askedExtra(r *neutral.Request, name, usual string) json.RawMessage {
	for _, extra := range r.Extra {
		if extra.Name == name {
			return extra.Value
		}
	}
	return json.RawMessage(usual)
}

func askedInstructions(r *neutral.Request) json.RawMessage {
	if len(r.Messages) == 0 {
		return json.RawMessage("null")
	}
	text, ok := markedInstructions(&r.Messages[0])
	if !ok {
		return json.RawMessage("null")
	}
	return quoted(text)
}

func askedMetadata(r *neutral.Request) json.RawMessage {
	if r.Metadata == nil {
		return json.RawMessage("{}")
	}
	return dialect.AppendJSON(nil, r.Metadata)
}

func askedReasoning(r *neutral.Request) json.RawMessage {
	reasoning := neutral.Reasoning{}
	if r.Reasoning != nil {
		reasoning = *r.Reasoning
	}
	return objectOf([]neutral.Member{{Name: "effort", Value: orNullText(reasoning.Effort)}, {Name: "summary", Value: orNullText(reasoning.Summary)}})
}

func askedText(r *neutral.Request) json.RawMessage {
	var format json.RawMessage
	switch r.Format.Kind {
	case neutral.FormatText:
		format = json.RawMessage(`{"type":"text"}`)
	case neutral.FormatJSONObject:
		format = json.RawMessage(`{"type":"json_object"}`)
	case neutral.FormatJSONSchema:
		format = formatOf(r.Format)
	case neutral.FormatOther:
		format = r.Format.Raw
	}
	members := []neutral.Member{{Name: "format", Value: format}}
	if r.Verbosity != "" {
		members = append(members, neutral.Member{Name: "verbosity", Value: quoted(r.Verbosity)})
	}
	return objectOf(members)
}

func askedChoice(r *neutral.Request) json.RawMessage {
	if choice := choiceOf(r.ToolChoice); choice != nil {
		return choice
	}
	return json.RawMessage(`"auto"`)
}

func askedTools(r *neutral.Request) json.RawMessage {
	var list []byte
	for i := range r.Tools {
		if tool := &r.Tools[i]; tool.Raw != nil {
			list = appendNext(list, tool.Raw)
		} else {
			list = appendNext(list, dialect.AppendJSON(nil, toolOf(tool)))
		}
	}
	return append(append([]byte("["), list...), ']')
}

func askedTopLogProbs(r *neutral.Request) json.RawMessage {
	if r.TopLogProbs == nil {
		return json.RawMessage("0")
	}
	return orNull(r.TopLogProbs)
}
