package openai

import (
	"encoding/base64"
	"encoding/binary"

	"iter"
	"net/http"
	"reflect"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// transcription answers POST audio/transcriptions.
func (x *exchange) transcription() error {
	f, refused := x.readForm("file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities", "stream", "include", "chunking_strategy")
	if refused != nil {
		return refused
	}
	return x.speak(f, "transcribe")
}

// translation answers POST audio/translations.
func (x *exchange) translation() error {
	f, refused := x.readForm("file", "model", "prompt", "response_format", "temperature")
	if refused != nil {
		return refused
	}
	return x.speak(f, "translate")
}

// speak answers with the text of a recording.
func (x *exchange) speak(f form, task string) error {
	files, refused := f.files("file")
	if refused != nil {
		return refused
	}
	format := f.value("response_format")
	newer := strings.HasPrefix(x.Model, "gpt-4o")
	refused = core.FirstBroken(
		core.Rule{Broken: core.NoneOf(format, "", "json", "text", "srt", "verbose_json", "vtt"), Refusal: invalid("response_format", "invalid_value", "Invalid value: '%s'. Supported values are: 'json', 'text', 'srt', 'verbose_json', and 'vtt'.", format)},
		core.Rule{Broken: newer && core.NoneOf(format, "", "json", "text"), Refusal: invalid("response_format", "unsupported_value", "response_format '%s' is not compatible with model '%s'. Use 'json' or 'text' instead.", format, x.Model)},
	)
	if refused != nil {
		return refused
	}
	var prompt core.Prompt
	prompt.Message(true)
	prompt.AddBytes("audio", files[0])
	g := x.Generate(core.Ask{Prompt: prompt})
	if f.value("stream") == "true" && x.Model != "whisper-1" {
		return x.Stream(core.EventStream(transcriptEvents(g)), &g.Usage)
	}
	text := g.Choices[0].Text()
	plain := map[string]string{
		"text": text + "\n", "srt": "1\n00:00:00,000 --> 00:00:01,000\n" + text + "\n\n", "vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n" + text + "\n\n",
	}
	if body, ok := plain[format]; ok {
		return x.PlainBytes("text/plain; charset=utf-8", []byte(body), g.Tokens(), &g.Usage)
	}
	seconds := float64(len(files[0])) / 32000 // as if it were 16 kHz in 16 bits
	if format == "verbose_json" {
		return x.Plain(verbose(task, text, seconds), g.Tokens(), &g.Usage)
	}
	usage := tokenUsage(g.Usage)
	if x.Model == "whisper-1" {
		usage = map[string]any{"type": "duration", "seconds": int(seconds) + 1}
	}
	return x.Plain(map[string]any{"text": text, "usage": usage}, g.Tokens(), &g.Usage)
}

// verbose is the text with its one segment.
func verbose(task, text string, seconds float64) map[string]any {
	return map[string]any{
		"task": task, "language": "english", "duration": seconds, "text": text,
		"segments": []any{map[string]any{
			"id": 0, "seek": 0, "start": 0, "end": seconds, "text": text, "tokens": []int{50364}, "temperature": 0, "avg_logprob": -0.25,
			"compression_ratio": 1, "no_speech_prob": 0.01,
		}},
		"usage": map[string]any{"type": "duration", "seconds": int(seconds) + 1},
	}
}

// tokenUsage is what a transcription costs by the token.
func tokenUsage(u core.Usage) map[string]any {
	return map[string]any{
		"type": "tokens", "input_tokens": u.PromptTokens, "output_tokens": u.CompletionTokens, "total_tokens": u.PromptTokens + u.CompletionTokens,
		"input_token_details": map[string]any{"text_tokens": 0, "audio_tokens": u.PromptTokens},
	}
}

// transcriptEvents are the events of a streamed transcription.
func transcriptEvents(g core.Generation) iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		for _, token := range g.Choices[0].Tokens {
			if !yield(core.Event{Data: core.Typed("transcript.text.delta", map[string]any{"delta": token}), Tokens: 1}) {
				return
			}
		}
		done := map[string]any{"text": g.Choices[0].Text(), "usage": tokenUsage(g.Usage)}
		yield(core.Event{Data: core.Typed("transcript.text.done", done), Usage: &g.Usage})
	}
}

// speechRequest is the body of POST audio/speech.
type speechRequest struct {
	Model          string   `json:"model"`
	Input          string   `json:"input"`
	Voice          string   `json:"voice"`
	Instructions   string   `json:"instructions"`
	ResponseFormat string   `json:"response_format"`
	Speed          *float64 `json:"speed"`
	StreamFormat   string   `json:"stream_format"`
}

