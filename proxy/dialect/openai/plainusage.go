package openai

import (
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// What is taken for the usage of what is not reported. The numbers tend to be too high: sound in forms is rarely below 32 kbit/s; a second of sound that is heard
// has about ten tokens, of sound that is made twenty, in which ten characters are spoken at least; an image of the best quality has about 4160 tokens, and
// images in a form have no more in the prompt than the largest ones of all that may be sent.
const (
	bytesPerMilli      = 4
	millisPerHeard     = 100
	millisPerMade      = 50
	millisPerCharacter = 100
	tokensPerImage     = 4160
	mostFormTokens     = 16 * 1024
)

// plainAnswer is an answer about images, sound or moderation, of which other things than tokens may be charged.
type plainAnswer struct {
	*passedAnswer
	api neutral.API
	// images is how many there are, millis how long the sound was that the answer is about, and words how many bytes the transcript has; 0 where the answer
	// does not tell.
	images, millis, words int64
}

// newPlainAnswer goes over an answer that was read once more.
func newPlainAnswer(read *passedAnswer, api neutral.API) *plainAnswer {
	a := &plainAnswer{passedAnswer: read, api: api}
	walk := jsonscan.WalkObject(a.body, read.read.start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		switch raw := a.body[member.Value:end]; string(member.Name(a.body)) {
		case "data":
			a.images = elementCount(raw)
		case "duration":
			a.millis, _ = secondsOf(raw)
		case "text":
			a.words = int64(len(raw))
		}
	}
	return a
}

// elementCount is how many elements a list has.
func elementCount(raw []byte) int64 {
	if raw[0] != '[' {
		return 0
	}
	count := int64(0)
	walk := jsonscan.WalkArray(raw, 0)
	for _, ok := walk.Next(); ok; _, ok = walk.Next() {
		count++
	}
	return count
}

// Reported is the usage that the provider reported. The length of the sound in a transcript is a report, too.
func (a *plainAnswer) Reported() (meter.Usage, bool) {
	u, told := a.passedAnswer.Reported()
	switch {
	case told:
		return completed(u, a.api, a.images), true
	case heard(a.api) && a.millis > 0:
		return meter.Usage{AudioMillis: a.millis}, true
	}
	return u, false
}

// Settle returns the usage to charge.
func (a *plainAnswer) Settle(promptBytes int64) meter.Usage {
	u, told := a.Reported()
	switch estimate := plainEstimate(a.api, promptBytes, a.words, a.images); {
	case !told:
		return estimate
	case u.Estimated:
		return u.AtLeast(estimate)
	}
	return u
}

// completed is a report with what the answer itself shows: all that is made of an image is image.
func completed(u meter.Usage, api neutral.API, images int64) meter.Usage {
	if !painted(api) {
		return u
	}
	u.Images = images
	if u.CompletionImage == 0 {
		u.CompletionImage = u.Completion
	}
	return u
}

// heard tells whether sound is what goes in, painted whether images come out.
func heard(api neutral.API) bool { return api == neutral.Transcriptions || api == neutral.Translations }

func painted(api neutral.API) bool {
	return api == neutral.ImageGenerations || api == neutral.ImageEdits || api == neutral.ImageVariations
}

// plainEstimate is the usage of a call whose provider reported none. words are the bytes of the text that came back.
func plainEstimate(api neutral.API, promptBytes, words, images int64) meter.Usage {
	u := meter.EstimateUsage(promptBytes, words, 0)
	switch {
	case heard(api):
		u.AudioMillis = max(1000, min(promptBytes/bytesPerMilli, meter.MaxTokens))
		u.Prompt = u.AudioMillis / millisPerHeard
		u.PromptAudio = u.Prompt
	case painted(api):
		u.Images = min(max(images, 1), meter.MaxTokens/tokensPerImage)
		u.Completion = u.Images * tokensPerImage
		u.CompletionImage = u.Completion
		if api != neutral.ImageGenerations {
			u.Prompt = min(u.Prompt, mostFormTokens)
		}
	}
	return u
}

// RawUsage is the usage of a call whose answer is no JSON: sound, or a transcript in text of so many bytes. body is the request, nil for a form, and promptBytes
// its size. The characters that were spoken are counted; all else is estimated.
func (p Plain) RawUsage(body []byte, promptBytes, words int64) meter.Usage {
	u := plainEstimate(p.API, promptBytes, words, 0)
	if p.API != neutral.Speech || len(body) == 0 {
		return u
	}
	u.Characters = spokenCharacters(body)
	u.SpeechMillis = min(u.Characters*millisPerCharacter, meter.MaxTokens)
	u.Completion = u.SpeechMillis / millisPerMade
	u.CompletionAudio = u.Completion
	return u
}

// spokenCharacters is the number of characters in the text that a request wants to be spoken. Of two texts the longer one counts.
func spokenCharacters(body []byte) int64 {
	spoken := 0
	_ = members(body[jsonscan.Space(body, 0):], func(name, value []byte) error {
		if string(name) == "input" {
			spoken = max(spoken, utf8.RuneCountInString(textOr(value)))
		}
		return nil
	})
	return int64(spoken)
}

var _ dialect.RawMeter = Plain{}
