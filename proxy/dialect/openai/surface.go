package openai

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Chat is the API ChatCompletions, as clients speak it and as providers do.
type Chat struct{}

// Text is the older API Completions.
type Text struct{}

// Vectors is the API Embeddings.
type Vectors struct{}

// Plain is an API whose bodies pass as they are, but for the model's name: Moderations, ImageGenerations or Speech.
type Plain struct {
	// API that this is.
	API neutral.API
}

// The interfaces that the server finds these APIs by.
var (
	_ dialect.Annotator          = Chat{}
	_ dialect.Annotator          = Text{}
	_ dialect.Demander           = Chat{}
	_ dialect.Demander           = Text{}
	_ dialect.Demander           = Vectors{}
	_ dialect.Demander           = Plain{}
	_ dialect.Inspector          = Chat{}
	_ dialect.Inspector          = Text{}
	_ dialect.Inspector          = Vectors{}
	_ dialect.Passer             = Chat{}
	_ dialect.GenerationSurface  = Chat{}
	_ dialect.GenerationUpstream = Chat{}
	_ dialect.Passer             = Text{}
	_ dialect.GenerationSurface  = Text{}
	_ dialect.Passer             = Vectors{}
	_ dialect.EmbeddingSurface   = Vectors{}
	_ dialect.Surface            = Plain{}
	_ dialect.Passer             = Plain{}
)

// ReadHead reads the head of a request.
func (Chat) ReadHead(body []byte) (dialect.Head, error) {
	return readHead(body, neutral.ChatCompletions)
}

// ReadHead reads the head of a request.
func (Text) ReadHead(body []byte) (dialect.Head, error) { return readHead(body, neutral.Completions) }

// ReadHead reads the head of a request. One that asks for a stream is refused.
func (Vectors) ReadHead(body []byte) (dialect.Head, error) {
	return readHead(body, neutral.Embeddings)
}

// ReadHead reads the head of a request. A moderation without a model gets the default one.
func (p Plain) ReadHead(body []byte) (dialect.Head, error) { return readHead(body, p.API) }

// AppendError appends the body of an error to dst.
func (Chat) AppendError(dst []byte, e dialect.ErrorReply) []byte { return appendError(dst, e) }

// AppendError appends the body of an error to dst.
func (Text) AppendError(dst []byte, e dialect.ErrorReply) []byte { return appendError(dst, e) }

// AppendError appends the body of an error to dst.
func (Vectors) AppendError(dst []byte, e dialect.ErrorReply) []byte { return appendError(dst, e) }

// AppendError appends the body of an error to dst.
func (Plain) AppendError(dst []byte, e dialect.ErrorReply) []byte { return appendError(dst, e) }

// AppendErrorEvent appends the event to dst that ends a stream after its first token. No [DONE] follows it.
func (Chat) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	return appendErrorEvent(dst, e, "chat.completion.chunk", `[{"index":0,"delta":{"content":""},"finish_reason":"error"}]`)
}

// AppendErrorEvent appends the event to dst that ends a stream after its first token. No [DONE] follows it.
func (Text) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	return appendErrorEvent(dst, e, "text_completion", `[{"index":0,"text":"","finish_reason":"error"}]`)
}

// AppendErrorEvent is never asked for, for there are no streams of vectors; it appends what Chat would.
func (Vectors) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	return Chat{}.AppendErrorEvent(dst, e)
}

// AppendErrorEvent appends the event to dst that ends a stream of sound or of pictures.
func (Plain) AppendErrorEvent(dst []byte, e dialect.ErrorReply) []byte {
	e.Flavor = dialect.OpenAIFlavor
	return appendErrorEvent(dst, e, "", "")
}
