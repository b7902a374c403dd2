package anthropic_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestErrors(t *testing.T) {
	full := dialect.ErrorReply{Status: 429, Message: "Too \"fast\"", Code: "rate_limited", Param: "model", RequestID: "r1", Metadata: &dialect.Metadata{ProviderName: "Groq"}}
	const body = `{"type":"error","error":{"type":"rate_limit_error","message":"Too \"fast\"","details":{"error_code":"rate_limited","param":"model"},"metadata":{"provider_name":"Groq"}},"request_id":"r1"}`
	if diff := cmp.Diff(body, string(anthropic.Messages{}.AppendError(nil, full))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff("event: error\ndata: "+body+"\n\n", string(anthropic.Messages{}.AppendErrorEvent(nil, full))); diff != "" {
		t.Error(diff)
	}
	for status, kind := range map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error", 408: "timeout_error", 409: "conflict_error",
		413: "request_too_large", 422: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error", 529: "overloaded_error",
	} {
		want := `{"type":"error","error":{"type":"` + kind + `","message":"m"},"request_id":null}`
		if got := string(anthropic.CountTokens{}.AppendError(nil, dialect.ErrorReply{Status: status, Message: "m"})); got != want {
			t.Errorf("%d %s: %s", status, http.StatusText(status), got)
		}
	}
}

// What the surface writes as an event of an error, the upstream's reader reads as one, with its status.
func TestErrorEventsComeBack(t *testing.T) {
	for _, status := range []int{400, 401, 402, 403, 404, 413, 429, 500, 504, 529} {
		stream := anthropic.Messages{}.AppendErrorEvent(nil, dialect.ErrorReply{Status: status, Message: "m"})
		got := events(t, strings.NewReader(string(stream)))
		if len(got) != 1 || got[0].Kind != neutral.EventFailure || got[0].Err.Status != status || got[0].Err.Message != "m" {
			t.Errorf("%d: %+v", status, got)
		}
	}
}

func TestModels(t *testing.T) {
	one := anthropic.Model{ID: "a/b", DisplayName: "A \"B\"", Created: 1700000000}
	const first = `{"type":"model","id":"a/b","display_name":"A \"B\"","created_at":"2023-11-14T22:13:20Z"}`
	if diff := cmp.Diff(first, string(anthropic.AppendModel(nil, one))); diff != "" {
		t.Error(diff)
	}
	want := `{"data":[` + first + `,{"type":"model","id":"c","display_name":"c","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"a/b","last_id":"c"}`
	if diff := cmp.Diff(want, string(anthropic.AppendModelList(nil, []anthropic.Model{one, {ID: "c", DisplayName: "c"}}))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(`{"data":[],"has_more":false,"first_id":null,"last_id":null}`, string(anthropic.AppendModelList(nil, nil))); diff != "" {
		t.Error(diff)
	}
}

func TestCountTokensPasses(t *testing.T) {
	api := anthropic.CountTokens{}
	body := []byte(`{"model":"m","messages":[{"role":"user","content":"a"}],"max_tokens":3}`)
	head, err := api.ReadHead(body)
	if err != nil || head.Model != "m" || head.MaxTokens != 0 {
		t.Fatalf("%+v %v", head, err)
	}
	got, _, err := api.AppendPassed(nil, body, head, dialect.Target{Model: "up"})
	if err != nil || string(got) != `{"model":"up","messages":[{"role":"user","content":"a"}],"max_tokens":3}` {
		t.Errorf("%s %v", got, err)
	}
	var refused *dialect.RequestError
	if _, err := api.ReadHead([]byte(`{"model":"m","stream":true}`)); !errors.As(err, &refused) {
		t.Errorf("a stream was accepted: %v", err)
	}
	if step, err := api.NewPassedStream(dialect.Exchange{}).Next(sse.Event{Data: []byte(`{"type":"message_stop"}`)}); err != nil || step.Kind != dialect.StepDone {
		t.Errorf("%v %v", step, err)
	}
}

func TestCountIsFree(t *testing.T) {
	const body = `{"input_tokens":42}`
	answer, err := anthropic.CountTokens{}.ReadPassed([]byte(body), dialect.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	usage, ok := answer.Reported()
	if !ok || usage != (meter.Usage{}) || answer.Settle(1000) != usage || answer.Failure() != nil || string(answer.Body(usage)) != body {
		t.Errorf("%v %+v", ok, usage)
	}
	if got := string(anthropic.AppendTokenCount(nil, 42)); got != body {
		t.Error(got)
	}
}

func TestCountCannotBeRead(t *testing.T) {
	answer, err := anthropic.CountTokens{}.ReadPassed([]byte(`{"type":"error","error":{"type":"api_error","message":"m"}}`), dialect.Exchange{})
	if err != nil || answer.Failure() == nil || answer.Failure().Status != 500 {
		t.Errorf("%v %v", answer, err)
	}
	for name, bad := range map[string]string{"HTML": "<html>", "another answer": `{"id":"x"}`, "a text": `{"input_tokens":"x"}`, "no UTF-8": "{\"input_tokens\":1,\"x\":\"\xff\"}"} {
		var problem *dialect.AnswerError
		if _, err := (anthropic.CountTokens{}).ReadPassed([]byte(bad), dialect.Exchange{}); !errors.As(err, &problem) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEstimateTokens(t *testing.T) {
	long := strings.Repeat("word ", 600)
	picture := `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + strings.Repeat("A", 1<<20) + `"}}`
	for name, tc := range map[string]struct {
		body        string
		least, most int64
	}{
		"a text":     {`{"model":"m","messages":[{"role":"user","content":"` + long + `"}]}`, 600, 1100},
		"a picture":  {`{"model":"m","messages":[{"role":"user","content":[` + picture + `]}]}`, 1000, 2000},
		"a document": {`{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + strings.Repeat("A", 300_000) + `"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"` + long + `"}}]}]}`, 5000, 20000},
		"a turn with everything": {
			`{"model":"m","system":"` + long + `","tools":[{"name":"f","description":"` + long + `"}],"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"` + long + `"},{"type":"tool_use","id":"a","name":"f","input":{"a":"` + long + `"}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"` + long + `"},{"type":"search_result","x":"` + long + `"}]}]}`, 3600, 6600,
		},
		"no request": {long, 600, 1100},
		"unreadable": {`{"model":"m","messages":5,"x":"` + long + `"}`, 600, 1100},
		"nothing":    {``, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := anthropic.EstimateTokens([]byte(tc.body)); got < tc.least || got > tc.most {
				t.Errorf("got %d", got)
			}
		})
	}
}
