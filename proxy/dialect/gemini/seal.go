package gemini

import (
	"encoding/base64"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// skipValidator is the signature that Google documents for calls whose own signature is not there, for example because another model made them. Models
// from Gemini 3 on refuse a call without any.
const skipValidator = "skip_thought_signature_validator"

// sealMark is how every seal of another origin begins on the wire: base64 of the mark that neutral.TagSeal makes, as far as it does not depend on the origin.
const sealMark = "c2IxO"

// signatureOf is a sealed thought of another origin as a "thoughtSignature". The field holds base64, so the tagged seal is wrapped in it. Before the seal
// stands whether it is a signature or a cipher, and the thought's id.
func signatureOf(t *neutral.Thought) string {
	kind, seal := "s", t.Signature
	if t.Encrypted != "" {
		kind, seal = "e", t.Encrypted
	}
	return base64.StdEncoding.EncodeToString([]byte(neutral.TagSeal(t.Origin, kind+":"+t.ID+":"+seal)))
}

// foreign tells whether a "thoughtSignature" of a client holds the seal of another origin.
func foreign(signature string) bool { return strings.HasPrefix(signature, sealMark) }

// openSignature is the thought that a "thoughtSignature" with a seal of another origin stands for; text is the part's text. SDKs write base64 in both
// alphabets, with and without padding.
func openSignature(signature, text string) *neutral.Thought {
	unpadded := strings.TrimRight(signature, "=")
	tagged, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(unpadded))
	if err != nil {
		return &neutral.Thought{Text: text, Signature: signature, Origin: neutral.OriginUnknown}
	}
	origin, rest := neutral.OpenSeal(neutral.OriginUnknown, string(tagged))
	kind, rest, _ := strings.Cut(rest, ":")
	id, seal, whole := strings.Cut(rest, ":")
	switch {
	case !whole || seal == "":
		return &neutral.Thought{Text: text, Signature: signature, Origin: neutral.OriginUnknown}
	case kind == "s":
		return &neutral.Thought{ID: id, Text: text, Signature: seal, Origin: origin}
	case kind == "e" && text != "":
		return &neutral.Thought{ID: id, Summary: []string{text}, Encrypted: seal, Origin: origin}
	case kind == "e":
		return &neutral.Thought{ID: id, Encrypted: seal, Origin: origin}
	}
	return &neutral.Thought{Text: text, Signature: signature, Origin: neutral.OriginUnknown}
}
