package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// TestReadRequestsOutliveTheirBody: a stream gives the body's memory back when it begins, and may still repeat what was asked.
func TestReadRequestsOutliveTheirBody(t *testing.T) {
	for api, body := range map[neutral.API]string{
		neutral.ChatCompletions: `{"model":"m","metadata":{"a":"b"},"seed":7,"logit_bias":{"1":2},"x":{"y":[1]},"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],` +
			`"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"stop":["s"],` +
			`"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,eA=="}}]},` +
			`{"role":"assistant","content":null,"tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"i","content":"r"}]}`,
		neutral.Responses: `{"model":"m","instructions":"be kind","metadata":{"a":"b"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}},` +
			`"reasoning":{"effort":"low","summary":"auto"},"tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],"tool_choice":{"type":"function","name":"f"},` +
			`"input":[{"role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,eA=="}]},` +
			`{"type":"function_call","call_id":"i","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"i","output":"r"}]}`,
		neutral.Messages: `{"model":"m","max_tokens":5,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"metadata":{"user_id":"u"},"tools":[{"name":"f","input_schema":{"type":"object"}}],` +
			`"messages":[{"role":"user","content":[{"type":"text","text":"t"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"eA=="}}]},` +
			`{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"i","content":"r"}]}]}`,
		neutral.GenerateContent: `{"systemInstruction":{"parts":[{"text":"s"}]},"generationConfig":{"stopSequences":["x"],"responseSchema":{"type":"OBJECT"},"responseMimeType":"application/json"},` +
			`"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"contents":[{"role":"user","parts":[{"text":"t"},{"inlineData":{"mimeType":"image/png","data":"eA=="}}]},` +
			`{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}}]}]}`,
	} {
		t.Run(string(api), func(t *testing.T) {
			surface, ok := codecs.Default().Surface(api).(dialect.GenerationSurface)
			if !ok {
				t.Fatal("the surface does not cross")
			}
			read := func(body []byte) *neutral.Request {
				head, err := surface.ReadHead(body)
				if err != nil {
					t.Fatal(err)
				}
				request, err := surface.ReadRequest(body, head)
				if err != nil {
					t.Fatal(err)
				}
				return request
			}
			memory := []byte(body)
			kept := read(memory)
			for i := range memory {
				memory[i] = '#'
			}
			if diff := cmp.Diff(read([]byte(body)), kept); diff != "" {
				t.Errorf("it changed with the body's memory (-want +got):\n%s", diff)
			}
		})
	}
}
