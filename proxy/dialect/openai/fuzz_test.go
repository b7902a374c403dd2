package openai_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// fuzzTargets are providers with as many quirks as possible.
func fuzzTargets() []dialect.Target {
	return []dialect.Target{
		{Model: "google/gemini", Provider: "OpenRouter"},
		{Model: "gpt", Provider: "OpenAI", Origin: neutral.OriginGemini, Set: []neutral.Member{{Name: "set", Value: json.RawMessage("1")}}},
		{Model: "m", Provider: "Mistral", ModelInPath: true, Quirks: dialect.Quirks{
			NoStreamUsage: true, Refused: []string{"seed", "user"}, MaxTokens: "max_tokens", NoDeveloper: true, RefusedInMessages: []string{"name", "reasoning"},
			TextOnly: []neutral.Role{neutral.System, neutral.ToolRole}, ReasoningMember: "reasoning_content", ReasoningRequest: "thinking", NoJSONSchema: true, RequiredToolAny: true, ToolIDs: "mistral9",
		}},
		{Model: "m", Provider: "Groq", StreamInPath: true, Quirks: dialect.Quirks{
			Accepted: []string{"model", "messages", "stream", "temperature", "tools", "tool_choice"}, MaxTokens: "max_completion_tokens", ReasoningRequest: "none",
			NoImageURLs: true, NoFiles: true, NoAudio: true, OneChoice: true, NoLogProbs: true,
		}},
	}
}

// fuzzRequests are requests with everything in them.
var fuzzRequests = []string{
	fullRequest,
	`{"model":"m","messages":[{"role":"system","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]},{"role":"tool","tool_call_id":"c","content":[]}],"reasoning":{"effort":"high"},"thinking":{"type":"enabled"}}`,
	`{"model":"m","functions":[{"name":"f"}],"function_call":{"name":"f"},"messages":[{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"1"}]}`,
	`{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"schema":{}}},"max_tokens":1,"max_completion_tokens":2,"stream_options":null,"stream":true}`,
	`{"model":"m","messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted","data":"x","format":"google-gemini-v1","id":"c"},1],"tool_calls":[{"id":"c","function":{"name":"f"},"extra_content":{"google":{"thought_signature":"s"}}}]}]}`,
	`{"model":"m","tools":[{"type":"openrouter:web_search"}],"messages":[{"role":"user","content":[{"type":"image_url","image_url":"https://x/y.png"},"text"]}]}`,
}

// FuzzPassed checks that what passes to any provider is JSON with the same messages at least, and that an error tells nothing of them.
func FuzzPassed(f *testing.F) {
	for _, body := range append(bodies, fuzzRequests...) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		head, err := openai.Chat{}.ReadHead(body)
		if err != nil {
			return
		}
		for _, to := range fuzzTargets() {
			got, _, err := openai.Chat{}.AppendPassed(nil, body, head, to)
			var unsupported *neutral.UnsupportedError
			if err != nil && !errors.As(err, &unsupported) {
				t.Fatalf("%q: %v", body, err)
			}
			if err == nil && !json.Valid(got) {
				t.Fatalf("%q passes to %s as %q", body, to.Provider, got)
			}
		}
	})
}

// FuzzReadRequest checks that every request that is read can be written for its own API without losing anything, and for all others as JSON or not at all.
func FuzzReadRequest(f *testing.F) {
	for _, body := range append(bodies, fuzzRequests...) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		head, err := openai.Chat{}.ReadHead(body)
		if err != nil {
			return
		}
		request, err := openai.Chat{}.ReadRequest(body, head)
		if err != nil {
			var problem *dialect.RequestError
			if !errors.As(err, &problem) || problem.Param == "" {
				t.Fatalf("%q: error %#v", body, err)
			}
			return
		}
		for _, to := range fuzzTargets() {
			for _, source := range []neutral.API{neutral.ChatCompletions, neutral.Messages} {
				request.Source = source
				got, _, err := openai.Chat{}.AppendRequest([]byte("kept "), request, to)
				if err == nil && !json.Valid(got[len("kept "):]) {
					t.Fatalf("%q is written for %s as %q", body, to.Provider, got)
				}
			}
		}
	})
}

