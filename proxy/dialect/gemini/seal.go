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

// signatureOf is what sealed thoughts are as one "thoughtSignature". Gemini's own seal stays as it is. All else is marked, each with whether it is a signature
// or a cipher and with the thought's id, and wrapped in base64, which the field has to hold. Without thoughts it is empty.
func signatureOf(thoughts ...*neutral.Thought) string {
	switch {
	case len(thoughts) == 0:
		return ""
	case len(thoughts) == 1 && thoughts[0].Origin == neutral.OriginGemini:
		return thoughts[0].Signature + thoughts[0].Encrypted
	}
	marked := make([]string, len(thoughts))
	for i, t := range thoughts {
		kind, seal := "s", t.Signature
		if t.Encrypted != "" {
			kind, seal = "e", t.Encrypted
		}
		marked[i] = neutral.TagSeal(t.Origin, kind+":"+t.ID+":"+seal)
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.Join(marked, "\n")))
}

// foreign tells whether a "thoughtSignature" of a client holds seals of other origins.
func foreign(signature string) bool { return strings.HasPrefix(signature, sealMark) }

// openSignature are the thoughts that a "thoughtSignature" with seals of other origins stands for; text is what the part says of the last one. SDKs write
// base64 in both alphabets, with and without padding.
func openSignature(signature, text string) []neutral.Part {
	unpadded := strings.TrimRight(signature, "=")
	marked, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(unpadded))
	mark := neutral.TagSeal("", "")
	mark = mark[:len(mark)-1]
	rest, ok := strings.CutPrefix(string(marked), mark)
	if err != nil || !ok {
		return []neutral.Part{unknownSeal(signature, text)}
	}
	seals := strings.Split(rest, "\n"+mark)
	parts := make([]neutral.Part, len(seals))
	for i, seal := range seals {
		if i < len(seals)-1 {
			parts[i] = openSeal(mark+seal, "")
			continue
		}
		parts[i] = openSeal(mark+seal, text)
	}
	return parts
}

// unknownSeal is a thought whose seal nobody can read.
func unknownSeal(seal, text string) neutral.Part {
	return neutral.Part{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{Text: text, Signature: seal, Origin: neutral.OriginUnknown}}
}

// openSeal is the thought of one marked seal.
func openSeal(marked, text string) neutral.Part {
	origin, rest := neutral.OpenSeal(neutral.OriginUnknown, marked)
	kind, rest, _ := strings.Cut(rest, ":")
	id, seal, ok := strings.Cut(rest, ":")
	thought := &neutral.Thought{ID: id, Origin: origin}
	switch {
	case !ok || seal == "":
		return unknownSeal(marked, text)
	case kind == "s":
		thought.Text, thought.Signature = text, seal
	case kind == "e":
		thought.Encrypted = seal
		if text != "" {
			thought.Summary = []string{text}
		}
	default:
		return unknownSeal(marked, text)
	}
	return neutral.Part{Kind: neutral.ReasoningPart, Thought: thought}
}
