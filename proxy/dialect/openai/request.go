package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// ReadRequest reads a whole request.
func (Chat) ReadRequest(body []byte, h dialect.Head) (*neutral.Request, error) {
	r := &requestReader{request: newRequest(h, neutral.ChatCompletions)}
	if err := members(body[jsonscan.Space(body, 0):], r.read); err != nil {
		return nil, refusal(err)
	}
	if !r.seen || len(r.request.Messages) == 0 {
		return nil, &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: "messages", Message: "the request has no \"messages\""}
	}
	return r.finish(), nil
}

func newRequest(h dialect.Head, source neutral.API) *neutral.Request {
	return &neutral.Request{Model: h.Model, Stream: h.Stream, IncludeUsage: h.IncludeUsage, N: h.N, Source: source}
}

// requestReader collects a request member by member.
type requestReader struct {
	request *neutral.Request
	// seen tells that there are messages.
	seen bool
	// oldLimit is max_tokens, the older name.
	oldLimit *int64
	thinking neutral.Reasoning
	thinks   bool
}

// read takes in one member that is not null.
func (r *requestReader) read(name, value []byte) error {
	if done, err := r.readConversation(string(name), value); done {
		return err
	}
	if done, err := r.readSampling(string(name), value); done {
		return err
	}
	if done, err := r.readOptions(string(name), value); done {
		return err
	}
	r.request.Extra = append(r.request.Extra, neutral.Member{Name: string(name), Value: slices.Clone(value)})
	return nil
}

// readConversation takes in messages, tools and what the answer must look like.
func (r *requestReader) readConversation(name string, value []byte) (bool, error) {
	q := r.request
	var err error
	switch name {
	case "model", "stream", "models", "preset", "provider", "route", "session_id":
		// The head has them, and what they ask for happens here.
	case "n":
		err = checkChoices(value)
	case "messages":
		r.seen = true
		q.Messages, err = readMessages(value)
	case "tools":
		err = inside(readTools(q, value), "tools")
	case "functions":
		q.LegacyFunctions = true
		err = inside(readFunctions(q, value), "functions")
	case "tool_choice", "function_call":
		q.ToolChoice, err = readToolChoice(value)
		err = inside(err, "%s", name)
	case "parallel_tool_calls":
		q.ParallelToolCalls, err = readFlag(value, name)
	case "response_format":
		q.Format, err = readFormat(value)
		err = inside(err, "%s", name)
	case "modalities":
		q.Modalities, err = readTexts(value, name)
	case "reasoning", "reasoning_effort", "include_reasoning", "thinking":
		r.thinks = true
		err = readThinking(&r.thinking, name, value)
	case "reasoning_format":
		return r.readReasoningFormat(value), nil
	default:
		return false, nil
	}
	return true, err
}

// checkChoices checks the number of choices, which the head has.
func checkChoices(value []byte) error {
	n, err := readInteger(value, "n")
	if err == nil && *n < 1 {
		return wrongValue("n", "must be at least 1")
	}
	return err
}

// readReasoningFormat takes in how Groq shows the thinking. "raw" has no place here.
func (r *requestReader) readReasoningFormat(value []byte) bool {
	switch textOr(value) {
	case "hidden":
		r.thinks, r.thinking.Exclude = true, true
		return true
	case "parsed":
		return true
	}
	return false
}

// readSampling takes in the parameters of sampling.
func (r *requestReader) readSampling(name string, value []byte) (bool, error) {
	q := r.request
	var err error
	if number := numberField(q, name); number != nil {
		*number, err = readNumber(value, name)
		return true, err
	}
	switch name {
	case "max_tokens":
		r.oldLimit, err = readInteger(value, name)
	case "max_completion_tokens":
		q.MaxTokens, err = readInteger(value, name)
	case "stop":
		q.Stop, err = readTexts(value, name)
	case "logit_bias":
		q.LogitBias = slices.Clone(value)
	case "logprobs":
		var on *bool
		if on, err = readFlag(value, name); on != nil {
			q.LogProbs = *on
		}
	case "top_logprobs":
		q.TopLogProbs, err = readInteger(value, name)
	default:
		return false, nil
	}
	return true, err
}

