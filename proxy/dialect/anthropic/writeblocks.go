package anthropic

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// maxIDBytes is the longest id of a call that all hosts of the API take.
const maxIDBytes = 64

// writeTurn writes a message.
func (w *requestWriter) writeTurn(t *turn) error {
	w.dst = jsonscan.AppendQuoted(append(w.dst, `{"role":`...), string(t.role))
	w.dst = append(w.dst, `,"content":`...)
	if t.plain && len(t.blocks) == 1 {
		w.dst = jsonscan.AppendQuoted(w.dst, t.blocks[0].part.Text)
	} else if err := w.writeBlocks(t.blocks); err != nil {
		return err
	}
	if len(t.extra) > 0 {
		w.dst = appendMembers(append(w.dst, ','), t.extra)
	}
	w.dst = append(w.dst, '}')
	return nil
}

// trim takes the blanks off the end of the text that the model is to go on with: the API refuses them there.
func (t *turn) trim() {
	last := &t.blocks[len(t.blocks)-1]
	if last.part.Kind == neutral.TextPart {
		shorter := *last.part
		shorter.Text = strings.TrimRight(shorter.Text, " \t\r\n")
		last.part = &shorter
	}
}

func (w *requestWriter) writeBlocks(blocks []placed) error {
	w.dst = append(w.dst, '[')
	for i, p := range blocks {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		if err := w.writeBlock(p, p.field()); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

// writeBlock writes a part. field is its name for errors.
func (w *requestWriter) writeBlock(p placed, field string) error {
	part := p.part
	switch part.Kind {
	case neutral.TextPart, neutral.RefusalPart:
		w.writeText(part)
	case neutral.ImagePart:
		return w.writeImage(part, field)
	case neutral.FilePart:
		return w.writeDocument(part, field)
	case neutral.AudioPart:
		return unsupported(field+".input_audio", "sound cannot be sent")
	case neutral.VideoPart:
		return unsupported(field, "films cannot be sent")
	case neutral.ToolCallPart:
		w.dst = appendCallHead(w.dst, part.Call)
		w.dst = appendInput(append(w.dst, `,"input":`...), part.Call.Arguments)
		w.closeBlock(part)
	case neutral.ToolResultPart:
		return w.writeResult(p, field)
	case neutral.ReasoningPart:
		w.writeThought(part)
	case neutral.OpaquePart:
		if part.Source != neutral.Messages {
			return unsupported(field, "parts of this type are understood by their own provider only")
		}
		w.dst = append(w.dst, part.Raw...)
	}
	return nil
}

// closeBlock writes what all blocks may have, and ends the block.
func (w *requestWriter) closeBlock(part *neutral.Part) {
	if part.Cache != nil {
		w.dst = appendCache(append(w.dst, `,"cache_control":`...), part.Cache)
	}
	if w.native() && len(part.Extra) > 0 {
		w.dst = appendMembers(append(w.dst, ','), part.Extra)
	}
	w.dst = append(w.dst, '}')
}

// writeText writes a text. Citations of other providers are left out: the API takes none but its own.
func (w *requestWriter) writeText(part *neutral.Part) {
	w.dst = appendString(append(w.dst, `{"type":"text"`...), "text", part.Text)
	own := slices.DeleteFunc(slices.Clone(part.Citations), func(c neutral.Citation) bool { return c.Source != neutral.Messages })
	w.dst = appendCitations(w.dst, own)
	w.closeBlock(part)
}

// writeThought writes a thought that the target has sealed itself: without the mark that it would have for clients of another provider.
func (w *requestWriter) writeThought(part *neutral.Part) {
	t := part.Thought
	if t.Encrypted != "" {
		w.dst = appendString(append(w.dst, `{"type":"redacted_thinking"`...), "data", t.Encrypted)
	} else {
		w.dst = appendString(append(w.dst, `{"type":"thinking"`...), "thinking", t.Text)
		w.dst = appendString(w.dst, "signature", t.Signature)
	}
	w.closeBlock(part)
}

// writeResult writes what a called function returned.
func (w *requestWriter) writeResult(p placed, field string) error {
	result := p.part.Result
	w.dst = jsonscan.AppendQuoted(append(w.dst, `{"type":"tool_result","tool_use_id":`...), callID(result.CallID))
	var parts []placed
	for i := range result.Parts {
		if w.sendable(&result.Parts[i]) {
			parts = append(parts, placed{&result.Parts[i], p.message, p.index})
		}
	}
	switch {
	case len(parts) == 0: // The API refuses an empty text, but not a result without any.
	case result.PlainText && len(parts) == 1 && parts[0].part.Kind == neutral.TextPart && parts[0].part.Cache == nil:
		w.dst = appendString(w.dst, "content", parts[0].part.Text)
	default:
		w.dst = append(w.dst, `,"content":[`...)
		for i, part := range parts {
			if i > 0 {
				w.dst = append(w.dst, ',')
			}
			if err := w.writeBlock(part, field); err != nil {
				return err
			}
		}
		w.dst = append(w.dst, ']')
	}
	if result.Failed {
		w.dst = append(w.dst, `,"is_error":true`...)
	}
	w.closeBlock(p.part)
	return nil
}

// callID is the id of a call in the letters that the API takes; the same for the same id.
func callID(id string) string {
	valid := id != "" && len(id) <= maxIDBytes && !strings.ContainsFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-'
	})
	if valid {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "call_" + hex.EncodeToString(sum[:12])
}
