package openai

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

func TestRefusals(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"x"}]`
	for name, tc := range map[string]struct {
		path, body string
		status     int
		code       string
		param      string
		text       string
	}{
		"not json":              {"/v1/chat/completions", `{"model":`, 400, "", "", "We could not parse the JSON body"},
		"not an object":         {"/v1/chat/completions", `[1]`, 400, "", "", "We could not parse the JSON body"},
		"null":                  {"/v1/chat/completions", `null`, 400, "", "", "We could not parse the JSON body"},
		"no model":              {"/v1/chat/completions", `{` + messages + `}`, 400, "", "", "you must provide a model parameter"},
		"empty model":           {"/v1/chat/completions", `{"model":"",` + messages + `}`, 400, "", "", "you must provide a model parameter"},
		"model is a number":     {"/v1/chat/completions", `{"model":5,` + messages + `}`, 400, "invalid_type", "model", "Invalid type for 'model': expected a string"},
		"unknown model":         {"/v1/chat/completions", `{"model":"gpt-9",` + messages + `}`, 404, "model_not_found", "", "The model `gpt-9` does not exist or you do not have access to it."},
		"no messages":           {"/v1/chat/completions", `{"model":"gpt-4o"}`, 400, "missing_required_parameter", "messages", "Missing required parameter: 'messages'."},
		"empty messages":        {"/v1/chat/completions", `{"model":"gpt-4o","messages":[]}`, 400, "empty_array", "messages", "empty array"},
		"messages a string":     {"/v1/chat/completions", `{"model":"gpt-4o","messages":"x"}`, 400, "invalid_type", "messages", "expected an array, but got string"},
		"unknown role":          {"/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"boss","content":"x"}]}`, 400, "invalid_value", "messages[0].role", "'boss'"},
		"no role":               {"/v1/chat/completions", `{"model":"gpt-4o","messages":[{"content":"x"}]}`, 400, "missing_required_parameter", "messages[0].role", "role"},
		"no content":            {"/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user"}]}`, 400, "missing_required_parameter", "messages[0].content", "content"},
		"null content":          {"/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"user","content":null}]}`, 400, "", "messages.[0].content", "null"},
		"temperature":           {"/v1/chat/completions", `{"model":"gpt-4o","temperature":3,` + messages + `}`, 400, "decimal_above_max_value", "temperature", "<= 2"},
		"top_p":                 {"/v1/chat/completions", `{"model":"gpt-4o","top_p":-1,` + messages + `}`, 400, "decimal_below_min_value", "top_p", ">= 0"},
		"max_tokens zero":       {"/v1/chat/completions", `{"model":"gpt-4o","max_tokens":0,` + messages + `}`, 400, "integer_below_min_value", "max_tokens", "got 0 instead"},
		"both limits":           {"/v1/chat/completions", `{"model":"gpt-4o","max_tokens":1,"max_completion_tokens":1,` + messages + `}`, 400, "", "max_tokens", "same time"},
		"n too large":           {"/v1/chat/completions", `{"model":"gpt-4o","n":129,` + messages + `}`, 400, "integer_above_max_value", "n", "<= 128"},
		"five stops":            {"/v1/chat/completions", `{"model":"gpt-4o","stop":["a","b","c","d","e"],` + messages + `}`, 400, "array_above_max_length", "stop", "length 5"},
		"stop a number":         {"/v1/chat/completions", `{"model":"gpt-4o","stop":5,` + messages + `}`, 400, "invalid_type", "stop", "expected an array"},
		"options without":       {"/v1/chat/completions", `{"model":"gpt-4o","stream_options":{"include_usage":true},` + messages + `}`, 400, "", "stream_options", "only allowed when 'stream'"},
		"unknown field":         {"/v1/chat/completions", `{"model":"gpt-4o","route":"x",` + messages + `}`, 400, "", "", "Unrecognized request argument supplied: route"},
		"tool choice alone":     {"/v1/chat/completions", `{"model":"gpt-4o","tool_choice":"auto",` + messages + `}`, 400, "", "tool_choice", "only allowed when 'tools'"},
		"tool without name":     {"/v1/chat/completions", `{"model":"gpt-4o","tools":[{"type":"function","function":{}}],` + messages + `}`, 400, "missing_required_parameter", "tools[0].function.name", "name"},
		"prompt missing":        {"/v1/completions", `{"model":"gpt-4o"}`, 400, "missing_required_parameter", "prompt", "prompt"},
		"prompt an object":      {"/v1/completions", `{"model":"gpt-4o","prompt":{}}`, 400, "invalid_type", "prompt", "prompt"},
		"input missing":         {"/v1/embeddings", `{"model":"gpt-4o"}`, 400, "missing_required_parameter", "input", "input"},
		"encoding":              {"/v1/embeddings", `{"model":"gpt-4o","input":"x","encoding_format":"hex"}`, 400, "invalid_value", "encoding_format", "hex"},
		"dimensions":            {"/v1/embeddings", `{"model":"gpt-4o","input":"x","dimensions":0}`, 400, "integer_below_min_value", "dimensions", ">= 1"},
		"unknown path":          {"/v1/audio", `{}`, 404, "", "", "Invalid URL (POST /v1/audio)"},
		"wrong method":          {"/v1/models", `{}`, 405, "method_not_supported", "", "Not allowed to POST on /v1/models"},
		"chat body to embedder": {"/v1/embeddings", hello, 400, "", "", "Unrecognized request argument supplied: messages"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			got := r.post(tc.path, tc.body)
			body := decodeJSON[struct{ Error core.APIError }](t, got.body).Error
			if got.status != tc.status || text(body.Code) != tc.code || text(body.Param) != tc.param || !strings.Contains(body.Message, tc.text) {
				t.Errorf("got %d %s, want %d, code %q, param %q, text %q", got.status, got.body, tc.status, tc.code, tc.param, tc.text)
			}
			if record := r.ended(1); record.State != core.StateRefused || record.Status != tc.status {
				t.Errorf("recorded as %s with %d", record.State, record.Status)
			}
		})
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestContentTypeMatters(t *testing.T) {
	r := start(t, nil)
	for contentType, want := range map[string]int{"application/json": 200, "application/json; charset=utf-8": 200, "text/plain": 400, "": 400} {
		if got := r.post("/v1/chat/completions", hello, "Content-Type", contentType); got.status != want {
			t.Errorf("%q: got %d, want %d", contentType, got.status, want)
		}
	}
}

