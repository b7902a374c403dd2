package gemini_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// seeds adds the files under testdata that match.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no files match %s: %v", pattern, err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
}

// FuzzRequest checks that what is taken for a request passes and crosses as JSON.
func FuzzRequest(f *testing.F) {
	seeds(f, "request/*.json")
	f.Add([]byte(`{"contents":{"role":"model","parts":{"function_call":{"name":"f","partial_args":[{"json_path":"$.a[0]['b']","string_value":"x"}]},"thought_signature":"c2IxOmE6czo6Yg"}},"system_instruction":"x"}`))
	f.Add([]byte(`{"contents":[{"parts":[{"functionResponse":{"response":{"error":{}}}},{"text":"","thought":true,"thoughtSignature":"c2IxOg=="}]}],"tools":{"function_declarations":{"name":"f","parameters":{"type":"OBJECT","nullable":true,"any_of":[{}],"enum":[1]}}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		api := gemini.Generate{}
		head, err := api.ReadHead(body)
		if err != nil {
			return
		}
		for _, model := range []string{"gemini-2.5-flash", "gemini-3-pro-preview"} {
			passed, _, err := api.AppendPassed(nil, body, head, googleAI(model))
			if err != nil || !json.Valid(passed) {
				t.Fatalf("passed is %s, %v", passed, err)
			}
		}
		request, err := api.ReadRequest(body, head)
		if err != nil {
			var problem *dialect.RequestError
			if !errors.As(err, &problem) {
				t.Fatalf("ReadRequest: %v", err)
			}
			return
		}
		for _, source := range []neutral.API{neutral.GenerateContent, neutral.ChatCompletions} {
			request.Source = source
			written, _, err := api.AppendRequest(nil, request, googleAI("gemini-3-pro-preview"))
			var unsupported *neutral.UnsupportedError
			if err != nil && !errors.As(err, &unsupported) {
				t.Fatalf("AppendRequest: %v", err)
			}
			if err == nil && !json.Valid(written) {
				t.Fatalf("written is %s", written)
			}
		}
	})
}

// FuzzResponse checks that what is taken for an answer is written as JSON.
func FuzzResponse(f *testing.F) {
	seeds(f, "response/*")
	seeds(f, "written/response.json")
	f.Add([]byte(`{"error":{"code":429,"status":"A"}}`))
	f.Add([]byte(`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := gemini.Generate{}.ReadResponse(body)
		if err != nil {
			return
		}
		written := gemini.Generate{}.AppendResponse(nil, answer, dialect.Exchange{Model: "m"})
		if !json.Valid(written) || !utf8.Valid(written) {
			t.Fatalf("written is %s", written)
		}
		if _, err := (gemini.Generate{}).ReadResponse(written); err != nil && len(answer.Choices) > 0 {
			t.Fatalf("reading %s: %v", written, err)
		}
	})
}

// FuzzStream checks that a stream means the same however its bytes arrive, that its events keep their order, and that what is written of them is a stream.
func FuzzStream(f *testing.F) {
	seeds(f, "stream/*.sse")
	f.Fuzz(func(t *testing.T, stream []byte) {
		if len(stream) > 1<<16 {
			return
		}
		all, whole, err := events(bytes.NewReader(stream))
		split, splitWhole, splitErr := events(iotest.OneByteReader(bytes.NewReader(stream)))
		if hideIDs(described(all)) != hideIDs(described(split)) || whole != splitWhole || (err == nil) != (splitErr == nil) {
			t.Fatalf("whole %v, %v:\n%s\nbyte by byte %v, %v:\n%s", whole, err, described(all), splitWhole, splitErr, described(split))
		}
		if problem := grammar(all); err == nil && len(all) > 0 && problem != "" {
			t.Fatalf("%s in\n%s", problem, described(all))
		}
		if err == nil && whole {
			checkWritten(t, all)
		}
	})
}

// checkWritten checks that the events of a whole stream are written as one, in both forms.
func checkWritten(t *testing.T, all []neutral.Event) {
	t.Helper()
	if array := written(all, dialect.Exchange{Array: true}); !json.Valid(array) {
		t.Fatalf("the array is %s", array)
	}
	if _, whole, err := events(bytes.NewReader(written(all, dialect.Exchange{}))); err != nil || !whole {
		t.Fatalf("reading what was written: whole %v, %v", whole, err)
	}
}

// hideIDs takes the ids away that are made anew each time.
func hideIDs(text string) string { return strings.ReplaceAll(text, "(made)", "") }

// FuzzEmbedding checks that an answer with vectors is read whole or refused.
func FuzzEmbedding(f *testing.F) {
	f.Add([]byte(`{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":7}}`))
	f.Add([]byte(`{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":4}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, upstream := range []dialect.EmbeddingUpstream{gemini.BatchEmbed{}, gemini.VertexPredict{}} {
			answer, err := upstream.ReadEmbeddingResponse(body)
			if (err == nil) != (answer != nil) || err == nil && len(answer.Vectors) == 0 {
				t.Fatalf("%T: %v, %v", upstream, answer, err)
			}
			if end, scanErr := jsonscan.Value(body, jsonscan.Space(body, 0)); err == nil && (scanErr != nil || jsonscan.Space(body, end) != len(body)) {
				t.Fatalf("%T reads what is no JSON", upstream)
			}
		}
	})
}
