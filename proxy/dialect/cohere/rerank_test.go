package cohere_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/cohere"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestRerankRequest(t *testing.T) {
	body := []byte(`{"model":"order","query":"\"q\"","documents":["a",{"text":"ü"}],"top_n":1,"return_documents":true,"max_tokens_per_doc":512}`)
	head, err := cohere.Rerank{}.ReadHead(body)
	if err != nil || head.Model != "order" || head.N != 1 || head.Stream {
		t.Fatalf("%+v, %v", head, err)
	}
	request, err := cohere.Rerank{}.ReadRerank(body)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		to   dialect.Target
		want string
	}{
		"Cohere":  {dialect.Target{Model: "rerank-v3.5"}, `{"model":"rerank-v3.5","query":"\"q\"","documents":["a","ü"],"top_n":1}`},
		"Bedrock": {dialect.Target{Model: "cohere.rerank-v3-5:0", ModelInPath: true, Set: []neutral.Member{{Name: "api_version", Value: json.RawMessage("2")}}}, `{"api_version":2,"query":"\"q\"","documents":["a","ü"],"top_n":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, report, err := cohere.Rerank{}.AppendRerankRequest([]byte("> "), request, tc.to)
			if err != nil || string(got) != "> "+tc.want {
				t.Errorf("%s, %v, want %s", got, err, tc.want)
			}
			if diff := cmp.Diff([]string{"max_tokens_per_doc"}, report.Dropped); diff != "" {
				t.Errorf("dropped (-want +got):\n%s", diff)
			}
		})
	}
	passed, _, err := cohere.Rerank{}.AppendPassed(nil, body, head, dialect.Target{Model: "rerank-v3.5"})
	if want := `{"model":"rerank-v3.5","query":"\"q\"","documents":["a",{"text":"ü"}],"top_n":1,"return_documents":true,"max_tokens_per_doc":512}`; err != nil || string(passed) != want {
		t.Errorf("%s, %v, want %s", passed, err, want)
	}
}

const order = `{"id":"r1","results":[{"index":2,"relevance_score":0.9100},{"index":0,"relevance_score":1e-7}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1.0},"tokens":{"input_tokens":214.0,"output_tokens":2.0}}}`

func TestRerankResponse(t *testing.T) {
	want := &neutral.RerankResponse{ID: "r1", Results: []neutral.RerankResult{{Index: 2, Score: "0.9100"}, {Index: 0, Score: "1e-7"}}, SearchUnits: 1, Usage: &meter.Usage{Prompt: 214, Completion: 2, SearchUnits: 1}}
	got, err := cohere.Rerank{}.ReadRerankResponse([]byte(order))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	got, err = cohere.Rerank{}.ReadRerankResponse([]byte(`{"results":[]}`))
	if diff := cmp.Diff(&neutral.RerankResponse{Results: []neutral.RerankResult{}}, got); err != nil || diff != "" {
		t.Errorf("%v, empty response (-want +got):\n%s", err, diff)
	}
	for _, body := range []string{"", "[]", "{}", `{"message":"x"}`, `{"results":[{"index":0}]}`, `{"results":[{"relevance_score":1}]}`, `{"results":[{"index":-1,"relevance_score":1}]}`, `{"results":[{"index":0,"relevance_score":"x"}]}`} {
		got, err := cohere.Rerank{}.ReadRerankResponse([]byte(body))
		var unreadable *dialect.AnswerError
		if got != nil || !errors.As(err, &unreadable) {
			t.Errorf("%s reads as %v, %v", body, got, err)
		}
		if _, err := (cohere.Rerank{}).ReadPassed([]byte(body), dialect.Exchange{}); !errors.As(err, &unreadable) {
			t.Errorf("%s passes, %v", body, err)
		}
	}
}

func TestRerankAnswer(t *testing.T) {
	answer := &neutral.RerankResponse{Results: []neutral.RerankResult{{Index: 1, Score: "0.9"}, {Index: 0, Score: "0.5"}}}
	for name, tc := range map[string]struct {
		edit    func(a *neutral.RerankResponse)
		request *neutral.RerankRequest
		want    string
	}{
		"plain":     {want: `{"id":"call-1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.5}],"meta":{"api_version":{"version":"2"}}}`},
		"full":      {edit: func(a *neutral.RerankResponse) { a.ID, a.SearchUnits, a.Usage = "r1", 2, &meter.Usage{Prompt: 7} }, want: `{"id":"r1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.5}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":2},"tokens":{"input_tokens":7,"output_tokens":0}}}`},
		"documents": {request: &neutral.RerankRequest{Documents: []string{"a", "\"b\""}, TopN: ptr(int64(1)), ReturnDocuments: true}, want: `{"id":"call-1","results":[{"index":1,"relevance_score":0.9,"document":{"text":"\"b\""}}],"meta":{"api_version":{"version":"2"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			written := *answer
			if tc.edit != nil {
				tc.edit(&written)
			}
			got := cohere.Rerank{}.AppendRerank([]byte("> "), &written, tc.request, dialect.Exchange{ID: "call-1"})
			if string(got) != "> "+tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestRerankPasses(t *testing.T) {
	answer, err := cohere.Rerank{}.ReadPassed([]byte(order), dialect.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	if used := answer.Settle(1000); used != (meter.Usage{Prompt: 214, Completion: 2, SearchUnits: 1}) || string(answer.Body(used)) != order || answer.Failure() != nil {
		t.Errorf("%+v, %s, %v", used, answer.Body(used), answer.Failure())
	}
	answer, err = cohere.Rerank{}.ReadPassed([]byte(`{"results":[],"meta":{"billed_units":{"search_units":1}}}`), dialect.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	if used := answer.Settle(300); used != (meter.Usage{SearchUnits: 1}) {
		t.Errorf("search units became %+v", used)
	}
	if _, err := (cohere.Rerank{}).NewPassedStream(dialect.Exchange{}).Next(sse.Event{Data: []byte("{}")}); err == nil {
		t.Error("there is a stream")
	}
}

func TestRerankErrors(t *testing.T) {
	reply := dialect.ErrorReply{RequestID: "req_1", Status: http.StatusTooManyRequests, Message: "slow \"down\"", Type: "rate_limit_error", Code: "rate_limited", Metadata: &dialect.Metadata{Status: 429}}
	const want = `{"message":"slow \"down\"","id":"req_1","type":"rate_limit_error","code":"rate_limited","metadata":{"status":429}}`
	if got := (cohere.Rerank{}).AppendError([]byte("> "), reply); string(got) != "> "+want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := (cohere.Rerank{}).AppendErrorEvent(nil, reply); string(got) != "data: "+want+"\n\n" {
		t.Errorf("%s", got)
	}
	if read := dialect.ParseError([]byte(want)); read.Message != reply.Message {
		t.Errorf("the message reads as %q", read.Message)
	}
}

func FuzzRerankResponse(f *testing.F) {
	f.Add([]byte(order))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := cohere.Rerank{}.ReadRerankResponse(body)
		if err != nil {
			return
		}
		if written := (cohere.Rerank{}).AppendRerank(nil, read, &neutral.RerankRequest{Documents: []string{"a"}, ReturnDocuments: true}, dialect.Exchange{}); !json.Valid(written) {
			t.Errorf("%q is written as %s", body, written)
		}
	})
}
