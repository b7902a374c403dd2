package openai

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Demand is the most that a request can use.
func (Chat) Demand(body []byte, h dialect.Head) dialect.Demand {
	return dialect.GenerationDemand(body, h)
}

// Demand is the most that a request can use.
func (Text) Demand(body []byte, h dialect.Head) dialect.Demand {
	return dialect.GenerationDemand(body, h)
}

// Demand is the most that a request can use.
func (Vectors) Demand(body []byte, _ dialect.Head) dialect.Demand {
	return dialect.EmbeddingDemand(body, "input")
}

// Demand is the most that a request can use. A form cannot be read, so that body is nil: what it asks for is known by the API's own bounds only.
func (p Plain) Demand(body []byte, h dialect.Head) dialect.Demand {
	d := dialect.Demand{Rounds: 1}
	switch p.API {
	case neutral.Moderations:
		return dialect.EmbeddingDemand(body, "input")
	case neutral.ImageGenerations:
		return imageDemand(body, h)
	case neutral.ImageEdits, neutral.ImageVariations:
		d.Images, d.Completion = maxImages, dialect.Unlimited
		d.Media, d.PromptImage, d.CompletionImage = true, true, true
		d.Rounds = maxEdited
	case neutral.Speech:
		return speechDemand(body)
	case neutral.Transcriptions, neutral.Translations:
		d.AudioMillis, d.Media, d.PromptAudio, d.Choices = dialect.Unlimited, true, true, 1
	default: // No other API is plain.
	}
	return d
}

// What the API allows at most: images that are made, and images that are edited together.
const (
	maxImages = 10
	maxEdited = 16
)

// imageDemand is that of a number of images. Each of the images that a stream may show before they are done costs a hundred tokens.
func imageDemand(body []byte, h dialect.Head) dialect.Demand {
	const partialTokens = 100
	d := dialect.Demand{Rounds: 1}
	d.Prompt, d.Images, d.CompletionImage = dialect.MostTokens(body), min(max(h.N, 1), dialect.Unlimited), true
	each, partial := int64(0), int64(0)
	var sizes, qualities []string
	_ = members(body[jsonscan.Space(body, 0):], func(name, value []byte) error {
		switch string(name) {
		case "size":
			sizes = append(sizes, textOr(value))
		case "quality":
			qualities = append(qualities, textOr(value))
		case "n":
			if value[0] != 'n' && !dialect.IsCount(value) {
				d.Unbounded = "the number of images (n) is no whole number"
			}
		case "partial_images":
			partial = min(dialect.ReadCount(value), dialect.Unlimited/partialTokens)
		case "image", "images", "input_image", "reference_images":
			d.Media, d.PromptImage = true, true
		}
		return nil
	})
	for _, size := range orNone(sizes) {
		for _, quality := range orNone(qualities) {
			each = max(each, imageTokens(size, quality))
		}
	}
	each = min(each+partial*partialTokens, dialect.Unlimited)
	d.Completion = dialect.Unlimited
	if d.Images <= dialect.Unlimited/each {
		d.Completion = d.Images * each
	}
	return d
}

// orNone are the values of a parameter, of which providers take the first or the last one.
func orNone(given []string) []string {
	if len(given) == 0 {
		return []string{""}
	}
	return given
}

// imageTokens is the most tokens that an image of gpt-image has, by OpenAI's table of sizes and qualities; without either the largest of it. A size that
// is not in the table has no limit.
func imageTokens(size, quality string) int64 {
	shape := 2
	switch size {
	case "1024x1024":
		shape = 0
	case "1024x1536":
		shape = 1
	case "1536x1024", "", "auto":
	default:
		return dialect.Unlimited
	}
	switch quality {
	case "low":
		return [...]int64{272, 408, 408}[shape]
	case "medium":
		return [...]int64{1056, 1584, 1584}[shape]
	}
	return [...]int64{4160, 6240, 6240}[shape]
}

// speechDemand is that of a text that is spoken. Nothing limits how long that takes, which some charge.
func speechDemand(body []byte) dialect.Demand {
	d := dialect.Demand{Rounds: 1}
	d.Prompt, d.CompletionAudio, d.Characters = dialect.MostTokens(body), true, spokenCharacters(body)
	d.Completion, d.SpeechMillis = dialect.Unlimited, dialect.Unlimited
	return d
}
