package responses_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
)

func TestReadHead(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want dialect.Head
	}{
		"model":  {`{"model":"m"}`, dialect.Head{Model: "m", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}},
		"stream": {`{"model":"m","stream":true,"max_output_tokens":9,"n":7}`, dialect.Head{Model: "m", N: 1, Stream: true, IncludeUsage: true, MaxTokens: 9, ModelAt: dialect.Patch{At: 9, End: 12}}},
		"all is allowed": {`{"model":"m","store":false,"background":false,"previous_response_id":null,"conversation":null,"prompt":null,"models":[ ],"preset":null}`,
			dialect.Head{Model: "m", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}},
		"safety": {`{"model":"m","safety_identifier":"s"}`, dialect.Head{Model: "m", User: "s", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}},
		"steering": {`{"model":"m","models":["a,b","m"],"provider":{"sort":"price"},"prompt_cache_key":"k","session_id":"s","user":"u"}`,
			dialect.Head{Model: "m", Alternatives: []string{"a", "b"}, Preferences: []byte(`{"sort":"price"}`), Session: "s", User: "u", N: 1, ModelAt: dialect.Patch{At: 9, End: 12}}},
		"models alone": {`{"models":["a","b"],"prompt_cache_key":"k"}`, dialect.Head{Model: "a", Alternatives: []string{"b"}, Session: "k", N: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := codec.ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadHeadErrors(t *testing.T) {
	for body, want := range map[string]refusal{
		`{}`: {dialect.CodeMissingParameter, "model"}, `[]`: {dialect.CodeInvalidJSON, ""}, `{"model":"m","stream":"secret"}`: {dialect.CodeInvalidType, "stream"},
		`{"model":"m","store":true}`: {dialect.CodeUnsupportedParameter, "store"}, `{"model":"m","store":"secret"}`: {dialect.CodeInvalidType, "store"}, `{"model":"m","background":true}`: {dialect.CodeUnsupportedParameter, "background"},
		`{"model":"m","previous_response_id":"secret"}`: {dialect.CodeUnsupportedParameter, "previous_response_id"}, `{"model":"m","conversation":{"id":"secret"}}`: {dialect.CodeUnsupportedParameter, "conversation"},
		`{"model":"m","prompt":{"id":"secret"}}`: {dialect.CodeUnsupportedParameter, "prompt"}, `{"model":"m","models":"secret"}`: {dialect.CodeInvalidType, "models"}, `{"model":"m","provider":"secret"}`: {dialect.CodeInvalidType, "provider"}, `{"model":"m","preset":"secret"}`: {dialect.CodeUnsupportedParameter, "preset"},
		`{"model":"m","Store":true}`: {dialect.CodeInvalidValue, "store"}, `{"model":"m","store":false,"store":true}`: {dialect.CodeDuplicateParameter, "store"},
	} {
		_, err := codec.ReadHead([]byte(body))
		if diff := cmp.Diff(want, refusalOf(t, err)); diff != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v (-want +got):\n%s", body, err, diff)
		}
	}
}

func TestAppendError(t *testing.T) {
	reply := dialect.ErrorReply{Status: 400, Message: "no \"such\" model", Type: "invalid_request_error", Param: "model", Code: "model_not_found", Metadata: &dialect.Metadata{Provider: "p"}}
	const object = `{"message":"no \"such\" model","type":"invalid_request_error","param":"model","code":"model_not_found","metadata":{"provider":"p"}}`
	if diff := cmp.Diff(`kept {"error":`+object+`}`, string(codec.AppendError([]byte("kept "), reply))); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	want := "kept event: error\ndata: {\"type\":\"error\",\"code\":\"model_not_found\",\"message\":\"no \\\"such\\\" model\",\"param\":\"model\",\"sequence_number\":0,\"error\":" + object + "}\n\n"
	if diff := cmp.Diff(want, string(codec.AppendErrorEvent([]byte("kept "), reply))); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	var bare struct{ Error struct{ Param *string } }
	if err := json.Unmarshal(codec.AppendError(nil, dialect.ErrorReply{Message: "m"}), &bare); err != nil || bare.Error.Param != nil {
		t.Errorf("param %v, error %v", bare.Error.Param, err)
	}
}
