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
)

func TestReadHead(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		api  dialect.Surface
		want dialect.Head
	}{
		"plain":               {body: `{"model":"chat","messages":[]}`, want: dialect.Head{Model: "chat", N: 1}},
		"blanks around":       {body: " \r\n\t{ \"model\" : \"chat\" } \n", want: dialect.Head{Model: "chat", N: 1}},
		"stream":              {body: `{"model":"chat","stream":true}`, want: dialect.Head{Model: "chat", Stream: true, N: 1}},
		"usage":               {body: `{"stream_options":{"include_usage":true},"stream":true,"model":"a/b:c"}`, want: dialect.Head{Model: "a/b:c", Stream: true, IncludeUsage: true, N: 1}},
		"explicit nulls":      {body: `{"model":"chat","stream":null,"stream_options":null,"n":null,"max_tokens":null,"models":null,"preset":null,"provider":null,"session_id":null,"prompt_cache_key":null,"user":null,"stop":null}`, want: dialect.Head{Model: "chat", N: 1, Special: true}},
		"include_usage null":  {body: `{"model":"chat","stream":true,"stream_options":{"include_usage":null}}`, want: dialect.Head{Model: "chat", Stream: true, N: 1}},
		"escaped names":       {body: `{"mod\u0065l":"\u0063hat","str\u0065am":true}`, want: dialect.Head{Model: "chat", Stream: true, N: 1}},
		"limits":              {body: `{"model":"chat","max_tokens":5,"max_completion_tokens":7,"n":3}`, want: dialect.Head{Model: "chat", MaxTokens: 7, N: 3}},
		"old limit":           {body: `{"model":"chat","max_tokens":5}`, want: dialect.Head{Model: "chat", MaxTokens: 5, N: 1}},
		"senseless limits":    {body: `{"model":"chat","max_tokens":-5,"max_completion_tokens":1e99999,"n":"x"}`, want: dialect.Head{Model: "chat", N: 1}},
		"nested names":        {body: `{"metadata":{"model":"evil","stream":true},"messages":[{"model":1}],"model":"chat"}`, want: dialect.Head{Model: "chat", N: 1}},
		"huge number":         {body: `{"model":"chat","seed":` + strings.Repeat("9", 5000) + `}`, want: dialect.Head{Model: "chat", N: 1}},
		"lone surrogate":      {body: `{"model":"chat","messages":["\ud800"]}`, want: dialect.Head{Model: "chat", N: 1}},
		"escaped NUL":         {body: `{"model":"chat","messages":["\u0000"]}`, want: dialect.Head{Model: "chat", N: 1}},
		"not our names":       {body: `{"model":"chat","modell":1,"nn":2,"streams":true}`, want: dialect.Head{Model: "chat", N: 1}},
		"no alternatives":     {body: `{"model":"chat","models":[ ]}`, want: dialect.Head{Model: "chat", N: 1, Special: true}},
		"alternatives":        {body: `{"models":["d","b","a"],"model":"a,b , c"}`, want: dialect.Head{Model: "a", Alternatives: []string{"b", "c", "d"}, N: 1, Special: true}},
		"a comma alone":       {body: `{"model":"a,b"}`, want: dialect.Head{Model: "a", Alternatives: []string{"b"}, N: 1}},
		"models alone":        {body: `{"models":["a","b"],"messages":[]}`, want: dialect.Head{Model: "a", Alternatives: []string{"b"}, N: 1, Special: true}},
		"alternative vectors": {body: `{"models":["a","b"]}`, api: openai.Vectors{}, want: dialect.Head{Model: "a", Alternatives: []string{"b"}, N: 1, Special: true}},
		"alternative images":  {body: `{"models":["a","b"]}`, api: openai.Plain{API: neutral.ImageGenerations}, want: dialect.Head{Model: "a", Alternatives: []string{"b"}, N: 1, Special: true}},
		"alternative checks":  {body: `{"models":["a"]}`, api: openai.Plain{API: neutral.Moderations}, want: dialect.Head{Model: "a", N: 1, Special: true}},
		"a session":           {body: `{"prompt_cache_key":"k","session_id":"s","user":"u","model":"chat"}`, want: dialect.Head{Model: "chat", Session: "s", User: "u", N: 1, Special: true}},
		"a cache key":         {body: `{"prompt_cache_key":"k","model":"chat","user":"u"}`, want: dialect.Head{Model: "chat", Session: "k", User: "u", N: 1}},
		"a safety identifier": {body: `{"model":"chat","safety_identifier":"s"}`, want: dialect.Head{Model: "chat", User: "s", N: 1}},
		"user goes first":     {body: `{"model":"chat","safety_identifier":"s","user":"u"}`, want: dialect.Head{Model: "chat", User: "u", N: 1}},
		"user stays first":    {body: `{"model":"chat","user":"u","safety_identifier":"s"}`, want: dialect.Head{Model: "chat", User: "u", N: 1}},
		"a null beside it":    {body: `{"model":"chat","safety_identifier":"s","user":null}`, want: dialect.Head{Model: "chat", User: "s", N: 1}},
		"odd names":           {body: `{"prompt_cache_key":1,"model":"chat","user":{},"session_id":[]}`, want: dialect.Head{Model: "chat", N: 1, Special: true}},
		"embeddings":          {body: `{"model":"embed","input":"x","stream":false}`, api: openai.Vectors{}, want: dialect.Head{Model: "embed", N: 1}},
		"special members":     {body: `{"model":"chat","provider":{}}`, want: dialect.Head{Model: "chat", Preferences: []byte("{}"), N: 1, Special: true}},
		"moderation":          {body: ` {"input":"x"}`, api: openai.Plain{API: neutral.Moderations}, want: dialect.Head{Model: "omni-moderation-latest", N: 1}},
		"images":              {body: `{"model":"draw","n":2,"stream":true,"partial_images":1}`, api: openai.Plain{API: neutral.ImageGenerations}, want: dialect.Head{Model: "draw", N: 2, Stream: true}},
		"speech":              {body: `{"model":"say","stream_format":"audio"}`, api: openai.Plain{API: neutral.Speech}, want: dialect.Head{Model: "say", N: 1}},
		"streamed speech":     {body: `{"model":"say","stream_format":"sse"}`, api: openai.Plain{API: neutral.Speech}, want: dialect.Head{Model: "say", N: 1, Stream: true}},
		"longest model":       {body: `{"model":"` + strings.Repeat("m", dialect.MaxModelBytes) + `"}`, want: dialect.Head{Model: strings.Repeat("m", dialect.MaxModelBytes), N: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := surfaceOr(tc.api).ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if model := string(dialect.Apply(nil, []byte(tc.body), []dialect.Patch{got.ModelAt})); tc.api == nil && strings.Contains(model, `hat"`) {
				t.Errorf("ModelAt leaves the model: %s", model)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(dialect.Head{}, "ModelAt", "UsageAt", "OptionsAt")); diff != "" {
				t.Errorf("head (-want +got):\n%s", diff)
			}
		})
	}
}