// FuzzReadResponse checks that an answer that is read can be written by all surfaces.
func FuzzReadResponse(f *testing.F) {
	for _, body := range []string{fullAnswer, `{"choices":[{}]}`, `{"choices":[1,{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"x"}]}]}}]}`, `{"error":"x"}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		response, err := openai.Chat{}.ReadResponse(body)
		if err != nil {
			var problem *dialect.AnswerError
			if !errors.As(err, &problem) {
				t.Fatalf("%q: error %#v", body, err)
			}
			return
		}
		for flavor := range 3 {
			for _, surface := range []dialect.GenerationSurface{openai.Chat{}, openai.Text{}} {
				if got := surface.AppendResponse([]byte("kept "), response, exchange(dialect.Flavor(flavor))); !json.Valid(got[len("kept "):]) {
					t.Fatalf("%q is written as %q", body, got)
				}
			}
		}
	})
}

// FuzzStreamReader checks the grammar of what is read of a stream, and that every surface writes events of JSON from it.
func FuzzStreamReader(f *testing.F) {
	for _, stream := range []string{role + hello + finish + usage + done, fullStream, "data: {\"error\":{}}\n\nevent: error\ndata: {}\n\n"} {
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		events, _, err := readStream(strings.NewReader(stream))
		if err != nil {
			var problem *dialect.StreamError
			if !errors.As(err, &problem) {
				return // The frame is too large, or so.
			}
		}
		checkGrammar(t, events)
		for flavor := range 3 {
			for _, surface := range []dialect.GenerationSurface{openai.Chat{}, openai.Text{}} {
				checkChunks(t, writeStream(surface, events, exchange(dialect.Flavor(flavor))))
			}
		}
	})
}

// FuzzPassedFlavors checks that what is added to a stream leaves events of JSON.
func FuzzPassedFlavors(f *testing.F) {
	for _, stream := range []string{role + hello + finish + usage + done, fullStream, finish + finish + hello + usage, `data: {"usage":null,"choices":[{"delta":{"role":""},"finish_reason":"stop"}]}` + "\n\n"} {
		for flavor := range 3 {
			f.Add(stream, flavor)
		}
	}
	f.Fuzz(func(t *testing.T, stream string, flavor int) {
		got, err := filterAll(stream, exchange(dialect.Flavor(flavor)))
		rest, _ := got.filter.End()
		if err == nil {
			checkChunks(t, got.output+string(rest))
		}
	})
}

// FuzzReadEmbeddings checks that no input makes the reader fail in another way than with an error for the client.
func FuzzReadEmbeddings(f *testing.F) {
	for _, body := range []string{`{"model":"m","input":"x"}`, `{"input":[1,2]}`, `{"input":[[1],"x"]}`, `{"input":[{}],"encoding_format":"base64","dimensions":1.0}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := (openai.Vectors{}).ReadHead(body); err != nil {
			return
		}
		request, err := openai.Vectors{}.ReadEmbeddings(body)
		var problem *dialect.RequestError
		if err != nil && !errors.As(err, &problem) || err == nil && len(request.Inputs) == 0 {
			t.Fatalf("%q: %+v, %#v", body, request, err)
		}
	})
}

// sameRequest compares two requests that should say the same.
func sameRequest(want, got *neutral.Request) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// checkChunks checks that a stream consists of JSON objects, [DONE] and comments.
func checkChunks(t *testing.T, stream string) {
	t.Helper()
	reader := sse.NewReader(strings.NewReader(stream), 0)
	for {
		e, err := reader.Next()
		if err != nil {
			return
		}
		data := strings.TrimSpace(string(e.Data))
		if data == "" || data == "[DONE]" || json.Valid(e.Data) {
			continue
		}
		t.Fatalf("the client gets %q", e.Raw)
	}
}
