package responses

import (
	"encoding/base64"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// signedPrefix begins the seal of a thought whose text is readable and signed: clients send "encrypted_content" back as it is, but not always the text.
const signedPrefix = "signed:"

// sealOf is what "encrypted_content" holds of a thought; empty for one that is not sealed. provider is the origin of a thought that does not tell its own.
func sealOf(t *neutral.Thought, provider neutral.Origin) string {
	origin := placed(t.Origin, provider)
	switch {
	case t.Encrypted != "":
		return neutral.TagSeal(origin, t.Encrypted)
	case t.Signature != "":
		return neutral.TagSeal(origin, signedPrefix+base64.StdEncoding.EncodeToString([]byte(t.Text))+":"+t.Signature)
	}
	return ""
}

// placed is the first origin that is known: a seal that nobody can place goes to no provider.
func placed(origins ...neutral.Origin) neutral.Origin {
	for _, origin := range origins {
		if origin != neutral.NoOrigin {
			return origin
		}
	}
	return neutral.OriginUnknown
}

// signs tells whether models of an origin sign the text of their thoughts, rather than to encrypt it.
func signs(origin neutral.Origin) bool {
	return origin == neutral.OriginAnthropic || origin == neutral.OriginGemini
}

// openSeal puts what "encrypted_content" holds into the thought. native is the origin of a seal without a mark.
func openSeal(t *neutral.Thought, content string, native neutral.Origin) {
	if content == "" {
		return
	}
	origin, seal := neutral.OpenSeal(native, content)
	t.Origin = origin
	rest, signed := strings.CutPrefix(seal, signedPrefix)
	if !signed {
		t.Encrypted = seal
		return
	}
	encoded, signature, _ := strings.Cut(rest, ":")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || signature == "" { // It was not made here, or was changed: nobody can read it.
		t.Origin, t.Encrypted = neutral.OriginUnknown, seal
		return
	}
	t.Text, t.Signature = string(text), signature
}