// surfaceOr is a case's surface, Chat where it names none.
func surfaceOr(s dialect.Surface) dialect.Surface {
	if s == nil {
		return openai.Chat{}
	}
	return s
}

func TestReadHeadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		body  string
		api   dialect.Surface
		code  dialect.RequestCode
		param string
	}{
		"empty":                      {body: ``, code: dialect.CodeInvalidJSON},
		"blanks":                     {body: "  \n", code: dialect.CodeInvalidJSON},
		"not JSON":                   {body: `model=chat`, code: dialect.CodeInvalidJSON},
		"an array":                   {body: `[{"model":"chat"}]`, code: dialect.CodeInvalidJSON},
		"a string":                   {body: `"chat"`, code: dialect.CodeInvalidJSON},
		"truncated":                  {body: `{"model":"chat","messages":[{"role":"us`, code: dialect.CodeInvalidJSON},
		"trailing garbage":           {body: `{"model":"chat"}x`, code: dialect.CodeInvalidJSON},
		"two objects":                {body: `{"model":"chat"}{"model":"other"}`, code: dialect.CodeInvalidJSON},
		"NUL behind":                 {body: "{\"model\":\"chat\"}\x00", code: dialect.CodeInvalidJSON},
		"NUL inside":                 {body: "{\"model\":\"ch\x00at\"}", code: dialect.CodeInvalidJSON},
		"byte order mark":            {body: "\ufeff{\"model\":\"chat\"}", code: dialect.CodeInvalidJSON},
		"UTF-16":                     {body: "{\x00\"\x00", code: dialect.CodeInvalidJSON},
		"invalid UTF-8":              {body: "{\"model\":\"chat\",\"user\":\"\xff\"}", code: dialect.CodeInvalidJSON},
		"encoded surrogate":          {body: "{\"model\":\"chat\",\"user\":\"\xed\xa0\x80\"}", code: dialect.CodeInvalidJSON},
		"comment":                    {body: `{"model":"chat" /* c */}`, code: dialect.CodeInvalidJSON},
		"trailing comma":             {body: `{"model":"chat",}`, code: dialect.CodeInvalidJSON},
		"single quotes":              {body: `{'model':'chat'}`, code: dialect.CodeInvalidJSON},
		"NaN":                        {body: `{"model":"chat","temperature":NaN}`, code: dialect.CodeInvalidJSON},
		"10,000 arrays":              {body: `{"model":"chat","messages":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, code: dialect.CodeInvalidJSON},
		"10,000 objects":             {body: `{"model":"chat","messages":` + strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000) + `}`, code: dialect.CodeInvalidJSON},
		"no model":                   {body: `{"messages":[]}`, code: dialect.CodeMissingParameter, param: "model"},
		"nothing":                    {body: `{}`, code: dialect.CodeMissingParameter, param: "model"},
		"model null":                 {body: `{"model":null}`, code: dialect.CodeInvalidType, param: "model"},
		"model number":               {body: `{"model":5}`, code: dialect.CodeInvalidType, param: "model"},
		"model list":                 {body: `{"model":["chat"]}`, code: dialect.CodeInvalidType, param: "model"},
		"model empty":                {body: `{"model":""}`, code: dialect.CodeInvalidValue, param: "model"},
		"model too long":             {body: `{"model":"` + strings.Repeat("m", dialect.MaxModelBytes+1) + `"}`, code: dialect.CodeInvalidValue, param: "model"},
		"model with NUL":             {body: `{"model":"chat\u0000"}`, code: dialect.CodeInvalidValue, param: "model"},
		"model with line feed":       {body: `{"model":"chat\n"}`, code: dialect.CodeInvalidValue, param: "model"},
		"model with lone surrogate":  {body: `{"model":"chat\udc00"}`, code: dialect.CodeInvalidValue, param: "model"},
		"model twice":                {body: `{"model":"chat","model":"chat"}`, code: dialect.CodeDuplicateParameter, param: "model"},
		"model twice, escaped":       {body: `{"model":"chat","mod\u0065l":"other"}`, code: dialect.CodeDuplicateParameter, param: "model"},
		"stream twice":               {body: `{"model":"chat","stream":true,"stream":false}`, code: dialect.CodeDuplicateParameter, param: "stream"},
		"stream_options twice":       {body: `{"model":"chat","stream_options":{},"stream_options":null}`, code: dialect.CodeDuplicateParameter, param: "stream_options"},
		"limit twice":                {body: `{"model":"chat","max_tokens":1,"max_tokens":2}`, code: dialect.CodeDuplicateParameter, param: "max_tokens"},
		"model in capitals":          {body: `{"model":"chat","Model":"other"}`, code: dialect.CodeInvalidValue, param: "model"},
		"stream with a long s":       {body: `{"model":"chat","ſtream":true}`, code: dialect.CodeInvalidValue, param: "stream"},
		"limit with a Kelvin sign":   {body: `{"model":"chat","max_to\u212aens":1}`, code: dialect.CodeInvalidValue, param: "max_tokens"},
		"stream as text":             {body: `{"model":"chat","stream":"true"}`, code: dialect.CodeInvalidType, param: "stream"},
		"stream as number":           {body: `{"model":"chat","stream":1}`, code: dialect.CodeInvalidType, param: "stream"},
		"stream_options as flag":     {body: `{"model":"chat","stream":true,"stream_options":true}`, code: dialect.CodeInvalidType, param: "stream_options"},
		"stream_options as list":     {body: `{"model":"chat","stream_options":[]}`, code: dialect.CodeInvalidType, param: "stream_options"},
		"include_usage as text":      {body: `{"model":"chat","stream_options":{"include_usage":"yes"}}`, code: dialect.CodeInvalidType, param: "stream_options.include_usage"},
		"include_usage twice":        {body: `{"model":"chat","stream_options":{"include_usage":true,"include_us\u0061ge":false}}`, code: dialect.CodeDuplicateParameter, param: "stream_options.include_usage"},
		"include_usage capitals":     {body: `{"model":"chat","stream_options":{"Include_Usage":true}}`, code: dialect.CodeDuplicateParameter, param: "stream_options.include_usage"},
		"models of one":              {body: `{"model":"chat","models":"dear"}`, code: dialect.CodeInvalidType, param: "models"},
		"models of objects":          {body: `{"model":"chat","models":[{"model":"dear"}]}`, code: dialect.CodeInvalidType, param: "models"},
		"an unprintable alternative": {body: `{"model":"chat","models":["a\nb"]}`, code: dialect.CodeInvalidValue, param: "models"},
		"an empty alternative":       {body: `{"model":"chat,"}`, code: dialect.CodeInvalidValue, param: "model"},
		"models null alone":          {body: `{"models":null}`, code: dialect.CodeMissingParameter, param: "model"},
		"models twice":               {body: `{"model":"chat","models":[],"models":["dear"]}`, code: dialect.CodeDuplicateParameter, param: "models"},
		"preferences of a list":      {body: `{"model":"chat","provider":["x"]}`, code: dialect.CodeInvalidType, param: "provider"},
		"preset":                     {body: `{"model":"chat","preset":"p"}`, code: dialect.CodeUnsupportedParameter, param: "preset"},
		"embeddings cannot stream":   {body: `{"model":"chat","stream":true}`, api: openai.Vectors{}, code: dialect.CodeUnsupportedParameter, param: "stream"},
		"first finding wins":         {body: `{"model":5,`, code: dialect.CodeInvalidType, param: "model"},
		"syntax of an unread member": {body: `{"model":"chat","messages":[tru]}`, code: dialect.CodeInvalidJSON},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := surfaceOr(tc.api).ReadHead([]byte(tc.body))
			var problem *dialect.RequestError
			if !errors.As(err, &problem) {
				t.Fatalf("error %v, want a RequestError", err)
			}
			if problem.Code != tc.code || problem.Param != tc.param || problem.Message == "" {
				t.Errorf("error %+v, want code %s, param %q", problem, tc.code, tc.param)
			}
		})
	}
}

func TestRequestErrorsHoldNothingOfTheBody(t *testing.T) {
	for _, body := range []string{`{"model":"se` + "\x01" + `cret"}`, `{"model":"chat","stream":"secret"}`, `{"secret" "model"}`, `secret`, `{"model":"chat"}secret`} {
		_, err := openai.Chat{}.ReadHead([]byte(body))
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", body, err)
		}
	}
}

// TestAppendPassedPlainly changes what every request needs and nothing else.
func TestAppendPassedPlainly(t *testing.T) {
	both := dialect.Target{Model: `up"stream`, Provider: "OpenAICompatible"}
	dropped := dialect.Target{Model: "up", Provider: "OpenAICompatible", Quirks: dialect.Quirks{NoStreamUsage: true}}
	for name, tc := range map[string]struct {
		body, want string
		to         dialect.Target
	}{
		"model":              {body: `{ "model" : "ch\u0061t" , "x":1.0e0}`, to: dropped, want: `{ "model" : "up" , "x":1.0e0}`},
		"model, no stream":   {body: `{"model":"chat","stream":false}`, to: both, want: `{"model":"up\"stream","stream":false}`},
		"no options":         {body: `{"model":"chat","stream":true}`, to: both, want: `{"model":"up\"stream","stream_options":{"include_usage":true},"stream":true}`},
		"null options":       {body: `{"stream_options":null,"stream":true,"model":"chat"}`, to: both, want: `{"stream_options":{"include_usage":true},"stream":true,"model":"up\"stream"}`},
		"null behind":        {body: `{"stream":true,"model":"chat","stream_options":null}`, to: both, want: `{"stream":true,"model":"up\"stream","stream_options":{"include_usage":true}}`},
		"empty options":      {body: `{"stream_options":{ },"stream":true,"model":"chat"}`, to: both, want: `{"stream_options":{"include_usage":true },"stream":true,"model":"up\"stream"}`},
		"other options":      {body: `{"model":"chat","stream":true,"stream_options":{ "a":[]}}`, to: both, want: `{"model":"up\"stream","stream":true,"stream_options":{"include_usage":true, "a":[]}}`},
		"turned off":         {body: `{"model":"chat","stream":true,"stream_options":{"a":1,"include_usage": false }}`, to: both, want: `{"model":"up\"stream","stream":true,"stream_options":{"a":1,"include_usage": true }}`},
		"on already":         {body: `{"model":"chat","stream":true,"stream_options":{"include_usage":true}}`, to: both, want: `{"model":"up\"stream","stream":true,"stream_options":{"include_usage":true}}`},
		"dropped first":      {body: `{ "stream_options" : {"a":1} , "model":"chat","stream":true}`, to: dropped, want: `{  "model":"up","stream":true}`},
		"dropped between":    {body: `{"stream":true,"stream_options":null,"model":"chat"}`, to: dropped, want: `{"stream":true,"model":"up"}`},
		"dropped last":       {body: `{"model":"chat","stream":true , "stream_options":{}}`, to: dropped, want: `{"model":"up","stream":true }`},
		"dropped behind":     {body: `{"model":"chat","stream_options":{"include_usage":false}}`, to: dropped, want: `{"model":"up"}`},
		"nothing to drop":    {body: `{"model":"chat","stream":true}`, to: dropped, want: `{"model":"up","stream":true}`},
		"model of a unicode": {body: `{"model":"chat"}`, to: dialect.Target{Model: "é\n"}, want: `{"model":"é\n"}`},
	} {
		t.Run(name, func(t *testing.T) {
			head, err := openai.Chat{}.ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			got, report, err := openai.Chat{}.AppendPassed([]byte("kept "), []byte(tc.body), head, tc.to)
			if string(got) != "kept "+tc.want || len(report.Dropped) > 0 || err != nil {
				t.Errorf("passed as\n%s, %v, %v\nwant\nkept %s", got, report, err, tc.want)
			}
		})
	}
}

var bodies = []string{
	`{"model":"chat","messages":[{"role":"user","content":"hi"}]}`, `{"stream":true,"model":"chat"}`, `{"stream_options":null,"stream":true,"model":"chat"}`,
	`{"stream_options":{"include_usage":false},"stream":true,"model":"chat"}`, "{\"model\":\"chat\" ,\n\"stream_options\":{} }", `{"stream_options":{"a":{}},"stream":true,"model":"chat","n":2}`,
	`{"mod\u0065l":"chat","max_tokens":5}`, `{"model":"a","Model":"b"}`, `{"model":"a","model":"b"}`, `{"model":"a"}{}`, "\ufeff{}", `{"model":"\ud800"}`,
	`{"model":"a","x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, `{"model":"a","models":["b"]}`, "{\"model\":\"a\xff\"}",
}

// FuzzRequest checks that what is read agrees with encoding/json, and that a rewritten body decodes to the original with the edits and nothing else.
func FuzzRequest(f *testing.F) {
	for _, body := range bodies {
		f.Add([]byte(body), "upstream/model")
	}
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		head, err := openai.Chat{}.ReadHead(body)
		if err != nil {
			var problem *dialect.RequestError
			if !errors.As(err, &problem) || problem.Code == "" || problem.Message == "" {
				t.Fatalf("%q: error %#v", body, err)
			}
			return
		}
		checkPassed(t, body, head, model)
	})
}

// readsModel tells whether a request names this model, or several.
func readsModel(request map[string]any, model string) bool {
	_, several := request["models"]
	named, _ := request["model"].(string)
	return several || strings.Contains(named, ",") || named == model
}

// checkPassed compares what passes with the same edits of the decoded body.
func checkPassed(t *testing.T, body []byte, head dialect.Head, model string) {
	t.Helper()
	before := decode(t, body)
	if !readsModel(before, head.Model) || (before["stream"] == true) != head.Stream {
		t.Fatalf("%q is read as %+v", body, head)
	}
	before["model"] = strings.ToValidUTF8(model, "?")
	to := dialect.Target{Model: strings.ToValidUTF8(model, "?"), Provider: "OpenRouter"}
	after := decode(t, pass(t, body, head, to))
	options, _ := before["stream_options"].(map[string]any)
	if head.Stream {
		if options == nil {
			options = map[string]any{}
		}
		options["include_usage"] = true
		before["stream_options"] = options
	}
	// Some members mean something to the proxy; TestAppendPassedQuirks is about them.
	special := head.Special || strings.Contains(string(body), "reasoning_details") || strings.Contains(string(body), "extra_content")
	if diff := cmp.Diff(before, after); diff != "" && !special {
		t.Fatalf("%q (-want +got):\n%s", body, diff)
	}
	delete(before, "stream_options")
	to.Quirks.NoStreamUsage = true
	after = decode(t, pass(t, body, head, to))
	if diff := cmp.Diff(before, after); diff != "" && !special {
		t.Fatalf("%q without stream_options (-want +got):\n%s", body, diff)
	}
}

// pass passes a request that a target can take.
func pass(t *testing.T, body []byte, head dialect.Head, to dialect.Target) []byte {
	t.Helper()
	got, _, err := openai.Chat{}.AppendPassed(nil, body, head, to)
	if err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return got
}

func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var got map[string]any
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return got
}

func bodyOf(size int) []byte {
	text := strings.Repeat("Tell me about the signal box at the junction, please. ", size/54)
	return []byte(`{"model":"chat","stream":true,"temperature":0.7,"messages":[{"role":"system","content":"Be short."},{"role":"user","content":"` + text + `"}],"max_tokens":512}`)
}

func BenchmarkReadHead(b *testing.B) {
	for name, size := range map[string]int{"2KB": 2 << 10, "100KB": 100 << 10} {
		body := bodyOf(size)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (openai.Chat{}).ReadHead(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendPassed(b *testing.B) {
	for name, tc := range map[string]struct {
		size int
		to   dialect.Target
	}{
		"2KB":         {2 << 10, dialect.Target{Model: "llama-3.3-70b-versatile", Provider: "OpenAICompatible"}},
		"100KB":       {100 << 10, dialect.Target{Model: "llama-3.3-70b-versatile", Provider: "OpenAICompatible"}},
		"2KB, quirks": {2 << 10, dialect.Target{Model: "llama-3.3-70b-versatile", Provider: "Groq", Quirks: dialect.Quirks{Refused: []string{"logit_bias"}, RefusedInMessages: []string{"name"}}}},
	} {
		b.Run(name, func(b *testing.B) {
			body := bodyOf(tc.size)
			head, err := openai.Chat{}.ReadHead(body)
			if err != nil {
				b.Fatal(err)
			}
			var buffer []byte
			b.ReportAllocs()
			for b.Loop() {
				if buffer, _, err = (openai.Chat{}).AppendPassed(buffer[:0], body, head, tc.to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