func TestErrorShapes(t *testing.T) {
	r := start(t, nil)
	for path, want := range map[string]string{
		"/openai/v1/chat/completions": `{"error":{"message":"you must provide a model parameter","type":"invalid_request_error"}}`,
		"/api/v1/chat/completions":    `{"error":{"message":"you must provide a model parameter","code":400}}`,
		"/v1/chat/completions":        `{"error":{"message":"you must provide a model parameter","type":"invalid_request_error","param":null,"code":null}}`,
	} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, r.post(path, `{}`).body); err != nil {
			t.Fatal(err)
		}
		if compact.String() != want {
			t.Errorf("%s: got %s, want %s", path, compact.String(), want)
		}
	}
}

func TestKeys(t *testing.T) {
	keys := []core.Key{
		{Value: "sk-good"},
		{Value: "sk-revoked", Status: 401},
		{Value: "sk-poor", Status: 429, Error: &core.APIError{Message: "You exceeded your current quota", Type: "insufficient_quota", Code: orNull("insufficient_quota")}},
		{Value: "sk-region", Status: 403},
	}
	for name, tc := range map[string]struct {
		authorization string
		status        int
		code          string
		text          string
	}{
		"accepted":         {"Bearer sk-good", 200, "", ""},
		"scheme in lower":  {"bearer sk-good", 200, "", ""},
		"missing":          {"", 401, "", "You didn't provide an API key"},
		"wrong scheme":     {"Basic sk-good", 401, "", "You didn't provide an API key"},
		"revoked":          {"Bearer sk-revoked", 401, "invalid_api_key", "Incorrect API key provided"},
		"own error":        {"Bearer sk-poor", 429, "insufficient_quota", "exceeded your current quota"},
		"usual error":      {"Bearer sk-region", 403, "unsupported_country_region_territory", "not supported"},
		"unknown, masked":  {"Bearer sk-abcdefghijklmnopqrstuvwx", 401, "invalid_api_key", "sk-abcde***************uvwx."},
		"short and masked": {"Bearer sk-secret", 401, "invalid_api_key", "provided: *********."},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(s *core.Settings) { s.Keys = keys })
			got := r.post("/v1/chat/completions", hello, "Authorization", tc.authorization)
			body := decodeJSON[struct{ Error core.APIError }](t, got.body).Error
			if got.status != tc.status || text(body.Code) != tc.code || !strings.Contains(body.Message, tc.text) {
				t.Errorf("got %d %s, want %d, %q, %q", got.status, got.body, tc.status, tc.code, tc.text)
			}
		})
	}
}

func TestKeyOwnsItsRateLimit(t *testing.T) {
	r := start(t, func(s *core.Settings) {
		s.Keys = []core.Key{{Value: "sk-test", RateLimit: &core.RateLimit{RemainingTokens: 42}}, {Value: "sk-other"}}
	})
	for key, want := range map[string]string{"sk-test": "42", "sk-other": "1999000"} {
		if got := r.post("/v1/chat/completions", hello, "Authorization", "Bearer "+key).header.Get("X-Ratelimit-Remaining-Tokens"); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
}

func TestUnknownParametersCanBeIgnored(t *testing.T) {
	body := strings.TrimSuffix(hello, "}") + `,"provider":{"order":["x"]}}`
	r := start(t, func(s *core.Settings) { s.UnknownParameters = core.UnknownIgnored })
	if got := r.post("/v1/chat/completions", body); got.status != http.StatusOK {
		t.Errorf("ignoring: got %d", got.status)
	}
	if got := start(t, nil).post("/api/v1/chat/completions", body); got.status != http.StatusOK {
		t.Errorf("openrouter: got %d", got.status)
	}
}

// FuzzRequestBodies: whatever the body, the answer is JSON with a status that a provider would give.
func FuzzRequestBodies(f *testing.F) {
	for _, seed := range []string{
		hello, `{"model":"gpt-4o","prompt":[1,2,3]}`, `{"model":"gpt-4o","input":["a","b"],"encoding_format":"base64"}`, `{`, `null`, `{"model":{}}`,
		`{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"tools":[{"function":{"name":"f","parameters":{"type":"array"}}}]}`,
		strings.Repeat("[", 10000),
	} {
		f.Add(seed)
	}
	server, err := core.New(core.Options{})
	if err != nil {
		f.Fatal(err)
	}
	handler := server.Handler(Routes(), Fallbacks())
	f.Fuzz(func(t *testing.T, body string) {
		for _, endpoint := range []string{"chat/completions", "completions", "embeddings"} {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/"+endpoint, strings.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer sk-test")
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			streamed := strings.HasPrefix(recorder.Header().Get("Content-Type"), "text/event-stream")
			if !streamed && !json.Valid(recorder.Body.Bytes()) {
				t.Errorf("%s: answer is not JSON: %q", endpoint, recorder.Body.Bytes())
			}
			if code := recorder.Code; code != 200 && code != 400 && code != 404 {
				t.Errorf("%s: status %d", endpoint, code)
			}
		}
	})
}
