package rerank_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/rerank"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

func ptr[T any](v T) *T { return &v }

const asked = ` { "model" : "order", "query":"q", "documents":["a",{"text":"ü","id":7}], "top_n":1,"return_documents":true,"truncation":true, "user":null }`

func TestReadHead(t *testing.T) {
	got, err := rerank.Codec{}.ReadHead([]byte(asked))
	want := dialect.Head{Model: "order", N: 1, ModelAt: dialect.Patch{At: 13, End: 20}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, head (-want +got):\n%s", err, diff)
	}
}

func TestReadRerank(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want *neutral.RerankRequest
	}{
		"full":    {asked, &neutral.RerankRequest{Model: "order", Query: "q", Documents: []string{"a", "ü"}, TopN: ptr(int64(1)), ReturnDocuments: true, Extra: []neutral.Member{{Name: "truncation", Value: json.RawMessage("true")}}}},
		"minimal": {`{"model":"m","query":"","documents":[""]}`, &neutral.RerankRequest{Model: "m", Documents: []string{""}}},
		"nulls":   {`{"model":"m","query":"q","documents":["a"],"top_n":null,"return_documents":null}`, &neutral.RerankRequest{Model: "m", Query: "q", Documents: []string{"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rerank.Codec{}.ReadRerank([]byte(tc.body))
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%v, request (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestRequestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		code dialect.RequestCode
		want string
	}{
		"no JSON":             {`{"model":`, dialect.CodeInvalidJSON, ""},
		"no model":            {`{"query":"q","documents":["a"]}`, dialect.CodeMissingParameter, "model"},
		"model of two":        {`{"model":"m","model":"n","query":"q","documents":["a"]}`, dialect.CodeDuplicateParameter, "model"},
		"model in capitals":   {`{"MODEL":"m","query":"q","documents":["a"]}`, dialect.CodeInvalidValue, "model"},
		"no query":            {`{"model":"m","documents":["a"]}`, dialect.CodeMissingParameter, "query"},
		"query null":          {`{"model":"m","query":null,"documents":["a"]}`, dialect.CodeMissingParameter, "query"},
		"query of an object":  {`{"model":"m","query":{},"documents":["a"]}`, dialect.CodeInvalidType, "query"},
		"no documents":        {`{"model":"m","query":"q"}`, dialect.CodeMissingParameter, "documents"},
		"nothing in them":     {`{"model":"m","query":"q","documents":[]}`, dialect.CodeInvalidValue, "documents"},
		"documents of text":   {`{"model":"m","query":"q","documents":"a"}`, dialect.CodeInvalidType, "documents"},
		"document null":       {`{"model":"m","query":"q","documents":["a",null]}`, dialect.CodeInvalidValue, "documents[1]"},
		"document a number":   {`{"model":"m","query":"q","documents":[1]}`, dialect.CodeInvalidType, "documents[0]"},
		"document an image":   {`{"model":"m","query":"q","documents":[{"image":"x"}]}`, dialect.CodeInvalidValue, "documents[0]"},
		"text of a document":  {`{"model":"m","query":"q","documents":[{"text":1}]}`, dialect.CodeInvalidType, "documents[0].text"},
		"top_n of nothing":    {`{"model":"m","query":"q","documents":["a"],"top_n":0}`, dialect.CodeInvalidValue, "top_n"},
		"top_n of a fraction": {`{"model":"m","query":"q","documents":["a"],"top_n":1.5}`, dialect.CodeInvalidType, "top_n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rerank.Codec{}.ReadHead([]byte(tc.body))
			if err == nil {
				_, err = rerank.Codec{}.ReadRerank([]byte(tc.body))
			}
			var problem *dialect.RequestError
			if !errors.As(err, &problem) || problem.Code != tc.code || problem.Param != tc.want {
				t.Errorf("error %+v, want %s about %q", err, tc.code, tc.want)
			}
		})
	}
}

func TestAppendRerankRequest(t *testing.T) {
	request, err := rerank.Codec{}.ReadRerank([]byte(asked))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		to   dialect.Target
		want string
	}{
		"plain":           {dialect.Target{Model: "jina-reranker-v3"}, `{"model":"jina-reranker-v3","query":"q","documents":["a","ü"],"top_n":1}`},
		"on another host": {dialect.Target{ModelInPath: true, Set: []neutral.Member{{Name: "api_version", Value: json.RawMessage("2")}}}, `{"query":"q","documents":["a","ü"],"top_n":1,"api_version":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := rerank.Codec{}.AppendRerankRequest([]byte("> "), request, tc.to)
			if err != nil || string(got) != "> "+tc.want {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
			if diff := cmp.Diff([]string{"truncation"}, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendPassed(t *testing.T) {
	head, err := rerank.Codec{}.ReadHead([]byte(asked))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		to   dialect.Target
		want string
	}{
		"model":         {dialect.Target{Model: "a\"b"}, strings.Replace(asked, `"order"`, `"a\"b"`, 1)},
		"model in path": {dialect.Target{ModelInPath: true}, `{"query":"q","documents":["a",{"text":"ü","id":7}],"top_n":1,"return_documents":true,"truncation":true,"user":null}`},
		"host's":        {dialect.Target{Model: "m", Set: []neutral.Member{{Name: "truncation", Value: json.RawMessage(`"END"`)}}}, `{"model":"m","query":"q","documents":["a",{"text":"ü","id":7}],"top_n":1,"return_documents":true,"user":null,"truncation":"END"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := rerank.Codec{}.AppendPassed([]byte("> "), []byte(asked), head, tc.to)
			if err != nil || string(got) != "> "+tc.want || report.Dropped != nil {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

// TestRoundTrip reads a request, writes it in the same dialect and reads it again: nothing is lost but what is no part of the neutral form.
func TestRoundTrip(t *testing.T) {
	for _, body := range []string{
		`{"model":"m","query":"q \"ü\"\n","documents":["a","","\u0000 🚂"],"top_n":2}`,
		`{"model":"m","query":"","documents":["a"]}`,
	} {
		want, err := rerank.Codec{}.ReadRerank([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		written, _, err := rerank.Codec{}.AppendRerankRequest(nil, want, dialect.Target{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := rerank.Codec{}.ReadRerank(written)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v, %s (-want +got):\n%s", err, written, diff)
		}
	}
}

func TestReadRerankResponse(t *testing.T) {
	results := []neutral.RerankResult{{Index: 1, Score: "0.97510"}, {Index: 0, Score: "-3.5e-2"}}
	for name, tc := range map[string]struct {
		body string
		want *neutral.RerankResponse
	}{
		"Jina":       {`{"model":"jina-reranker-v3","usage":{"total_tokens":815},"results":[{"index":1,"document":{"text":"b"},"relevance_score":0.97510},{"index":0,"relevance_score":-3.5e-2}]}`, &neutral.RerankResponse{Model: "jina-reranker-v3", Results: results, Usage: &meter.Usage{Prompt: 815}}},
		"vLLM":       {`{"id":"rerank-1","model":"m","usage":{"prompt_tokens":56,"total_tokens":56},"results":[{"index":1,"document":{"text":"b","multi_modal":null},"relevance_score":0.97510},{"index":0,"document":{"text":"a"},"relevance_score":-3.5e-2}]}`, &neutral.RerankResponse{ID: "rerank-1", Model: "m", Results: results, Usage: &meter.Usage{Prompt: 56}}},
		"OpenRouter": {`{"id":"gen-1","model":"cohere/rerank-v3.5","provider":"Cohere","usage":{"total_tokens":0,"search_units":1,"cost":0.002},"results":[]}`, &neutral.RerankResponse{ID: "gen-1", Model: "cohere/rerank-v3.5", Results: []neutral.RerankResult{}, SearchUnits: 1, Usage: &meter.Usage{SearchUnits: 1, ReportedCost: new(int64(2_000_000))}}},
		"a score":    {`{"results":[{"index":0,"score":1}]}`, &neutral.RerankResponse{Results: []neutral.RerankResult{{Index: 0, Score: "1"}}}},
		"odd usage":  {`{"results":[],"usage":{"total_tokens":"x"}}`, &neutral.RerankResponse{Results: []neutral.RerankResult{}, Usage: &meter.Usage{Estimated: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rerank.Codec{}.ReadRerankResponse([]byte(tc.body))
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%v, response (-want +got):\n%s", err, diff)
			}
		})
	}
	for _, body := range []string{"", "<html>", "[]", "{}", `{"results":[{"index":0}]}`, `{"results":[{"relevance_score":1}]}`, `{"results":[{"index":-1,"relevance_score":1}]}`, `{"results":7}`} {
		got, err := rerank.Codec{}.ReadRerankResponse([]byte(body))
		var unreadable *dialect.AnswerError
		if got != nil || !errors.As(err, &unreadable) {
			t.Errorf("%s reads as %v, %v", body, got, err)
		}
	}
}

func TestAppendRerank(t *testing.T) {
	for name, tc := range map[string]struct {
		answer  neutral.RerankResponse
		request *neutral.RerankRequest
		call    dialect.Exchange
		want    string
	}{
		"minimal": {call: dialect.Exchange{ID: "call-1", Model: "order"}, want: `{"id":"call-1","model":"order","results":[],"usage":{"prompt_tokens":0,"total_tokens":0}}`},
		"full": {
			answer:  neutral.RerankResponse{ID: "r1", Model: "rerank-v3.5", Results: []neutral.RerankResult{{Index: 1, Score: "0.9"}, {Index: 9, Score: "0.5"}, {Index: 0, Score: "0.1"}}, SearchUnits: 1, Usage: &meter.Usage{Prompt: 7, Completion: 1}},
			request: &neutral.RerankRequest{Documents: []string{"a", "\"b\""}, TopN: ptr(int64(2)), ReturnDocuments: true},
			call:    dialect.Exchange{ID: "call-1", Model: "order", Provider: "Cohere", Flavor: dialect.OpenRouterFlavor},
			want:    `{"id":"r1","model":"rerank-v3.5","provider":"Cohere","results":[{"index":1,"relevance_score":0.9,"document":{"text":"\"b\""}},{"index":9,"relevance_score":0.5}],"usage":{"prompt_tokens":7,"total_tokens":8,"search_units":1}}`,
		},
		"more wanted than there is": {answer: neutral.RerankResponse{ID: "r", Model: "m", Results: []neutral.RerankResult{{Score: "1"}}}, request: &neutral.RerankRequest{TopN: ptr(int64(5))}, want: `{"id":"r","model":"m","results":[{"index":0,"relevance_score":1}],"usage":{"prompt_tokens":0,"total_tokens":0}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (rerank.Codec{}).AppendRerank([]byte("> "), &tc.answer, tc.request, tc.call); string(got) != "> "+tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestReadPassed(t *testing.T) {
	const body = `{"results":[{"index":0,"relevance_score":"odd"}],"usage":{"total_tokens":9}}`
	if _, err := (rerank.Codec{}).ReadPassed([]byte(body), dialect.Exchange{}); err == nil {
		t.Error("a score of another type passes")
	}
	const good = `{"results":[{"index":0,"relevance_score":0.5,"more":true}],"usage":{"total_tokens":9}}`
	answer, err := rerank.Codec{}.ReadPassed([]byte(good), dialect.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	if used := answer.Settle(1000); used != (meter.Usage{Prompt: 9}) || string(answer.Body(used)) != good || answer.Failure() != nil {
		t.Errorf("%+v, %s, %v", used, answer.Body(used), answer.Failure())
	}
	answer, err = rerank.Codec{}.ReadPassed([]byte(`{"error":{"message":"overloaded","code":502}}`), dialect.Exchange{})
	if err != nil || answer.Failure() == nil || answer.Failure().Message != "overloaded" {
		t.Errorf("%v, %v", answer, err)
	}
	for _, body := range []string{"", "{}", `{"error":null}`, "[]"} {
		var unreadable *dialect.AnswerError
		if _, err := (rerank.Codec{}).ReadPassed([]byte(body), dialect.Exchange{}); !errors.As(err, &unreadable) {
			t.Errorf("%s passes, %v", body, err)
		}
	}
	if _, err := (rerank.Codec{}).NewPassedStream(dialect.Exchange{}).Next(sse.Event{Data: []byte("{}")}); err == nil {
		t.Error("there is a stream")
	}
}

func TestErrors(t *testing.T) {
	reply := dialect.ErrorReply{Status: http.StatusBadRequest, Message: "no \"q\"", Type: "invalid_request_error", Code: "invalid_value", Param: "query"}
	routed := reply
	routed.Flavor, routed.Param, routed.Metadata = dialect.OpenRouterFlavor, "", &dialect.Metadata{Provider: "jina"}
	const (
		plain  = `{"error":{"message":"no \"q\"","type":"invalid_request_error","param":"query","code":"invalid_value"}}`
		router = `{"error":{"message":"no \"q\"","type":"invalid_request_error","param":null,"code":400,"metadata":{"error_type":"invalid_value","provider":"jina"}}}`
	)
	if got := (rerank.Codec{}).AppendError([]byte("> "), reply); string(got) != "> "+plain {
		t.Errorf("%s, want %s", got, plain)
	}
	if got := (rerank.Codec{}).AppendError(nil, routed); string(got) != router || routed.Metadata.ErrorType != "" {
		t.Errorf("%s, want %s", got, router)
	}
	if got := (rerank.Codec{}).AppendErrorEvent(nil, reply); string(got) != "data: "+plain+"\n\n" {
		t.Errorf("%s", got)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(asked))
	f.Add([]byte(`{"model":"m","query":"q","documents":[{"text":"a"}],"top_n":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		head, err := rerank.Codec{}.ReadHead(body)
		if err != nil {
			return
		}
		passed, _, err := rerank.Codec{}.AppendPassed(nil, body, head, dialect.Target{ModelInPath: true, Set: []neutral.Member{{Name: "api_version", Value: json.RawMessage("2")}}})
		if err != nil || !json.Valid(passed) {
			t.Errorf("%q passes as %s, %v", body, passed, err)
		}
		request, err := rerank.Codec{}.ReadRerank(body)
		if err != nil {
			return
		}
		written, _, err := rerank.Codec{}.AppendRerankRequest(nil, request, dialect.Target{Model: request.Model})
		if err != nil {
			t.Fatal(err)
		}
		again, err := rerank.Codec{}.ReadRerank(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		again.Extra, again.ReturnDocuments = request.Extra, request.ReturnDocuments
		if diff := cmp.Diff(request, again); diff != "" {
			t.Errorf("%q (-want +got):\n%s", body, diff)
		}
	})
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(`{"id":"rerank-1","model":"m","usage":{"prompt_tokens":56,"total_tokens":56},"results":[{"index":1,"document":{"text":"b"},"relevance_score":0.9}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := rerank.Codec{}.ReadRerankResponse(body)
		if err != nil {
			return
		}
		if written := (rerank.Codec{}).AppendRerank(nil, read, &neutral.RerankRequest{Documents: []string{"a"}, ReturnDocuments: true}, dialect.Exchange{}); !json.Valid(written) {
			t.Errorf("%q is written as %s", body, written)
		}
	})
}