func (r speechRequest) check() *core.Refusal {
	_, known := soundTypes()[r.ResponseFormat]
	return core.FirstBroken(
		core.Rule{Broken: r.Input == "", Refusal: invalid("input", "string_too_short", "Invalid 'input': string too short. Expected a string with minimum length 1, but got an empty string instead.")},
		core.Rule{Broken: len(r.Input) > 4096, Refusal: invalid("input", "string_above_max_length", "Invalid 'input': string too long. Expected a string with maximum length 4096.")},
		core.Rule{Broken: r.Voice == "", Refusal: invalid("voice", "missing_required_parameter", "Missing required parameter: 'voice'.")},
		core.Rule{Broken: !known, Refusal: invalid("response_format", "invalid_value", "Invalid value: '%s'. Supported values are: 'mp3', 'opus', 'aac', 'flac', 'wav', and 'pcm'.", r.ResponseFormat)},
		core.Rule{Broken: core.Outside(r.Speed, 0.25, 4), Refusal: invalid("speed", "decimal_out_of_range", "Invalid 'speed': expected a value between 0.25 and 4.")},
		core.Rule{Broken: core.NoneOf(r.StreamFormat, "", "audio", "sse"), Refusal: invalid("stream_format", "invalid_value", "Invalid value: '%s'. Supported values are: 'sse' and 'audio'.", r.StreamFormat)},
	)
}

// soundTypes are the media types of the formats.
func soundTypes() map[string]string {
	return map[string]string{
		"": "audio/mpeg", "mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav", "pcm": "audio/pcm",
	}
}

// speech answers POST audio/speech with bytes, or with events that carry them.
func (x *exchange) speech() error {
	var r speechRequest
	if refused := x.decode(fieldsOf(reflect.TypeFor[speechRequest]()), &r); refused != nil {
		return refused
	}
	if refused := x.checkModel(); refused != nil {
		return refused
	}
	if refused := r.check(); refused != nil {
		return refused
	}
	usage := x.UsageOf(core.CountTokens(r.Input), int64(x.Settings.CompletionTokens))
	pieces := sound(x.Model+r.Voice+r.Input, r.ResponseFormat, x.Settings.CompletionTokens)
	if r.StreamFormat == "sse" {
		return x.Stream(core.EventStream(speechEvents(pieces, &usage)), &usage)
	}
	raw := func(yield func(core.Event) bool) {
		for _, piece := range pieces {
			if !yield(core.Event{Data: piece, Tokens: 1}) {
				return
			}
		}
	}
	return x.Stream(core.Stream{ContentType: soundTypes()[r.ResponseFormat], Events: raw, Frame: func(e core.Event) []byte { return e.Data }}, &usage)
}

// sound is made up, in n pieces; the first one begins as files of the format do.
func sound(seed, format string, n int) [][]byte {
	beginnings := map[string]string{"": "ID3\x04\x00\x00\x00\x00\x00\x00", "mp3": "ID3\x04\x00\x00\x00\x00\x00\x00", "flac": "fLaC", "opus": "OggS", "aac": "\xff\xf1"}
	state := core.SeedOf(seed)
	out := make([][]byte, 0, n+1)
	if begin := beginnings[format]; begin != "" {
		out = append(out, []byte(begin))
	}
	if format == "wav" {
		out = append(out, waveHeader())
	}
	for range n {
		piece := make([]byte, 0, 1024)
		for len(piece) < 1024 {
			state = state*6364136223846793005 + 1442695040888963407
			piece = binary.LittleEndian.AppendUint64(piece, state)
		}
		out = append(out, piece)
	}
	return out
}

// waveHeader announces 24 kHz mono in 16 bits, of unknown length as streams are.
func waveHeader() []byte {
	out := []byte("RIFF\xff\xff\xff\xffWAVEfmt ")
	out = binary.LittleEndian.AppendUint32(out, 16)
	out = binary.LittleEndian.AppendUint16(out, 1)
	out = binary.LittleEndian.AppendUint16(out, 1)
	out = binary.LittleEndian.AppendUint32(out, 24000)
	out = binary.LittleEndian.AppendUint32(out, 48000)
	out = binary.LittleEndian.AppendUint16(out, 2)
	out = binary.LittleEndian.AppendUint16(out, 16)
	return append(out, "data\xff\xff\xff\xff"...)
}

// speechEvents carry the sound in base64.
func speechEvents(pieces [][]byte, usage *core.Usage) iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		for _, piece := range pieces {
			data := core.Typed("speech.audio.delta", map[string]any{"audio": base64.StdEncoding.EncodeToString(piece)})
			if !yield(core.Event{Data: data, Tokens: 1}) {
				return
			}
		}
		done := map[string]any{"usage": map[string]int64{
			"input_tokens": usage.PromptTokens, "output_tokens": usage.CompletionTokens, "total_tokens": usage.PromptTokens + usage.CompletionTokens,
		}}
		yield(core.Event{Data: core.Typed("speech.audio.done", done), Usage: usage})
	}
}

// mediaRoutes are the endpoints of sound, pictures and moderation.
func (f flavour) mediaRoutes(prefix string) []core.Route {
	var out []core.Route
	for endpoint, answer := range map[string]func(*exchange) error{
		"audio/transcriptions": (*exchange).transcription, "audio/translations": (*exchange).translation, "audio/speech": (*exchange).speech,
		"images/generations": (*exchange).image, "images/edits": (*exchange).imageEdit, "images/variations": (*exchange).imageVariation,
		"moderations": (*exchange).moderation,
	} {
		out = append(out, f.route(http.MethodPost, prefix+endpoint, endpoint, answer))
	}
	return out
}
