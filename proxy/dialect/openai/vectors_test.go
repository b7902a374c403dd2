package openai_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestReadEmbeddings(t *testing.T) {
	size := int64(256)
	for name, tc := range map[string]struct {
		members string
		want    neutral.EmbeddingRequest
	}{
		"a text":        {`"input":"x"`, neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "x"}}}},
		"texts":         {`"input":["x","é\n"],"encoding_format":"base64"`, neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "x"}, {Text: "é\n"}}, Base64: true}},
		"tokens":        {`"input":[1,2]`, neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Tokens: []int64{1, 2}}}}},
		"lists of them": {`"input":[[1],[]]`, neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Tokens: []int64{1}}, {Tokens: []int64{}}}}},
		"everything":    {`"input":"x","dimensions":256,"user":"u","input_type":"search_query","encoding_format":"float","dims":{},"provider":{},"models":["a"],"session_id":"s","route":"x","stream":false,"x":null`, neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "x"}}, Dimensions: &size, User: "u", InputType: "search_query", Extra: []neutral.Member{{Name: "dims", Value: json.RawMessage(`{}`)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.want.Model = "embed"
			got, err := openai.Vectors{}.ReadEmbeddings([]byte(` {"model":"embed",` + tc.members + "}"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadEmbeddingsRefuses(t *testing.T) {
	for members, param := range map[string]string{
		`"x":1`: "input", `"input":null`: "input", `"input":[]`: "input", `"input":5`: "input", `"input":{"secret":1}`: "input", `"input":[{"secret":1}]`: "input[0]", `"input":[1,"secret"]`: "input[1]",
		`"input":["x",[1.5]]`: "input[1][0]", `"input":"x","encoding_format":"secret"`: "encoding_format", `"input":"x","dimensions":"secret"`: "dimensions",
		`"input":[` + strings.Repeat(`"x",`, 2048) + `"x"]`: "input[2048]",
	} {
		_, err := openai.Vectors{}.ReadEmbeddings([]byte(`{"model":"embed",` + members + "}"))
		var problem *dialect.RequestError
		if !errors.As(err, &problem) || problem.Param != param || strings.Contains(problem.Message, "secret") {
			t.Errorf("%.60s: error %+v, want param %s", members, err, param)
		}
	}
}

func TestAppendEmbeddings(t *testing.T) {
	answer := &neutral.EmbeddingResponse{Model: "e-1", Vectors: [][]float32{{0.5, -1}, {1e-7, float32(math.Inf(1))}}, Usage: &meter.Usage{Prompt: 3}}
	for name, tc := range map[string]struct {
		request neutral.EmbeddingRequest
		call    dialect.Exchange
		want    string
	}{
		"float":      {neutral.EmbeddingRequest{}, dialect.Exchange{}, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]},{"object":"embedding","index":1,"embedding":[1e-07,0]}],"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3}}`},
		"base64":     {neutral.EmbeddingRequest{Base64: true}, exchange(dialect.OpenAIFlavor), `{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},{"object":"embedding","index":1,"embedding":"lb/WMwAAgH8="}],"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3,"cost":0.000003}}`},
		"OpenRouter": {neutral.EmbeddingRequest{Base64: true}, exchange(dialect.OpenRouterFlavor), `{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPwAAgL8="},{"object":"embedding","index":1,"embedding":"lb/WMwAAgH8="}],"model":"e-1","id":"gen-01","provider":"Mistral","usage":{"prompt_tokens":3,"total_tokens":3,"cost":0.000003}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff("kept "+tc.want, string(openai.Vectors{}.AppendEmbeddings([]byte("kept "), answer, &tc.request, tc.call))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
