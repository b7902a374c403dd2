package anthropic

import (
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// encryptedMark begins what stands in a block for thinking in encrypted form that has an id, or a readable text beside it: the mark, the id, the mark
// again and the encrypted thinking. Anthropic's own blocks have no such pair. The mark is no letter of base64, in which seals are written.
const encryptedMark = "#"

// packSeal is the seal of a thought as it stands in "signature", or in "data" of a block without text.
func packSeal(t *neutral.Thought) string {
	seal := t.Signature
	if t.Encrypted != "" {
		seal = t.Encrypted
		if t.Origin != origin && (t.ID != "" || t.Text != "" || len(t.Summary) > 0) {
			seal = encryptedMark + t.ID + encryptedMark + t.Encrypted
		}
	}
	if seal == "" || t.Origin == origin {
		return seal
	}
	return neutral.TagSeal(t.Origin, seal)
}

// unpackSignature reads the signature of a block with text into the thought.
func unpackSignature(t *neutral.Thought, signature string) {
	if signature == "" {
		return
	}
	t.Origin, t.Signature = neutral.OpenSeal(origin, signature)
	if id, encrypted, ok := splitEncrypted(t.Origin, t.Signature); ok {
		t.ID, t.Encrypted, t.Signature = id, encrypted, ""
	}
}

// unpackData reads the data of a block without text into the thought.
func unpackData(t *neutral.Thought, data string) {
	t.Origin, t.Encrypted = neutral.OpenSeal(origin, data)
	if id, encrypted, ok := splitEncrypted(t.Origin, t.Encrypted); ok {
		t.ID, t.Encrypted = id, encrypted
	}
}

func splitEncrypted(from neutral.Origin, seal string) (id, encrypted string, ok bool) {
	rest, marked := strings.CutPrefix(seal, encryptedMark)
	if !marked || from == origin {
		return "", "", false
	}
	return strings.Cut(rest, encryptedMark)
}
