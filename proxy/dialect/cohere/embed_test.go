package cohere_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/cohere"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestEmbedRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		request neutral.EmbeddingRequest
		to      dialect.Target
		want    string
		dropped []string
	}{
		"plain": {
			request: neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "a"}, {Text: "\"ü\""}}}, to: dialect.Target{Model: "embed-v4.0"},
			want: `{"model":"embed-v4.0","texts":["a","\"ü\""],"input_type":"search_document","embedding_types":["float"]}`,
		},
		"full": {
			request: neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "a"}}, Dimensions: ptr(int64(256)), Base64: true, InputType: "search_query", User: "u", Extra: []neutral.Member{{Name: "truncate", Value: json.RawMessage(`"END"`)}}},
			to:      dialect.Target{Model: "embed-v4.0"}, dropped: []string{"truncate", "user"},
			want: `{"model":"embed-v4.0","texts":["a"],"input_type":"search_query","embedding_types":["float"],"output_dimension":256}`,
		},
		"on another host": {
			request: neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "a"}}},
			to:      dialect.Target{Model: "cohere.embed-v4:0", ModelInPath: true, Set: []neutral.Member{{Name: "truncate", Value: json.RawMessage(`"END"`)}}},
			want:    `{"truncate":"END","texts":["a"],"input_type":"search_document","embedding_types":["float"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := cohere.Embed{}.AppendEmbeddingRequest([]byte("> "), &tc.request, tc.to)
			if err != nil || string(got) != "> "+tc.want {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEmbedRequestRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		inputs []neutral.EmbeddingInput
		want   string
	}{
		"tokens":         {[]neutral.EmbeddingInput{{Text: "a"}, {Tokens: []int64{}}}, "input[1]"},
		"too many texts": {make([]neutral.EmbeddingInput, 97), "input"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := cohere.Embed{}.AppendEmbeddingRequest([]byte("> "), &neutral.EmbeddingRequest{Inputs: tc.inputs}, dialect.Target{})
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.want || string(got) != "> " {
				t.Errorf("%s, error %v, want one about %s", got, err, tc.want)
			}
		})
	}
}

func TestEmbedResponse(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want *neutral.EmbeddingResponse
	}{
		"by type":        {`{"id":"1","embeddings":{"float":[[0.5,-1],[2,3]]},"texts":["a","b"],"response_type":"embeddings_by_type","meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":7}}}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{0.5, -1}, {2, 3}}, Usage: &meter.Usage{Prompt: 7}}},
		"floats":         {`{"id":"1","embeddings":[[0.5]],"response_type":"embeddings_floats"}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{0.5}}}},
		"with an image":  {`{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":1,"image_tokens":500,"images":1}}}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{1}}, Usage: &meter.Usage{Prompt: 501, PromptImage: 500}}},
		"odd usage":      {`{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":-1}}}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{1}}, Usage: &meter.Usage{Estimated: true}}},
		"no usage there": {`{"embeddings":{"float":[[1]]},"meta":{"warnings":["x"]}}`, &neutral.EmbeddingResponse{Vectors: [][]float32{{1}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cohere.Embed{}.ReadEmbeddingResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
		})
	}
	for _, body := range []string{"", "{", "{}", `{"embeddings":null}`, `{"embeddings":7}`, `{"embeddings":[]}`, `{"embeddings":{"int8":[[1]]}}`, `{"embeddings":["x"]}`, `{"embeddings":{"float":"x"}}`, `{"message":"x"}`} {
		got, err := cohere.Embed{}.ReadEmbeddingResponse([]byte(body))
		var unreadable *dialect.AnswerError
		if got != nil || !errors.As(err, &unreadable) {
			t.Errorf("%s reads as %v, %v", body, got, err)
		}
	}
}

func FuzzEmbedResponse(f *testing.F) {
	f.Add([]byte(`{"embeddings":{"float":[[0.5,-1]]},"meta":{"billed_units":{"input_tokens":7}}}`))
	f.Add([]byte(`{"embeddings":[[1e9]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if read, err := (cohere.Embed{}).ReadEmbeddingResponse(body); err == nil && len(read.Vectors) == 0 {
			t.Errorf("%q gives no vectors", body)
		}
	})
}
