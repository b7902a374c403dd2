package anthropic_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

func TestAppendPassed(t *testing.T) {
	version := []neutral.Member{{Name: "anthropic_version", Value: json.RawMessage(`"v"`)}}
	vertex := dialect.Target{Model: "up", ModelInPath: true, Set: version, Origin: neutral.OriginAnthropic}
	bedrock := dialect.Target{Model: "up", ModelInPath: true, StreamInPath: true, Set: version, Betas: []string{"b"}, Origin: neutral.OriginAnthropic, Quirks: dialect.Quirks{NoImageURLs: true}}
	direct := dialect.Target{Model: "up", Origin: neutral.OriginAnthropic}
	openAI := neutral.TagSeal(neutral.OriginOpenAI, "s")
	block := func(kind, name, seal string) string { return `{"type":"` + kind + `","` + name + `":"` + seal + `"}` }
	chat := func(blocks string) string {
		return `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + blocks + `]},{"role":"user","content":"b"}]}`
	}
	up := func(blocks string) string {
		return `{"model":"up","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + blocks + `]},{"role":"user","content":"b"}]}`
	}
	const (
		word       = `{"type":"text","text":"w"}`
		asked      = `{"role":"user","content":"a"},`
		called     = `{"role":"assistant","content":[{"type":"tool_use","id":"c"}]},`
		thoughtful = `{"role":"assistant","content":[{"type":"thinking","signature":"s"},{"type":"tool_use","id":"c"}]},`
		answered   = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}`
	)
	for name, tc := range map[string]struct {
		body    string
		to      dialect.Target
		want    string
		dropped []string
	}{
		"instructions inside, in a list": {
			`{"model":"m","system":[ {"type":"text","text":"s"} ],"messages":[{"role":"system","content":"i\n"}, ` + asked + `{"role":"system","content":[ {"type":"text","text":"j","cache_control":{"type":"ephemeral"}} ]}]}`, vertex,
			`{"system":[ {"type":"text","text":"s"} ,{"type":"text","text":"i\n"},{"type":"text","text":"j","cache_control":{"type":"ephemeral"}}],"messages":[` + strings.TrimSuffix(asked, ",") + `],"anthropic_version":"v"}`, nil,
		},
		"instructions inside, a text": {
			`{"model":"m","messages":[` + asked + `{"role":"\u0073ystem","content":"i"}],"system":"s"}`, vertex, `{"messages":[` + strings.TrimSuffix(asked, ",") + `],"system":[{"type":"text","text":"s"},{"type":"text","text":"i"}],"anthropic_version":"v"}`, nil,
		},
		"instructions inside, none before": {
			`{"model":"m","messages":[` + asked + `{"role":"system","content":"i"},` + asked + `{"role":"user","content":"z"}],"system":null}`, bedrock,
			`{"messages":[` + asked + asked + `{"role":"user","content":"z"}],"anthropic_version":"v","anthropic_beta":["b"],"system":[{"type":"text","text":"i"}]}`, nil,
		},
		"instructions inside, none at all": {
			`{"messages":[{"role":"system","content":"i"}],"system":"","x":1,"model":"m"}`, vertex, `{"messages":[],"system":[{"type":"text","text":"i"}],"x":1,"anthropic_version":"v"}`, nil,
		},
		"instructions inside, empty lists": {
			`{"model":"m","messages":[{"role":"system","content":[]},{"role":"system","content":"i"}],"system":[ ]}`, vertex, `{"messages":[],"system":[ {"type":"text","text":"i"}],"anthropic_version":"v"}`, nil,
		},
		"instructions inside, without content": {`{"model":"m","messages":[{"role":"system"}]}`, vertex, `{"messages":[{"role":"system"}],"anthropic_version":"v"}`, nil},
		"instructions inside, which the target knows": {
			`{"model":"m","messages":[` + asked + `{"role":"system","content":"i"}]}`, direct, `{"model":"up","messages":[` + asked + `{"role":"system","content":"i"}]}`, nil,
		},
		"the model":               {` {"model" : "m", "x":[ 1 ] } `, direct, ` {"model" : "up", "x":[ 1 ] } `, nil},
		"the same model":          {`{"model":"\u0075p"}`, direct, `{"model":"\u0075p"}`, nil},
		"Vertex":                  {`{"model":"m","stream":true,"messages":[]}`, vertex, `{"stream":true,"messages":[],"anthropic_version":"v"}`, nil},
		"Bedrock":                 {`{"stream":true,"messages":[],"model":"m"}`, bedrock, `{"messages":[],"anthropic_version":"v","anthropic_beta":["b"]}`, nil},
		"Bedrock, in the middle":  {`{"messages":[], "model":"m", "stream":true ,"x":1}`, bedrock, `{"messages":[] ,"x":1,"anthropic_version":"v","anthropic_beta":["b"]}`, nil},
		"Bedrock, nothing left":   {`{ "model":"m","stream":false }`, bedrock, `{ "anthropic_version":"v","anthropic_beta":["b"]}`, nil},
		"what the host sets":      {`{"model":"m","anthropic_version":"old","anthropic_beta":["old"]}`, bedrock, `{"anthropic_version":"v","anthropic_beta":["b"]}`, nil},
		"refused members":         {`{"model":"m","metadata":{},"speed":"fast","max_tokens":1}`, dialect.Target{Model: "up", Quirks: dialect.Quirks{Refused: []string{"metadata", "speed"}}}, `{"model":"up","max_tokens":1}`, []string{"metadata", "speed"}},
		"members that are taken":  {`{"model":"m","metadata":{},"speed":"fast","max_tokens":1,"messages":[],"stream":true}`, dialect.Target{Model: "up", Quirks: dialect.Quirks{Accepted: []string{"metadata"}}}, `{"model":"up","metadata":{},"max_tokens":1,"messages":[],"stream":true}`, []string{"speed"}},
		"own seals":               {chat(block("thinking", "signature", "s") + "," + block("redacted_thinking", "data", "d")), direct, up(block("thinking", "signature", "s") + "," + block("redacted_thinking", "data", "d")), nil},
		"foreign seal, first":     {chat(block("thinking", "signature", openAI) + " , " + word), direct, up(word), []string{"reasoning"}},
		"foreign seal, last":      {chat(word + " , " + block("redacted_thinking", "data", openAI)), direct, up(word), []string{"reasoning"}},
		"foreign seals, around":   {chat(block("thinking", "signature", openAI) + "," + block("thinking", "signature", openAI) + "," + word + "," + block("thinking", "signature", openAI) + "," + word + "," + block("thinking", "signature", openAI)), direct, up(word + "," + word), []string{"reasoning"}},
		"written with escapes":    {chat(`{"type":"\u0074hinking","signature":"\u0073b1:openai-responses-v1:s"},` + word), direct, up(word), []string{"reasoning"}},
		"nothing but a foreign":   {chat(block("thinking", "signature", openAI)), direct, `{"model":"up","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`, []string{"reasoning"}},
		"without a seal":          {chat(block("thinking", "signature", "") + "," + word), direct, up(word), nil},
		"without a seal, another": {chat(block("thinking", "signature", "")), dialect.Target{Model: "up"}, up(block("thinking", "signature", "")), nil},
		"raw seal, another":       {chat(block("thinking", "signature", "s")), dialect.Target{Model: "up"}, up(block("thinking", "signature", "s")), nil},
		"raw seal, wrong origin":  {chat(block("thinking", "signature", "s") + "," + word), dialect.Target{Model: "up", Origin: neutral.OriginXAI}, up(word), []string{"reasoning"}},
		"a mark of the target's":  {chat(block("thinking", "signature", neutral.TagSeal(neutral.OriginXAI, "s"))), dialect.Target{Model: "up", Origin: neutral.OriginXAI}, up(block("thinking", "signature", "s")), nil},
		"unreadable mark":         {chat(block("thinking", "signature", "sb1:x") + "," + word), direct, up(word), []string{"reasoning"}},
		"a loop whose thought is taken out": {
			`{"thinking":{"type":"enabled","budget_tokens":1024},"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[` + block("thinking", "signature", openAI) + `,{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result"}]}]}`, direct,
			`{"model":"up","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result"}]}]}`, []string{"reasoning"},
		},
		"a loop that keeps its thought": {
			`{"thinking":{"type":"enabled"},"model":"m","messages":[{"role":"assistant","content":[` + block("thinking", "signature", openAI) + `]},{"role":"assistant","content":[` + block("thinking", "signature", "s") + `,{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result"}]}]}`, direct,
			`{"thinking":{"type":"enabled"},"model":"up","messages":[{"role":"assistant","content":[` + block("thinking", "signature", "s") + `,{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result"}]}]}`, []string{"reasoning"},
		},
		"a loop that began elsewhere": {
			`{"model":"m","thinking":{"type":"enabled","budget_tokens":1024},"messages":[` + asked + called + answered + `]}`, direct, `{"model":"up","messages":[` + asked + called + answered + `]}`, []string{"reasoning"},
		},
		"a loop that began elsewhere, on a model that does not mind": {
			`{"model":"m","thinking":{"type":"enabled"},"messages":[` + asked + called + answered + `]}`, dialect.Target{Model: "up"}, `{"model":"up","thinking":{"type":"enabled"},"messages":[` + asked + called + answered + `]}`, nil,
		},
		"a loop with a thought for several calls": {
			`{"model":"m","thinking":{"type":"enabled"},"messages":[` + asked + thoughtful + answered + `,` + called + answered + `]}`, direct,
			`{"model":"up","thinking":{"type":"enabled"},"messages":[` + asked + thoughtful + answered + `,` + called + answered + `]}`, nil,
		},
		"a loop after another that had a thought": {
			`{"model":"m","thinking":{"type":"enabled"},"messages":[` + asked + thoughtful + answered + `,` + asked + called + answered + `]}`, direct,
			`{"model":"up","messages":[` + asked + thoughtful + answered + `,` + asked + called + answered + `]}`, []string{"reasoning"},
		},
		"a loop of a model that adapts": {
			`{"thinking":{"type":"adaptive"},"model":"m","messages":[{"role":"assistant","content":[` + block("thinking", "signature", "") + `,{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result"}]}]}`, direct,
			`{"thinking":{"type":"adaptive"},"model":"up","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c"}]},{"role":"user","content":[{"type":"tool_result"}]}]}`, nil,
		},
		"citations of others": {
			chat(`{"type":"text","text":"w","citations":[{"type":"web_search_result_location","encrypted_index":"" },{"type":"web_search_result_location","encrypted_index":"i"},5,{"type":"char_location"}]},{"type":"text","text":"w","citations":[{"type":"web_search_result_location"}]},{"type":"text","text":"w","citations":null}`), direct,
			up(`{"type":"text","text":"w","citations":[{"type":"web_search_result_location","encrypted_index":"i"},5,{"type":"char_location"}]},{"type":"text","text":"w","citations":null},{"type":"text","text":"w","citations":null}`), nil,
		},
		"odd blocks":           {chat(`5,{"type":7},{"type":"thinking"},{"type":"image"},{"type":"tool_result","content":"thinking"},` + word), bedrock, `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[5,{"type":7},{"type":"image"},{"type":"tool_result","content":"thinking"},` + word + `]},{"role":"user","content":"b"}],"anthropic_version":"v","anthropic_beta":["b"]}`, nil},
		"seal inside a result": {`{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[` + block("redacted_thinking", "data", openAI) + `]}]}]}`, direct, `{"model":"up","messages":[{"role":"user","content":[{"type":"tool_result","content":[]}]}]}`, []string{"reasoning"}},
		"only one message":     {`{"model":"m","messages":[{"role":"assistant","content":[` + block("redacted_thinking", "data", openAI) + `]}]}`, direct, `{"model":"up","messages":[]}`, []string{"reasoning"}},
		"words about thinking": {`{"model":"m","messages":["thinking",{"content":"thinking"},{"content":[{"type":"text","text":"sb1:x:thinking"}]}]}`, direct, `{"model":"up","messages":["thinking",{"content":"thinking"},{"content":[{"type":"text","text":"sb1:x:thinking"}]}]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			head, err := anthropic.Messages{}.ReadHead([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			got, report, err := anthropic.Messages{}.AppendPassed([]byte("<"), []byte(tc.body), head, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("<"+tc.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPassedURLsAreRefused(t *testing.T) {
	const url = `{"type":"image","source":{"type":"url","url":"https://a.example"}}`
	to := dialect.Target{Model: "up", Quirks: dialect.Quirks{NoImageURLs: true}}
	for name, tc := range map[string]struct{ content, field string }{
		"an image":          {`{"type":"text","text":"a"},` + url, "messages[1].content[1]"},
		"a document":        {`{"type":"document","source":{"type":"url","url":"https://a.example"}}`, "messages[1].content[0]"},
		"inside a document": {`{"type":"document","source":{"type":"content","content":[` + url + `]}}`, "messages[1].content[0]"},
		"inside a result":   {`{"type":"text","text":"a"},{"type":"tool_result","content":[{"type":"text","text":"a"},` + url + `]}`, "messages[1].content[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"x"}}]},{"role":"user","content":[` + tc.content + `]}]}`)
			head, err := anthropic.Messages{}.ReadHead(body)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = anthropic.Messages{}.AppendPassed(nil, body, head, to)
			var unsupported *neutral.UnsupportedError
			if !errors.As(err, &unsupported) || unsupported.Field != tc.field {
				t.Errorf("got %v", err)
			}
			to := to
			to.Quirks.NoImageURLs = false
			if _, _, err = (anthropic.Messages{}).AppendPassed(nil, body, head, to); err != nil {
				t.Errorf("a target that fetches: %v", err)
			}
		})
	}
}

func TestReadPassed(t *testing.T) {
	body := []byte(`{"type":"message","content":[{"type":"text","text":"abcdef"}],"usage":{"input_tokens":3,"output_tokens":4}}`)
	answer, err := anthropic.Messages{}.ReadPassed(body, dialect.Exchange{})
	if err != nil {
		t.Fatal(err)
	}
	want := meter.Usage{Prompt: 3, Completion: 4}
	if diff := cmp.Diff(want, answer.Settle(100)); diff != "" || string(answer.Body(want)) != string(body) || answer.Failure() != nil {
		t.Errorf("%s %s %v", diff, answer.Body(want), answer.Failure())
	}
	if _, err := (anthropic.Messages{}).ReadPassed([]byte("<html>"), dialect.Exchange{}); err == nil {
		t.Error("HTML was taken for an answer")
	}
}
