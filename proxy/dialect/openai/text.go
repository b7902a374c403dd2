package openai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// ReadRequest reads a whole request. Its prompt becomes the one message of a user; prompts of tokens, lists of prompts and what only completions have is
// refused, if the client asks for it.
func (Text) ReadRequest(body []byte, h dialect.Head) (*neutral.Request, error) {
	r := &requestReader{request: newRequest(h, neutral.Completions)}
	err := members(body[jsonscan.Space(body, 0):], func(name, value []byte) error {
		if done, err := r.readPrompt(string(name), value); done {
			return err
		}
		if string(name) == "messages" {
			return wrongValue("messages", "belongs to chat completions")
		}
		return r.read(name, value)
	})
	if err != nil {
		return nil, refusal(err)
	}
	if !r.seen {
		return nil, &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: "prompt", Message: "the request has no \"prompt\""}
	}
	return r.finish(), nil
}

// readPrompt takes in what only completions have.
func (r *requestReader) readPrompt(name string, value []byte) (bool, error) {
	switch name {
	case "prompt":
		texts, err := readTexts(value, name)
		if err != nil || len(texts) != 1 {
			return true, onlyHere(name, "only one prompt of text can be sent to this model")
		}
		r.seen = true
		r.request.Messages = []neutral.Message{{Role: neutral.User, PlainText: true, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: texts[0]}}}}
		return true, nil
	case "suffix", "echo", "best_of", "logprobs":
		if asksForNothing(name, value) {
			return true, nil
		}
		return true, onlyHere(name, "this model only has chat completions, which do not know it or answer it in another form")
	}
	return false, nil
}

func onlyHere(name, problem string) error {
	return &fieldError{code: dialect.CodeUnsupportedParameter, path: name, problem: "is not supported: " + problem}
}

// answerText is the text of a choice.
func answerText(parts []neutral.Part) string {
	text := ""
	for i := range parts {
		if parts[i].Kind == neutral.TextPart || parts[i].Kind == neutral.RefusalPart {
			text += parts[i].Text
		}
	}
	return text
}

// completionID is the id of an answer that is written here.
func completionID(o *dialect.Exchange) string {
	if o.Flavor == dialect.OpenRouterFlavor {
		return answerID(o)
	}
	return "cmpl-" + o.ID
}

func appendCompletionHead(dst []byte, model string, o *dialect.Exchange) []byte {
	dst = appendText(append(dst, '{'), "id", completionID(o))
	dst = appendText(dst, "object", "text_completion")
	dst = appendInteger(dst, "created", o.Created)
	dst = appendText(dst, "model", model)
	if o.Flavor == dialect.OpenRouterFlavor {
		dst = appendText(dst, "provider", o.Provider)
	}
	return dst
}

// AppendResponse appends the answer. What is no text has no place in it.
func (Text) AppendResponse(dst []byte, r *neutral.Response, o dialect.Exchange) []byte {
	dst = appendCompletionHead(dst, answerModel(r.Model, &o), &o)
	dst = append(appendKey(dst, "choices"), '[')
	for i := range r.Choices {
		c := &r.Choices[i]
		dst = appendText(append(appendComma(dst), '{'), "text", answerText(c.Parts))
		dst = appendInteger(dst, "index", int64(i))
		dst = append(dst, `,"logprobs":null`...)
		dst = append(appendCompletionFinish(dst, c.Finish, c.Native, &o), '}')
	}
	dst = append(dst, ']')
	if r.Usage != nil {
		dst = appendUsage(appendKey(dst, "usage"), *r.Usage, &o)
	}
	return append(appendAnswerTail(dst, r, &o), '}')
}

func appendCompletionFinish(dst []byte, finish neutral.Finish, native string, o *dialect.Exchange) []byte {
	word := ending{finish: finish}.word()
	dst = appendText(dst, "finish_reason", word)
	if o.Flavor == dialect.OpenRouterFlavor {
		dst = appendText(dst, "native_finish_reason", first(native, word))
	}
	return dst
}

// NewStreamWriter writes one stream.
func (Text) NewStreamWriter(o dialect.Exchange) dialect.StreamWriter { return &textWriter{o: o} }

// textWriter writes chunks of text.
type textWriter struct {
	o      dialect.Exchange
	prefix []byte
	// kinds are the kinds of the choices' open parts.
	kinds    []neutral.PartKind
	usage    meter.Usage
	reported bool
}

// Write appends what the client gets for an event.
func (w *textWriter) Write(dst []byte, e *neutral.Event) []byte {
	if w.prefix == nil {
		w.prefix = appendCompletionHead([]byte("data: "), answerModel(e.Model, &w.o), &w.o)
	}
	switch e.Kind {
	case neutral.EventPartStart:
		if e.Choice >= len(w.kinds) {
			w.kinds = append(w.kinds, make([]neutral.PartKind, e.Choice+1-len(w.kinds))...)
		}
		w.kinds[e.Choice] = e.Part.Kind
		return w.text(dst, e.Choice, e.Part.Text)
	case neutral.EventPartDelta:
		return w.text(dst, e.Choice, e.Delta.Text)
	case neutral.EventFinish:
		dst = append(appendInteger(w.open(dst), "index", int64(e.Choice)), `,"text":"","logprobs":null`...)
		return append(appendCompletionFinish(dst, e.Finish, e.Native, &w.o), "}]}\n\n"...)
	case neutral.EventUsage:
		w.usage, w.reported = e.Usage, true
	case neutral.EventEnd:
		return w.end(dst)
	case neutral.EventStart, neutral.EventPartStop, neutral.EventPing, neutral.EventFailure:
	}
	return dst
}

func (w *textWriter) open(dst []byte) []byte {
	return append(append(dst, w.prefix...), `,"choices":[{`...)
}

// text writes a piece of the answer's text.
func (w *textWriter) text(dst []byte, choice int, text string) []byte {
	if text == "" || choice >= len(w.kinds) || !slices.Contains([]neutral.PartKind{neutral.TextPart, neutral.RefusalPart}, w.kinds[choice]) {
		return dst
	}
	dst = appendText(appendInteger(w.open(dst), "index", int64(choice)), "text", text)
	return append(dst, `,"logprobs":null,"finish_reason":null}]}`+"\n\n"...)
}

func (w *textWriter) end(dst []byte) []byte {
	if w.reported && (w.o.IncludeUsage || w.o.Flavor == dialect.OpenRouterFlavor) {
		dst = append(append(dst, w.prefix...), `,"choices":[]`...)
		dst = append(appendUsage(appendKey(dst, "usage"), w.usage, &w.o), "}\n\n"...)
	}
	return append(dst, "data: [DONE]\n\n"...)
}
