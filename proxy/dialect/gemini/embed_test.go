package gemini_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestWriteEmbeddings(t *testing.T) {
	texts := []neutral.EmbeddingInput{{Text: "é \"a\""}, {Text: ""}}
	for name, tc := range map[string]struct {
		request        neutral.EmbeddingRequest
		model          string
		batch, predict string
		dropped        []string
	}{
		"least": {
			request: neutral.EmbeddingRequest{Inputs: texts[:1]}, model: "gemini-embedding-001",
			batch:   `{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"é \"a\""}]}}]}`,
			predict: `{"instances":[{"content":"é \"a\""}]}`,
		},
		"all": {
			request: neutral.EmbeddingRequest{Inputs: texts, Dimensions: ptr(int64(256)), Base64: true, InputType: "search_query", User: "u", Extra: []neutral.Member{{Name: "provider", Value: json.RawMessage(`{}`)}}},
			model:   "models/m",
			batch: `{"requests":[{"model":"models/m","content":{"parts":[{"text":"é \"a\""}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":256},` +
				`{"model":"models/m","content":{"parts":[{"text":""}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":256}]}`,
			predict: `{"instances":[{"content":"é \"a\"","task_type":"RETRIEVAL_QUERY"},{"content":"","task_type":"RETRIEVAL_QUERY"}],"parameters":{"outputDimensionality":256}}`,
			dropped: []string{"provider", "user"},
		},
		"document":       {request: neutral.EmbeddingRequest{Inputs: texts[1:], InputType: "search_document"}, model: "m", batch: `{"requests":[{"model":"models/m","content":{"parts":[{"text":""}]},"taskType":"RETRIEVAL_DOCUMENT"}]}`, predict: `{"instances":[{"content":"","task_type":"RETRIEVAL_DOCUMENT"}]}`},
		"classification": {request: neutral.EmbeddingRequest{Inputs: texts[1:], InputType: "classification"}, model: "m", batch: `{"requests":[{"model":"models/m","content":{"parts":[{"text":""}]},"taskType":"CLASSIFICATION"}]}`, predict: `{"instances":[{"content":"","task_type":"CLASSIFICATION"}]}`},
		"clustering":     {request: neutral.EmbeddingRequest{Inputs: texts[1:], InputType: "clustering"}, model: "m", batch: `{"requests":[{"model":"models/m","content":{"parts":[{"text":""}]},"taskType":"CLUSTERING"}]}`, predict: `{"instances":[{"content":"","task_type":"CLUSTERING"}]}`},
		"another use":    {request: neutral.EmbeddingRequest{Inputs: texts[1:], InputType: "image"}, model: "m", batch: `{"requests":[{"model":"models/m","content":{"parts":[{"text":""}]}}]}`, predict: `{"instances":[{"content":""}]}`, dropped: []string{"input_type"}},
	} {
		for api, upstream := range map[string]dialect.EmbeddingUpstream{tc.batch: gemini.BatchEmbed{}, tc.predict: gemini.VertexPredict{}} {
			t.Run(name, func(t *testing.T) {
				got, report, err := upstream.AppendEmbeddingRequest([]byte("x"), &tc.request, dialect.Target{Model: tc.model})
				if diff := cmp.Diff("x"+api, string(got)); diff != "" || err != nil {
					t.Errorf("request: %v (-want +got):\n%s", err, diff)
				}
				if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
					t.Errorf("dropped (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestEmbeddingsOfTokensAreRefused(t *testing.T) {
	request := &neutral.EmbeddingRequest{Inputs: []neutral.EmbeddingInput{{Text: "a"}, {Tokens: []int64{1}}}}
	for _, upstream := range []dialect.EmbeddingUpstream{gemini.BatchEmbed{}, gemini.VertexPredict{}} {
		_, _, err := upstream.AppendEmbeddingRequest(nil, request, dialect.Target{})
		var unsupported *neutral.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Field != "input" {
			t.Errorf("%T: %v", upstream, err)
		}
	}
}

func TestReadEmbeddings(t *testing.T) {
	for name, tc := range map[string]struct {
		upstream dialect.EmbeddingUpstream
		body     string
		want     neutral.EmbeddingResponse
	}{
		"batch":            {gemini.BatchEmbed{}, `{"embeddings":[{"values":[0.5,-1]},{"values":[2]}]}`, neutral.EmbeddingResponse{Vectors: [][]float32{{0.5, -1}, {2}}}},
		"batch with usage": {gemini.BatchEmbed{}, `{"embeddings":[{"values":[1]}],"usageMetadata":{"promptTokenCount":7}}`, neutral.EmbeddingResponse{Vectors: [][]float32{{1}}, Usage: &meter.Usage{Prompt: 7}}},
		"predict": {
			gemini.VertexPredict{},
			`{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"truncated":false,"token_count":4}}},{"embeddings":{"values":[1],"statistics":{"token_count":5.0}}}],"metadata":{"billableCharacterCount":1}}`,
			neutral.EmbeddingResponse{Vectors: [][]float32{{0.5}, {1}}, Usage: &meter.Usage{Prompt: 9}},
		},
		"predict without all counts": {
			gemini.VertexPredict{}, `{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":4}}},{"embeddings":{"values":[1]}}]}`,
			neutral.EmbeddingResponse{Vectors: [][]float32{{0.5}, {1}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.upstream.ReadEmbeddingResponse([]byte(tc.body))
			if diff := cmp.Diff(&tc.want, got); diff != "" || err != nil {
				t.Errorf("response: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestReadEmbeddingErrors(t *testing.T) {
	for _, upstream := range []dialect.EmbeddingUpstream{gemini.BatchEmbed{}, gemini.VertexPredict{}} {
		for _, body := range []string{``, `<html>`, `{}`, `[]`, `{"embeddings":[{}],"predictions":[{}]}`, `{"embeddings":[{"values":["x"]}],"predictions":[{"embeddings":{"values":[1e99]}}]}`} {
			got, err := upstream.ReadEmbeddingResponse([]byte(body))
			var problem *dialect.AnswerError
			if !errors.As(err, &problem) || got != nil {
				t.Errorf("%T: %s is read as %v, %v", upstream, body, got, err)
			}
		}
	}
}