// numberField is where a number goes that is kept as it is written; nil when the parameter is none.
func numberField(q *neutral.Request, name string) *neutral.Number {
	switch name {
	case "temperature":
		return &q.Temperature
	case "top_p":
		return &q.TopP
	case "top_k":
		return &q.TopK
	case "min_p":
		return &q.MinP
	case "top_a":
		return &q.TopA
	case "seed":
		return &q.Seed
	case "frequency_penalty":
		return &q.FrequencyPenalty
	case "presence_penalty":
		return &q.PresencePenalty
	case "repetition_penalty":
		return &q.RepetitionPenalty
	}
	return nil
}

// readOptions takes in what is about the call rather than about the answer.
func (r *requestReader) readOptions(name string, value []byte) (bool, error) {
	q := r.request
	var err error
	switch name {
	case "verbosity":
		q.Verbosity, err = readText(value, name)
	case "user":
		q.User, err = readText(value, name)
	case "metadata":
		err = dialect.Decode(value, name, &q.Metadata)
	case "service_tier":
		q.ServiceTier, err = readText(value, name)
	case "prompt_cache_key":
		q.PromptCacheKey, err = readText(value, name)
	case "cache_control":
		q.Cache = readCacheMark(value)
	case "stream_options", "usage":
		// What they ask for is in the request's head, or happens anyway.
	default:
		return false, nil
	}
	return true, err
}

// finish decides what only the whole request shows.
func (r *requestReader) finish() *neutral.Request {
	q := r.request
	if q.MaxTokens == nil {
		q.MaxTokens = r.oldLimit
	}
	if r.thinks {
		q.Reasoning = &r.thinking
	}
	nameResults(q.Messages)
	return q
}

// nameResults tells results the names of the functions that were called.
func nameResults(messages []neutral.Message) {
	names := map[string]string{}
	for _, m := range messages {
		for _, part := range m.Parts {
			switch {
			case part.Call != nil:
				names[part.Call.ID] = part.Call.Name
			case part.Result != nil && part.Result.Name == "":
				part.Result.Name = names[part.Result.CallID]
			}
		}
	}
}

// readCacheMark reads cache_control; what it may be beside "ephemeral" is not known.
func readCacheMark(raw []byte) *neutral.CacheMark {
	var mark neutral.CacheMark
	if members(raw, func(name, value []byte) error {
		if string(name) == "ttl" {
			mark.TTL = textOr(value)
		}
		return nil
	}) != nil {
		return nil
	}
	return &mark
}

// readFormat reads response_format.
func readFormat(raw []byte) (neutral.Format, error) {
	var f neutral.Format
	kind, schema := "", []byte(nil)
	err := members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "type":
			kind, err = readText(value, "type")
		case "json_schema":
			schema = value
		}
		return err
	})
	switch {
	case err != nil:
		return f, err
	case kind == "text":
	case kind == "json_object":
		f.Kind = neutral.FormatJSONObject
	case kind == "json_schema" && schema != nil:
		f.Kind = neutral.FormatJSONSchema
		err = inside(readSchema(&f, schema), "json_schema")
	case kind == "json_schema":
		err = wrongValue("json_schema", "is missing")
	default:
		f.Kind, f.Raw = neutral.FormatOther, slices.Clone(raw)
	}
	return f, err
}

func readSchema(f *neutral.Format, raw []byte) error {
	return members(raw, func(name, value []byte) error {
		var err error
		switch string(name) {
		case "name":
			f.Name, err = readText(value, "name")
		case "description":
			f.Description, err = readText(value, "description")
		case "schema":
			f.Schema = slices.Clone(value)
			err = wantObject(value, "schema")
		case "strict":
			f.Strict, err = readFlag(value, "strict")
		}
		return err
	})
}

func wantObject(raw []byte, name string) error {
	if raw[0] != '{' {
		return wrongType(name, "an object")
	}
	return nil
}
