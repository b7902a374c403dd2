package gemini_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
)

func TestAppendError(t *testing.T) {
	for name, tc := range map[string]struct {
		reply dialect.ErrorReply
		want  string
	}{
		"least": {
			dialect.ErrorReply{Status: 500, Message: "broken \"x\""},
			`{"error":{"code":500,"message":"broken \"x\"","status":"INTERNAL"}}`,
		},
		"all": {
			dialect.ErrorReply{Status: 400, Message: "no", Type: "invalid_request_error", Param: "contents", Code: "missing_required_parameter", Metadata: &dialect.Metadata{Provider: "p", Status: 418}},
			`{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MISSING_REQUIRED_PARAMETER",` +
				`"domain":"signalbox.dev","metadata":{"param":"contents"}}],"metadata":{"provider":"p","status":418}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff("x"+tc.want, string(gemini.Generate{}.AppendError([]byte("x"), tc.reply))); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusNames(t *testing.T) {
	for status, want := range map[int]string{
		400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "RESOURCE_EXHAUSTED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED", 409: "ABORTED",
		413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED", 529: "INTERNAL",
	} {
		got := dialect.ParseError(gemini.Generate{}.AppendError(nil, dialect.ErrorReply{Status: status, Message: "m"}))
		if got.Message != "m" {
			t.Errorf("%d: the reply reads as %+v", status, got)
		}
		read, err := gemini.Generate{}.ReadResponse(gemini.Generate{}.AppendError(nil, dialect.ErrorReply{Status: status, Message: "m"}))
		if err != nil || read.Err == nil || read.Err.Type != want || read.Err.Status != status {
			t.Errorf("%d: the reply reads as %+v, %v, want %s", status, read, err, want)
		}
	}
}

func TestAppendErrorEvent(t *testing.T) {
	reply := dialect.ErrorReply{Status: 503, Message: "gone"}
	const want = `{"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}`
	if got := string(gemini.Generate{}.AppendErrorEvent(nil, reply)); got != "data: "+want+"\r\n\r\n" {
		t.Errorf("event %q", got)
	}
	reply.Array = true
	if got := string(gemini.Generate{}.AppendErrorEvent(nil, reply)); got != "["+want+"]\n" {
		t.Errorf("only element %q", got)
	}
	reply.Sequence = 1
	if got := string(gemini.Generate{}.AppendErrorEvent(nil, reply)); got != ",\r\n"+want+"]\n" {
		t.Errorf("element %q", got)
	}
}

func TestModels(t *testing.T) {
	const entry = `{"name":"models/team/chat","baseModelId":"team/chat","version":"001","displayName":"Chat","inputTokenLimit":1000,"outputTokenLimit":10,"supportedGenerationMethods":["generateContent","streamGenerateContent"]}`
	model := gemini.Model{ID: "team/chat", DisplayName: "Chat", InputTokens: 1000, OutputTokens: 10}
	if diff := cmp.Diff(entry, string(gemini.AppendModel(nil, model))); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
	const bare = `{"name":"models/m","baseModelId":"m","version":"001","displayName":"m","supportedGenerationMethods":["generateContent","streamGenerateContent"]}`
	if diff := cmp.Diff(`{"models":[`+entry+`,`+bare+`]}`, string(gemini.AppendModelList(nil, []gemini.Model{model, {ID: "m"}}))); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if got := string(gemini.AppendModelList(nil, nil)); got != `{"models":[]}` {
		t.Errorf("empty list %s", got)
	}
}
