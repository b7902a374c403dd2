package bedrock

import (
	"encoding/base64"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// mediaBlock is an image, sound, film or document that Converse can take.
type mediaBlock struct {
	// kind is the name of the block, and format the word for what it holds.
	kind, format string
	media        *neutral.Media
}

// formats are the words of Converse for what a block of a kind may hold.
func formats(kind string) []string {
	switch kind {
	case "image":
		return []string{"png", "jpeg", "gif", "webp"}
	case "audio":
		return []string{"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg", "mpga", "pcm", "webm"}
	case "video":
		return []string{"mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp"}
	default:
		return []string{"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}
	}
}

// otherWords are those words by the second halves of media types and the endings of names that differ from them.
var otherWords = [...][2]string{
	{"jpg", "jpeg"}, {"plain", "txt"}, {"text", "txt"}, {"markdown", "md"}, {"x-markdown", "md"}, {"htm", "html"}, {"xhtml+xml", "html"}, {"msword", "doc"},
	{"vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"}, {"vnd.ms-excel", "xls"},
	{"vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"}, {"x-wav", "wav"}, {"wave", "wav"}, {"vnd.wave", "wav"}, {"x-m4a", "m4a"},
	{"x-flac", "flac"}, {"quicktime", "mov"}, {"x-matroska", "mkv"}, {"x-flv", "flv"}, {"x-ms-wmv", "wmv"}, {"3gpp", "three_gp"}, {"3gp", "three_gp"},
}

// formatBy is the word for what the second half of a media type or the ending of a name says; empty when a block of the kind cannot hold it.
func formatBy(kind, word string) string {
	if kind == "audio" && (word == "mpeg" || word == "mpeg3") {
		return "mp3"
	}
	for _, other := range otherWords {
		if word == other[0] {
			word = other[1]
		}
	}
	if slices.Contains(formats(kind), word) {
		return word
	}
	return ""
}

// blockOf is the name of the block for a part, and of the part's member in errors.
func blockOf(part neutral.PartKind) (kind, field string) {
	switch part {
	case neutral.ImagePart:
		return "image", "image_url"
	case neutral.AudioPart:
		return "audio", "input_audio"
	case neutral.VideoPart:
		return "video", "video_url"
	default:
		return "document", "file"
	}
}

// media finds out how a part is written. The error is a *neutral.UnsupportedError.
func (w *writer) media(p *neutral.Part, at partPath) (mediaBlock, error) {
	kind, field := blockOf(p.Kind)
	m := p.Media
	switch {
	case m == nil:
		return mediaBlock{}, &neutral.UnsupportedError{Field: at.field(field), Reason: "it is empty"}
	case m.FileID != "":
		return mediaBlock{}, &neutral.UnsupportedError{Field: at.field(field), Reason: "AWS Bedrock has no files of its own; send the content"}
	case m.URL != "" && !strings.HasPrefix(m.URL, "s3://"):
		return mediaBlock{}, &neutral.UnsupportedError{Field: at.field(field), Reason: kind + "s by URL cannot be sent to AWS Bedrock; send them as base64, or as an s3:// location"}
	case m.Text != "" && kind != "document":
		return mediaBlock{}, &neutral.UnsupportedError{Field: at.field(field), Reason: "text is no " + kind}
	}
	format := formatOf(kind, m)
	if format == "" {
		return mediaBlock{}, &neutral.UnsupportedError{Field: at.field(field), Reason: "this type of " + kind + " is unknown to AWS Bedrock"}
	}
	return mediaBlock{kind: kind, format: format, media: m}, nil
}

// formatOf finds the format by the media type, the name, the address or the first bytes, whichever tells first.
func formatOf(kind string, m *neutral.Media) string {
	mime, _, _ := strings.Cut(strings.ToLower(m.MIME), ";")
	mime = strings.TrimSpace(mime)
	if format := formatByMIME(kind, mime); m.Text != "" {
		if format == "csv" || format == "html" || format == "md" {
			return format
		}
		return "txt" // A text out of a PDF is a text.
	} else if format != "" {
		return format
	}
	for _, name := range []string{m.Name, m.URL} {
		if format := formatBy(kind, strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))); format != "" {
			return format
		}
	}
	if mime == "" && m.Data != "" {
		return sniffed(kind, m.Data)
	}
	return ""
}

// formatByMIME finds the format by a media type, which is of the kind or of an application.
func formatByMIME(kind, mime string) string {
	major, minor, _ := strings.Cut(mime, "/")
	if major != kind && major != "application" && major != "text" {
		return ""
	}
	return formatBy(kind, minor)
}

// sniffBytes is how much of a content is looked at, in base64: a multiple of four.
const sniffBytes = 684

// sniffed finds the format by the content.
func sniffed(kind, data string) string {
	content, err := base64.StdEncoding.DecodeString(data[:min(len(data), sniffBytes)])
	if err != nil {
		return ""
	}
	mime, _, _ := strings.Cut(http.DetectContentType(content), ";")
	_, minor, _ := strings.Cut(mime, "/")
	return formatBy(kind, minor)
}

// mediaBlock writes a block.
func (w *writer) mediaBlock(b mediaBlock) {
	w.raw("{")
	w.member(b.kind)
	w.raw(`{"format":"` + b.format + `","source":{`)
	switch {
	case b.media.URL != "":
		w.raw(`"s3Location":{"uri":`)
		w.quoted(b.media.URL)
		w.raw("}")
	case b.media.Text != "":
		w.member("text")
		w.quoted(b.media.Text)
	default:
		w.member("bytes")
		w.quoted(b.media.Data)
	}
	w.raw("}")
	if b.kind == "document" {
		w.describe(b.media)
	}
	w.raw("}}")
}

// describe writes what only documents have.
func (w *writer) describe(m *neutral.Media) {
	w.member("name")
	w.quoted(w.documentName(m.Name))
	if m.Context != "" {
		w.member("context")
		w.quoted(m.Context)
	}
	if m.Citations {
		w.raw(`,"citations":{"enabled":true}`)
	}
}

// maxDocumentName bounds the name of a document, which Bedrock wants to have at most 200 characters.
const maxDocumentName = 180

// documentName is a name in the form that Bedrock demands, another one for each document of the request.
func (w *writer) documentName(name string) string {
	clean := cleanName(name)
	unique := clean
	for n := 2; w.documents[unique]; n++ {
		unique = clean + " (" + strconv.Itoa(n) + ")"
	}
	if w.documents == nil {
		w.documents = map[string]bool{}
	}
	w.documents[unique] = true
	return unique
}

// cleanName keeps what Bedrock allows in names: letters and digits of ASCII, hyphens, parentheses, square brackets and single blanks.
func cleanName(name string) string {
	clean := make([]byte, 0, min(len(name), maxDocumentName))
	for i := 0; i < len(name) && len(clean) < maxDocumentName; i++ {
		c := name[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-()[]", c) >= 0 {
			clean = append(clean, c)
			continue
		}
		if len(clean) > 0 && clean[len(clean)-1] != ' ' {
			clean = append(clean, ' ')
		}
	}
	if text := strings.TrimSpace(string(clean)); text != "" {
		return text
	}
	return "document"
}
