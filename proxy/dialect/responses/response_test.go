package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/responses"
	"signalbox.dev/signalbox/proxy/meter"
)

// splitLines are the data of a stream's events.
func splitLines(stream []byte) [][]byte {
	var data [][]byte
	for line := range bytes.Lines(stream) {
		if rest, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			data = append(data, rest)
		}
	}
	return data
}

func TestReadResponse(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want neutral.Response
	}{
		"text": {
			`{"id":"r","model":"m","created_at":1790000000.5,"status":"completed","service_tier":"default","error":null,"incomplete_details":null,"output":[{"type":"message","content":[
				{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"u","title":"t","start_index":1,"end_index":2}],"logprobs":[{"token":"a"}]},{"type":"refusal","refusal":"no"},{"type":"new"}]}],
				"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}}`,
			neutral.Response{ID: "r", Model: "m", Created: 1790000000, ServiceTier: "default", Usage: &meter.Usage{Prompt: 9, Cached: 4, CacheWrite: 1, Completion: 5, Reasoning: 2}, Choices: []neutral.Choice{{
				Parts: []neutral.Part{
					{Kind: neutral.TextPart, Text: "a", Citations: []neutral.Citation{{URL: "u", Title: "t", Start: 1, End: 2, Document: -1, Source: neutral.Responses,
						Raw: json.RawMessage(`{"type":"url_citation","url":"u","title":"t","start_index":1,"end_index":2}`)}}},
					{Kind: neutral.RefusalPart, Text: "no"}},
				Finish: neutral.FinishRefusal, Native: "completed", LogProbs: json.RawMessage(`{"content":[{"token":"a"}],"refusal":null}`)}}},
		},
		"tools and thoughts": {
			`{"status":"completed","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"S"}],"content":[{"type":"reasoning_text","text":"T"},{"type":"reasoning_text","text":"U"}],"encrypted_content":"e"},
				{"type":"function_call","call_id":"c","name":"f","arguments":""},{"type":"web_search_call","id":"w"}]}`,
			neutral.Response{Choices: []neutral.Choice{{Parts: []neutral.Part{
				{Kind: neutral.ReasoningPart, Thought: &neutral.Thought{ID: "rs_1", Text: "T\n\nU", Summary: []string{"S"}, Encrypted: "e", Origin: neutral.OriginXAI}},
				{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "f"}},
				{Kind: neutral.OpaquePart, Source: neutral.Responses, Type: "web_search_call", Raw: json.RawMessage(`{"type":"web_search_call","id":"w"}`)}},
				Finish: neutral.FinishToolCalls, Native: "completed"}}},
		},
		"length": {
			`{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"function_call","call_id":"c","name":"f","arguments":"{"}]}`,
			neutral.Response{Choices: []neutral.Choice{{Parts: []neutral.Part{{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: "c", Name: "f", Arguments: "{"}}}, Finish: neutral.FinishLength, Native: "max_output_tokens"}}},
		},
		"filter":        {`{"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`, neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishContentFilter, Native: "content_filter"}}}},
		"steered":       {`{"status":"incomplete","incomplete_details":{"reason":"steered"},"output":[]}`, neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishPause, Native: "steered"}}}},
		"failed":        {`{"status":"failed","error":{"code":"server_error","message":"boom"},"output":[]}`, neutral.Response{Err: &neutral.Error{Status: 500, Code: "server_error", Message: "boom"}}},
		"bare error":    {`{"error":{"code":429,"message":"slow"}}`, neutral.Response{Err: &neutral.Error{Status: 429, Code: "429", Message: "slow"}}},
		"text as error": {`{"error":"gone"}`, neutral.Response{Err: &neutral.Error{Message: "gone"}}},
		"cancelled":     {`{"status":"cancelled","output":[]}`, neutral.Response{Err: &neutral.Error{Message: "the provider cancelled the response"}}},
		"no usage":      {`{"output":[],"usage":{"input_tokens":0}}`, neutral.Response{Choices: []neutral.Choice{{Finish: neutral.FinishStop}}}},
		"usage of zero": {`{"output":[],"usage":{"input_tokens":0,"output_tokens":0}}`, neutral.Response{Usage: &meter.Usage{}, Choices: []neutral.Choice{{Finish: neutral.FinishStop}}}},
		"odd usage": {`{"output":[],"usage":{"input_tokens":-1,"output_tokens":1e99,"input_tokens_details":{"cached_tokens":"x"},"output_tokens_details":null}}`,
			neutral.Response{Usage: &meter.Usage{Estimated: true}, Choices: []neutral.Choice{{Finish: neutral.FinishStop}}}},
		"usage outside": {`{"output":[],"usage":{"input_tokens":3,"output_tokens":1,"input_tokens_details":{"cached_tokens":7},"output_tokens_details":{"reasoning_tokens":4},"total_tokens":8}}`,
			neutral.Response{Usage: &meter.Usage{Prompt: 10, Cached: 7, Completion: 5, Reasoning: 4, Estimated: true}, Choices: []neutral.Choice{{Finish: neutral.FinishStop}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := responses.Codec{Origin: neutral.OriginXAI}.ReadResponse([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadResponseErrors(t *testing.T) {
	for name, body := range map[string]string{
		"HTML": "<html>secret", "list": `["secret"]`, "cut": `{"output":[`, "UTF-8": "{\"id\":\"\xff\"}", "running": `{"status":"queued","output":[]}`, "no output": `{"id":"secret"}`,
		"types": `{"id":5,"output":[]}`, "item": `{"output":["secret"]}`, "content": `{"output":[{"type":"message","content":5}]}`, "reasoning": `{"output":[{"type":"reasoning","content":5}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := codec.ReadResponse([]byte(body))
			var problem *dialect.AnswerError
			if !errors.As(err, &problem) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %v, want an AnswerError without content", err)
			}
		})
	}
}

// TestAnswerCrossesAndReturns reads what was written from what was read.
func TestAnswerCrossesAndReturns(t *testing.T) {
	body := `{"model":"m","status":"completed","output":[{"type":"reasoning","id":"rs_c2_0","summary":[{"type":"summary_text","text":"S"}],"content":[{"type":"reasoning_text","text":"T"}]},
		{"type":"message","content":[{"type":"output_text","text":"a","annotations":[{"type":"file_path","file_id":"f","index":3}],"logprobs":[{"token":"a","bytes":[97],"logprob":-0.5,"top_logprobs":[]}]}]},
		{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"mcp_call","id":"mcp"}],"usage":{"input_tokens":9,"output_tokens":5,"total_tokens":14}}`
	first, err := codec.ReadResponse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	second, err := codec.ReadResponse(codec.AppendResponse(nil, first, plainExchange()))
	if err != nil {
		t.Fatal(err)
	}
	first.ID, first.Created = "resp_c2", 1790000000
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

// TestCrossingTellsWhoSealed crosses from an upstream that speaks this API, whose answers do not say whose seals they hold.
func TestCrossingTellsWhoSealed(t *testing.T) {
	joint := dialect.CrossGeneration(codec, codec)
	call := plainExchange()
	call.Origin = neutral.OriginAzure
	const want = `"encrypted_content":"sb1:azure-openai-responses-v1:enc"`
	answer, err := joint.ReadAnswer([]byte(`{"output":[{"type":"reasoning","encrypted_content":"enc"}]}`), call)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(answer.Body(meter.Usage{})); !strings.Contains(got, want) {
		t.Errorf("answer %s", got)
	}
	if got, _ := passStream(t, joint.NewStream(call), strings.NewReader(frames(created, thoughtDone, completed))); strings.Count(got, want) != 2 {
		t.Errorf("stream %s", got)
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte(`{"status":"incomplete","incomplete_details":{"reason":"x"},"output":[{"type":"message","content":[{"type":"output_text","text":"a","annotations":[{}],"logprobs":[1]}]},{"type":"reasoning","encrypted_content":"e"}],"usage":{"input_tokens":1.5}}`))
	f.Add([]byte(`{"error":{"message":"m"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		o := dialect.Exchange{Origin: neutral.OriginOpenAI, ID: "c", Model: "m"}
		read, err := codec.ReadPassed(bytes.Clone(body), o)
		if err != nil {
			var problem *dialect.AnswerError
			if !errors.As(err, &problem) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		passed := read.Body(read.Settle(10))
		if !json.Valid(passed) {
			t.Fatalf("%q passes as %q", body, passed)
		}
		crossed, err := codec.ReadResponse(body)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if out := codec.AppendResponse(nil, crossed, o); !json.Valid(out) {
			t.Fatalf("%q crosses as %q", body, out)
		}
	})
}
