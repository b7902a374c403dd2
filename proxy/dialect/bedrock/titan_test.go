package bedrock_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/bedrock"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// embeds is a request for the vectors of texts.
func embeds(texts ...string) *neutral.EmbeddingRequest {
	r := &neutral.EmbeddingRequest{Model: "vectors"}
	for _, text := range texts {
		r.Inputs = append(r.Inputs, neutral.EmbeddingInput{Text: text})
	}
	return r
}

func TestTitanRequest(t *testing.T) {
	full := embeds("Grüße \"x\"")
	full.Dimensions, full.Base64, full.InputType, full.User = ptr(int64(256)), true, "search_query", "u"
	full.Extra = []neutral.Member{{Name: "truncate", Value: json.RawMessage(`"END"`)}}
	for name, tc := range map[string]struct {
		request *neutral.EmbeddingRequest
		to      dialect.Target
		want    string
		dropped []string
	}{
		"plain": {request: embeds("a"), want: `{"inputText":"a"}`},
		"full":  {request: full, want: `{"inputText":"Grüße \"x\"","dimensions":256}`, dropped: []string{"input_type", "truncate", "user"}},
		"host":  {request: embeds(""), to: dialect.Target{Set: []neutral.Member{{Name: "normalize", Value: json.RawMessage("true")}}}, want: `{"inputText":"","normalize":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := bedrock.TitanEmbed{}.AppendEmbeddingRequest([]byte("> "), tc.request, tc.to)
			if err != nil || string(got) != "> "+tc.want {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTitanRequestRefuses(t *testing.T) {
	sized := embeds("a")
	sized.Dimensions = ptr(int64(256))
	for name, tc := range map[string]struct {
		request *neutral.EmbeddingRequest
		want    string
	}{
		"two texts":                 {embeds("a", "b"), "input"},
		"nothing":                   {embeds(), "input"},
		"tokens":                    {&neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Tokens: []int64{1}}}}, "input"},
		"a size of the first model": {sized, "dimensions"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := bedrock.TitanEmbed{}.AppendEmbeddingRequest(nil, tc.request, dialect.Target{Model: "amazon.titan-embed-text-v1"})
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.want {
				t.Errorf("error %v, want one about %s", err, tc.want)
			}
		})
	}
}

func TestTitanResponse(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want *neutral.EmbeddingResponse
	}{
		"vector":         {`{"embedding":[0.5,-1,2e-3],"inputTextTokenCount":7}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{0.5, -1, 0.002}}, Usage: &meter.Usage{Prompt: 7}}},
		"vector by type": {`{"embeddingsByType":{"float":[1]},"inputTextTokenCount":1}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{1}}, Usage: &meter.Usage{Prompt: 1}}},
		"no usage":       {`{"embedding":[1]}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{1}}}},
		"odd usage":      {`{"embedding":[1],"inputTextTokenCount":-1}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{1}}, Usage: &meter.Usage{Estimated: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bedrock.TitanEmbed{}.ReadEmbeddingResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
	for _, body := range []string{"", "{", "{}", `{"embedding":"x"}`, `{"embedding":[1e99]}`, `{"message":"x"}`} {
		got, err := bedrock.TitanEmbed{}.ReadEmbeddingResponse([]byte(body))
		var unreadable *dialect.AnswerError
		if got != nil || !errors.As(err, &unreadable) {
			t.Errorf("%s reads as %v, %v", body, got, err)
		}
	}
}

func FuzzTitanResponse(f *testing.F) {
	f.Add([]byte(`{"embedding":[0.5],"inputTextTokenCount":7,"embeddingsByType":{"float":[1]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if read, err := (bedrock.TitanEmbed{}).ReadEmbeddingResponse(body); err == nil && (len(read.Vectors) != 1 || len(read.Vectors[0]) == 0) {
			t.Errorf("%q gives %v", body, read.Vectors)
		}
	})
}
