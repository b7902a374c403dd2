package openai_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestPlainDemand(t *testing.T) {
	const most = dialect.Unlimited
	painted := func(images, tokens int64) dialect.Demand {
		return dialect.Demand{Rounds: 1, Demand: meter.Demand{Images: images, Completion: tokens, CompletionImage: true}}
	}
	for name, tc := range map[string]struct {
		api  neutral.API
		body string
		n    int64
		want dialect.Demand
	}{
		"an image":                  {api: neutral.ImageGenerations, body: `{"prompt":"a"}`, want: painted(1, 6240)},
		"small images":              {api: neutral.ImageGenerations, body: `{"prompt":"a","size":"1024x1024","quality":"low"}`, n: 3, want: painted(3, 3*272)},
		"a portrait":                {api: neutral.ImageGenerations, body: `{"prompt":"a","size":"1024x1536","quality":"medium"}`, want: painted(1, 1584)},
		"partial images":            {api: neutral.ImageGenerations, body: `{"prompt":"a","size":"1024x1024","quality":"high","partial_images":2}`, want: painted(1, 4160+200)},
		"the larger of two sizes":   {api: neutral.ImageGenerations, body: `{"prompt":"a","size":"1024x1024","quality":"low","quality":"high"}`, want: painted(1, 4160)},
		"a size that is not known":  {api: neutral.ImageGenerations, body: `{"prompt":"a","size":"9000x9000"}`, want: painted(1, most)},
		"more images than possible": {api: neutral.ImageGenerations, body: `{"prompt":"a"}`, n: most, want: painted(most, most)},
		"speech": {api: neutral.Speech, body: `{"input":"Grüß Gott","voice":"x"}`, want: dialect.Demand{Rounds: 1, Demand: meter.Demand{
			Characters: 9, CompletionAudio: true, Completion: most, SpeechMillis: most,
		}}},
		"the longer of two speeches": {api: neutral.Speech, body: `{"input":"abc","input":"a"}`, want: dialect.Demand{Rounds: 1, Demand: meter.Demand{
			Characters: 3, CompletionAudio: true, Completion: most, SpeechMillis: most,
		}}},
		"a transcript": {api: neutral.Transcriptions, want: dialect.Demand{Rounds: 1, Choices: 1, Media: true, Demand: meter.Demand{AudioMillis: most, PromptAudio: true}}},
		"an edit": {api: neutral.ImageEdits, want: dialect.Demand{Rounds: 16, Media: true, Demand: meter.Demand{
			Images: 10, Completion: most, PromptImage: true, CompletionImage: true,
		}}},
		"a moderation": {api: neutral.Moderations, body: `{"input":["a","b"]}`, want: dialect.Demand{Rounds: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			got := openai.Plain{API: tc.api}.Demand([]byte(tc.body), dialect.Head{N: tc.n})
			if got.Prompt < int64(len(tc.body)) {
				t.Errorf("the prompt has up to %d tokens, of %d bytes", got.Prompt, len(tc.body))
			}
			got.Prompt = 0
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("demand (-want +got):\n%s", diff)
			}
		})
	}
}
