package core

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

// Prompt collects what a request says, the same for one conversation in all dialects: texts as they stand, media by a hash of their bytes.
type Prompt struct {
	text         []byte
	messages     int64
	lastFromUser bool
	cached       string
}

// Message begins a message. One with the results of tools is not the user's.
func (p *Prompt) Message(fromUser bool) {
	p.messages++
	p.lastFromUser = fromUser
}

// Add appends text to the message.
func (p *Prompt) Add(text string) { p.text = append(p.text, text...) }

// AddBytes appends a medium.
func (p *Prompt) AddBytes(mediaType string, data []byte) {
	p.text = fmt.Appendf(p.text, "[%s %x]", mediaType, sha256.Sum256(data))
}

// AddURL appends a medium that is only named.
func (p *Prompt) AddURL(url string) { p.text = append(p.text, "["+url+"]"...) }

// MarkCached notes that everything so far is to be cached.
func (p *Prompt) MarkCached() { p.cached = string(p.text) }

// Text is all of it in one string.
func (p *Prompt) Text() string { return string(p.text) }

// Tokens is the price of the prompt: one token per four bytes, three per message and three for the answer.
func (p *Prompt) Tokens() int64 { return CountTokens(string(p.text)) + 3*p.messages + 3 }

// LastFromUser tells whether the last message is the user's own.
func (p *Prompt) LastFromUser() bool { return p.lastFromUser }

// Image decodes a base64 image and tells whether its bytes are what its type says.
func Image(mediaType, encoded string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("decoding image: %w", err)
	}
	return data, CheckImage(mediaType, data)
}

// CheckImage wants the bytes of an image to be of the type that they are said to be.
func CheckImage(mediaType string, data []byte) error {
	if found := http.DetectContentType(data); found != mediaType {
		return fmt.Errorf("image specified as %s, but its bytes are %s", mediaType, found)
	}
	return nil
}

// DataURL splits a data URL into media type and base64 data.
func DataURL(url string) (mediaType, encoded string, ok bool) {
	rest, found := strings.CutPrefix(url, "data:")
	if !found {
		return "", "", false
	}
	mediaType, encoded, found = strings.Cut(rest, ";base64,")
	return mediaType, encoded, found
}
