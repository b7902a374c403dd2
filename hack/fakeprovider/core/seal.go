package core

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Sealer is whose models can read a sealed thought.
type Sealer string

// Values of Sealer. Claude's and Gemini's seals hold on every platform that serves them.
const (
	SealClaude Sealer = "claude"
	SealGemini Sealer = "gemini"
	SealOpenAI Sealer = "openai"
	SealAzure  Sealer = "azure"
)

// Sign is the signature of a thought.
func Sign(by Sealer, thought string) string {
	return base64.StdEncoding.EncodeToString(by.mac(thought))
}

// Verify tells whether the signature is the sealer's own of this thought.
func Verify(by Sealer, thought, signature string) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && hmac.Equal(given, by.mac(thought))
}

// Seal packs a thought so that only the sealer opens it again. It is readable, for these thoughts are made up.
func Seal(by Sealer, thought string) string {
	return base64.StdEncoding.EncodeToString(append(by.mac(thought), thought...))
}

// Unseal opens what Seal packed.
func Unseal(by Sealer, sealed string) (thought string, ok bool) {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return "", false
	}
	return Open(by, data)
}

// Open does the same with the bytes themselves, for those who take them in several encodings.
func Open(by Sealer, data []byte) (thought string, ok bool) {
	if len(data) < sha256.Size {
		return "", false
	}
	thought = strings.Clone(string(data[sha256.Size:]))
	return thought, hmac.Equal(data[:sha256.Size], by.mac(thought))
}

func (s Sealer) mac(thought string) []byte {
	mac := hmac.New(sha256.New, []byte("fakeprovider "+string(s)))
	mac.Write([]byte(thought)) // a hash never returns an error
	return mac.Sum(nil)
}
