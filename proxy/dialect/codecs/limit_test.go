package codecs_test

import (
	"encoding/json"
	"slices"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// limitPaths are all places of an output limit in the requests of an API.
func limitPaths(api neutral.API) [][]string {
	switch api {
	case neutral.Responses:
		return [][]string{{"max_output_tokens"}}
	case neutral.GenerateContent:
		return [][]string{{"generationConfig", "maxOutputTokens"}, {"generationConfig", "max_output_tokens"}, {"generation_config", "maxOutputTokens"}}
	case neutral.Converse:
		return [][]string{{"inferenceConfig", "maxTokens"}}
	default:
		return [][]string{{"max_tokens"}, {"max_completion_tokens"}}
	}
}

// TestOutputLimit sends every request with exactly one limit: the lower one of the client's and the proxy's.
func TestOutputLimit(t *testing.T) {
	const chat = `{"model":"m","messages":[{"role":"user","content":"x"}]`
	const gemini = `{"contents":[{"role":"user","parts":[{"text":"x"}]}]`
	const limit = 50
	bodies := map[neutral.API]map[string]int64{
		neutral.ChatCompletions: {
			chat + `}`: limit, chat + `,"max_tokens":20}`: 20, chat + `,"max_completion_tokens":20}`: 20, chat + `,"max_tokens":200,"stream":true}`: limit,
			chat + `,"max_completion_tokens":90,"max_tokens":10}`: limit, chat + `,"max_tokens":null}`: limit,
		},
		neutral.Completions: {`{"model":"m","prompt":"x"}`: limit, `{"model":"m","prompt":"x","max_tokens":20}`: 20, `{"max_tokens":99,"model":"m","prompt":"x"}`: limit},
		neutral.Responses: {
			`{"model":"m","input":"x","store":false}`: limit, `{"model":"m","input":"x","max_output_tokens":20}`: 20, `{"max_output_tokens":99,"model":"m","input":"x","store":false}`: limit,
		},
		neutral.Messages: {chat + `,"max_tokens":20}`: 20, chat + `,"max_tokens":99}`: limit, chat + `,"max_tokens":99,"stream":true}`: limit},
		neutral.GenerateContent: {
			gemini + `}`: limit, gemini + `,"generationConfig":{"maxOutputTokens":20,"topK":3}}`: 20, gemini + `,"generation_config":{"max_output_tokens":"99"}}`: limit,
			gemini + `,"generationConfig":{}}`: limit, gemini + `,"generationConfig":null}`: limit,
		},
	}
	known := codecs.Default()
	for surface, cases := range bodies {
		for _, upstream := range []neutral.API{
			neutral.ChatCompletions, neutral.Completions, neutral.Responses, neutral.Messages, neutral.GenerateContent, neutral.Converse, neutral.CohereChat,
		} {
			joint, ok := known.Join(surface, upstream)
			if !ok {
				continue
			}
			for body, want := range cases {
				for _, quirk := range []string{"", "max_tokens", "max_completion_tokens"} {
					target := dialect.Target{Model: "up", Provider: "OpenAICompatible", OutputLimit: limit, Quirks: dialect.Quirks{MaxTokens: quirk}}
					sent := sentFor(t, joint, body, target)
					if limits := limitsIn(sent, upstream); !slices.Equal(limits, []int64{want}) {
						t.Errorf("%s becomes %s of limits %d, want %d", body, sent, limits, want)
					}
				}
			}
		}
	}
}

// sentFor is what a request becomes for a target.
func sentFor(t *testing.T, joint dialect.Joint, body string, target dialect.Target) []byte {
	t.Helper()
	head, err := codecs.Default().Surface(surfaceOf(body)).ReadHead([]byte(body))
	if err != nil {
		t.Fatal(body, err)
	}
	sent, _, err := joint.AppendRequest(nil, &dialect.Inbound{Body: []byte(body), Head: head}, target)
	if err != nil || !json.Valid(sent) {
		t.Fatalf("%s becomes %s, %v", body, sent, err)
	}
	return sent
}

// limitsIn are all output limits of a request.
func limitsIn(sent []byte, api neutral.API) []int64 {
	var limits []int64
	for _, path := range limitPaths(api) {
		if value := jsonscan.Lookup(sent, path...); value != nil {
			limits = append(limits, dialect.ReadCount(value))
		}
	}
	return limits
}

// surfaceOf is the API of a request of this test.
func surfaceOf(body string) neutral.API {
	for _, api := range []struct {
		member string
		api    neutral.API
	}{{"prompt", neutral.Completions}, {"input", neutral.Responses}, {"contents", neutral.GenerateContent}} {
		if jsonscan.Lookup([]byte(body), api.member) != nil {
			return api.api
		}
	}
	return neutral.ChatCompletions
}

// TestOutputLimitOfThinking keeps Anthropic's budget for thinking below the limit, and leaves it out where there is no room.
func TestOutputLimitOfThinking(t *testing.T) {
	known := codecs.Default()
	joint, _ := known.Join(neutral.Messages, neutral.Messages)
	for name, tc := range map[string]struct {
		limit int64
		want  string
	}{
		"room for all":  {limit: 5000, want: `{"type":"enabled","budget_tokens":2000}`},
		"room for some": {limit: 1500, want: `{"type":"enabled","budget_tokens":1499}`},
		"just as much":  {limit: 2000, want: `{"type":"enabled","budget_tokens":1999}`},
		"no room":       {limit: 1024},
		"no limit":      {want: `{"type":"enabled","budget_tokens":2000}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"model":"m","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"x"}]}`
			head, err := known.Surface(neutral.Messages).ReadHead([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			sent, report, err := joint.AppendRequest(nil, &dialect.Inbound{Body: []byte(body), Head: head}, dialect.Target{Model: "up", OutputLimit: tc.limit})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(jsonscan.Lookup(sent, "thinking")); got != tc.want || (len(report.Dropped) > 0) != (tc.want == "") {
				t.Errorf("thinking is %s, want %s; dropped %v", got, tc.want, report.Dropped)
			}
		})
	}
}
