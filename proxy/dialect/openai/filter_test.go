package openai_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/sse"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

var prices = table.Prices{Input: 590_000_000, CachedInput: 295_000_000, Output: 790_000_000}

const (
	role   = `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}],"usage":null}` + "\n\n"
	hello  = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null}` + "\n\n"
	finish = `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n"
	usage  = `data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}}}` + "\n\n"
	done   = "data: [DONE]\n\n"
)

// filtered is what a filter makes of a stream.
type filtered struct {
	output string
	kinds  []dialect.StepKind
	filter dialect.Stream
}

// filterAll takes a stream through reader and filter.
func filterAll(stream string, call dialect.Exchange) (filtered, error) {
	return filterFrom(strings.NewReader(stream), call)
}

// filterFrom is filterAll, however the bytes arrive.
func filterFrom(source io.Reader, call dialect.Exchange) (filtered, error) {
	return passAll(source, openai.Chat{}.NewPassedStream(call))
}

// passAll takes all events through a stream.
func passAll(source io.Reader, stream dialect.Stream) (filtered, error) {
	reader := sse.NewReader(source, 0)
	got := filtered{filter: stream}
	for {
		e, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		step, err := stream.Next(e)
		if err != nil {
			return got, err
		}
		got.output += string(step.Output)
		got.kinds = append(got.kinds, step.Kind)
	}
}

func TestStreamFilterOutput(t *testing.T) {
	asked := dialect.Exchange{IncludeUsage: true, Prices: &prices}
	noNull := strings.NewReplacer(`,"usage":null`, ``)
	for name, tc := range map[string]struct {
		stream, want string
		options      dialect.Exchange
	}{
		"usage not asked for":         {stream: role + hello + finish + usage + done, want: noNull.Replace(role+hello+finish) + done},
		"usage asked for":             {stream: role + hello + usage + done, options: asked, want: role + hello + strings.Replace(usage, `}}}`, `},"cost":0.00000630}}`, 1) + done},
		"asked for, no price":         {stream: hello + usage + done, options: dialect.Exchange{IncludeUsage: true}, want: hello + usage + done},
		"untouched":                   {stream: ": ping\n\nid: 3\r\ndata:{\"choices\":[{\"text\":\"x\"}]}\r\n\r\n" + done, want: ": ping\n\nid: 3\r\ndata:{\"choices\":[{\"text\":\"x\"}]}\r\n\r\n" + done},
		"usage beside choices":        {stream: `data: {"usage":{"prompt_tokens":1,"completion_tokens":1},"choices":[{"delta":{"content":"x"}}]}` + "\n\n", want: `data: {"choices":[{"delta":{"content":"x"}}]}` + "\n\n"},
		"usage in the middle":         {stream: "data: {\"id\":1 ,\n" + "data:  \"usage\" : null , \"choices\":[]\ndata:}\n\n", want: "data: {\"id\":1  , \"choices\":[] }\n\n"},
		"usage alone":                 {stream: `data: {"usage":null}` + "\n\n", want: "data: {}\n\n"},
		"no choices at all":           {stream: `data: {"id":1,"usage":{"prompt_tokens":1}}` + "\n\n" + done, want: done},
		"prompt's filter results go":  {stream: `data: {"choices":[],"prompt_filter_results":[{}],"usage":null}` + "\n\n"},
		"frame kept around an edit":   {stream: ": c\r\nid: 1\r\ndata:  {\"choices\":[],\"usage\":null} \r\nretry: 5\r\n\r\n", want: ": c\r\nid: 1\r\ndata:  {\"choices\":[]} \r\nretry: 5\r\n\r\n"},
		"usage as text stays":         {stream: `data: {"choices":[{"delta":{"content":",\"usage\":null"}}],"x":{"usage":null}}` + "\n\n", want: `data: {"choices":[{"delta":{"content":",\"usage\":null"}}],"x":{"usage":null}}` + "\n\n"},
		"Groq's own, not asked for":   {stream: `data: {"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1}}}` + "\n\n", want: `data: {"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1}}}` + "\n\n"},
		"Groq's own, asked for":       {stream: `data: {"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1}}}` + "\n\n", options: asked, want: `data: {"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1,"cost":0.00000059}}}` + "\n\n"},
		"both, cost in the common":    {stream: `data: {"usage":{"prompt_tokens":1},"x_groq":{"usage":{"prompt_tokens":1}}}` + "\n\n", options: asked, want: `data: {"usage":{"prompt_tokens":1,"cost":0.00000059},"x_groq":{"usage":{"prompt_tokens":1}}}` + "\n\n"},
		"a cost of the provider's":    {stream: `data: {"usage":{"cost":0.5,"prompt_tokens":1}}` + "\n\n", options: asked, want: `data: {"usage":{"cost":0.00000059,"prompt_tokens":1}}` + "\n\n"},
		"an empty usage gets no cost": {stream: `data: {"usage":{}}` + "\n\n", options: asked, want: `data: {"usage":{}}` + "\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := filterAll(tc.stream, tc.options)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("0.00000630", meter.FormatUSD(6300)).Replace(tc.want) // 6 prompt, 4 cached, 2 completion tokens.
			if diff := cmp.Diff(want, got.output); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPassedFlavors adds what the clients of OpenRouter and Groq look for.
func TestPassedFlavors(t *testing.T) {
	const text = `data: {"id":"c","choices":[{"index":0,"delta":{"role":"","content":"x"},"finish_reason":null}]}` + "\n\n"
	const end = `data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	const counts = `"prompt_tokens":10,"completion_tokens":1,"total_tokens":11`
	const report = `data: {"id":"c","choices":[],"usage":{` + counts + `}}` + "\n\n"
	const groqUsage = `{` + counts + `,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0},"cost":0.000012,"queue_time":0.001,"prompt_time":0.02,"completion_time":0.3,"total_time":0.32}`
	const thought = `data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"ö"},"finish_reason":null}]}` + "\n\n"
	const routerThought = `data: {"provider":"Mistral","id":"c","choices":[{"index":0,"delta":{"role":"assistant","reasoning":"ö"},"finish_reason":null}]}` + "\n\n"
	const groqThought = `data: {"x_groq":{"id":"req_01"},"id":"c","choices":[{"index":0,"delta":{"role":"assistant","reasoning":"ö"},"finish_reason":null}]}` + "\n\n"
	const routerText = `data: {"provider":"Mistral","id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]}` + "\n\n"
	const routerEnd = `data: {"provider":"Mistral","id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":"stop"}]}` + "\n\n"
	const routerReport = `data: {"provider":"Mistral","id":"c","choices":[],"usage":{` + counts + `,"cost":0.000012,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0},` +
		`"is_byok":false,"cost_details":{"upstream_inference_cost":null,"upstream_inference_prompt_cost":0.00001,"upstream_inference_completions_cost":0.000002}}}` + "\n\n"
	const groqText = `data: {"x_groq":{"id":"req_01"},"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]}` + "\n\n"
	const mended = `data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":null}]}` + "\n\n"
	groqEnd := strings.Replace(end, `{"id"`, `{"x_groq":{"id":"req_01","usage":`+groqUsage+`},"id"`, 1)
	router, groq, own := exchange(dialect.OpenRouterFlavor), exchange(dialect.GroqFlavor), exchange(dialect.GroqFlavor)
	asked := groq
	asked.IncludeUsage = true
	own.Provider = "Groq"
	const nulls = `data: {"usage":null,"system_fingerprint":null , "id":"c","choices":[{"index":0,"delta":{"audio":null,"content":"x","tool_calls":[{"id":null,"index":0,"type":null,"function":{"name":null,"arguments":"{"}},null],"reasoning_details":null},"finish_reason":null}],"error":null}` + "\n\n" +
		`data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":null},"finish_reason":null}],"error":null,"usage":null}` + "\n\n"
	const noNulls = `data: {"provider":"Mistral", "id":"c","choices":[{"index":0,"delta":{"content":"x","tool_calls":[{"index":0,"function":{"arguments":"{"}},null]},"finish_reason":null}]}` + "\n\n" +
		`data: {"provider":"Mistral","id":"c","choices":[{"index":0,"delta":{},"finish_reason":null}]}` + "\n\n"
	shown := exchange(dialect.OpenAIFlavor)
	shown.IncludeUsage = true
	for name, tc := range map[string]struct {
		call         dialect.Exchange
		stream, want string
	}{
		"OpenRouter":               {router, text + end + report + done, routerText + routerEnd + routerReport + done},
		"OpenRouter, no nulls":     {router, nulls + end + report + done, noNulls + routerEnd + routerReport + done},
		"OpenRouter, no end":       {router, `data: {"provider":1,"choices":[{"delta":{"content":"x"}},{"text":"x"}]}` + "\n\n" + done, `data: {"provider":1,"choices":[{"finish_reason":null,"delta":{"content":"x"}},{"text":"x"}]}` + "\n\n" + done},
		"nulls under OpenAI":       {shown, nulls + end + done, nulls + end + done},
		"OpenRouter, thoughts":     {router, thought + text + end + report + done, routerThought + routerText + routerEnd + routerReport + done},
		"Groq, thoughts":           {groq, thought + text + end + report + done, groqThought + mended + groqEnd + done},
		"thoughts under OpenAI":    {exchange(dialect.OpenAIFlavor), thought + end + done, thought + end + done},
		"Groq":                     {groq, text + text + end + report + done, groqText + mended + groqEnd + done},
		"Groq, asked":              {asked, text + end + report + done, groqText + groqEnd + strings.Replace(report, `"total_tokens":11`, `"total_tokens":11,"cost":0.000012,"queue_time":0.001,"prompt_time":0.02,"completion_time":0.3,"total_time":0.32`, 1) + done},
		"Groq, no usage":           {groq, text + end + done, groqText + end + done},
		"Groq, no [DONE]":          {groq, text + end, groqText + end},
		"Groq, ends at once":       {groq, end + report, groqEnd},
		"Groq, nothing but end":    {groq, end, strings.Replace(end, `{"id"`, `{"x_groq":{"id":"req_01"},"id"`, 1)},
		"Groq, two choices":        {groq, text + end + text + end + report + done, groqText + end + mended + groqEnd + done},
		"Groq, two ends":           {groq, text + end + end + report + done, groqText + end + groqEnd + done},
		"Groq, usage in the end":   {groq, text + strings.Replace(end, `}]}`, `}],"usage":{`+counts+`}}`, 1) + done, groqText + groqEnd + done},
		"Groq, several data lines": {groq, text + strings.Replace(end, `,"choices"`, "\ndata:,\"choices\"", 1) + report + done, groqText + strings.Replace(groqEnd, `,"choices"`, ` ,"choices"`, 1) + done},
		"from Groq itself":         {own, strings.Replace(end, `{"id"`, `{"x_groq":{"id":"r","usage":{`+counts+`}},"id"`, 1) + done, strings.Replace(end, `{"id"`, `{"x_groq":{"id":"r","usage":{`+counts+`}},"id"`, 1) + done},
		"keep-alive":               {groq, text + end + ": ping\n\n" + report + done, groqText + ": ping\n\n" + groqEnd + done},
	} {
		for how, source := range splits(tc.stream) {
			t.Run(name+", "+how, func(t *testing.T) {
				got, err := filterFrom(source, tc.call)
				if err != nil {
					t.Fatal(err)
				}
				rest, whole := got.filter.End()
				if diff := cmp.Diff(tc.want, got.output+string(rest)); diff != "" || !whole {
					t.Errorf("whole %v, output (-want +got):\n%s", whole, diff)
				}
			})
		}
	}
}

// TestPlainStream passes a stream of pictures as it is, and knows its end.
func TestPlainStream(t *testing.T) {
	const part = "event: image_generation.partial_image\ndata: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AA\"}\n\n"
	const whole = "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"AA\",\"usage\":{\"input_tokens\":5,\"output_tokens\":7,\"total_tokens\":12}}\n\n"
	for name, tc := range map[string]struct {
		stream string
		kinds  []dialect.StepKind
		whole  bool
		usage  meter.Usage
	}{
		"whole":  {": x\n\n" + part + whole, []dialect.StepKind{dialect.StepComment, dialect.StepToken, dialect.StepToken}, true, meter.Usage{Prompt: 5, Completion: 7, CompletionImage: 7, Images: 1}},
		"speech": {"data: {\"type\":\"speech.audio.done\"}\n\n", []dialect.StepKind{dialect.StepToken}, true, meter.Usage{Prompt: 10, Completion: 4160, CompletionImage: 4160, Images: 1, Estimated: true}},
		"cut":    {part, []dialect.StepKind{dialect.StepToken}, false, meter.Usage{Prompt: 10, Completion: 4160, CompletionImage: 4160, Images: 1, Estimated: true}},
		"done":   {part + done, []dialect.StepKind{dialect.StepToken, dialect.StepDone}, true, meter.Usage{Prompt: 10, Completion: 4160, CompletionImage: 4160, Images: 1, Estimated: true}},
		"error":  {"event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"no\"}}\n\n", []dialect.StepKind{dialect.StepFailure}, false, meter.Usage{Prompt: 10, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			stream := openai.Plain{API: neutral.ImageGenerations}.NewPassedStream(dialect.Exchange{})
			got, err := passAll(strings.NewReader(tc.stream), stream)
			if err != nil {
				t.Fatal(err)
			}
			_, ended := stream.End()
			want := tc.stream
			if name == "error" { // It is written anew.
				want = ""
			}
			if diff := cmp.Diff(tc.kinds, got.kinds); diff != "" || got.output != want || ended != tc.whole {
				t.Errorf("output %q, whole %v, kinds (-want +got):\n%s", got.output, ended, diff)
			}
			if diff := cmp.Diff(tc.usage, stream.Settle(30)); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStreamFilterKinds(t *testing.T) {
	chunk := func(choice string) string { return `data: {"choices":[` + choice + "]}\n\n" }
	for name, tc := range map[string]struct {
		stream string
		want   dialect.StepKind
	}{
		"comment":           {": x\n\n", dialect.StepComment},
		"empty data":        {"data:\n\n", dialect.StepComment},
		"done":              {"data: [DONE] \n\n", dialect.StepDone},
		"role":              {role, dialect.StepChunk},
		"empty text":        {chunk(`{"delta":{"content":""}}`), dialect.StepChunk},
		"nulls":             {chunk(`{"delta":{"content":null,"tool_calls":null,"reasoning":""},"finish_reason":null}`), dialect.StepChunk},
		"empty lists":       {chunk(`{"delta":{"tool_calls":[ ],"annotations":[],"x":{ }}}`), dialect.StepChunk},
		"a number":          {chunk(`{"delta":{"index":5}}`), dialect.StepChunk},
		"delta null":        {chunk(`{"delta":null}`), dialect.StepChunk},
		"choice null":       {chunk(`null`), dialect.StepChunk},
		"choices null":      {"data: {\"choices\":null}\n\n", dialect.StepChunk},
		"usage":             {usage, dialect.StepChunk},
		"text":              {hello, dialect.StepToken},
		"blank is text":     {chunk(`{"delta":{"content":" "}}`), dialect.StepToken},
		"second choice":     {chunk(`{"delta":{}},{"delta":{"content":"x"}}`), dialect.StepToken},
		"reasoning":         {chunk(`{"delta":{"role":"assistant","reasoning_content":"x"}}`), dialect.StepToken},
		"refusal":           {chunk(`{"delta":{"refusal":"no"}}`), dialect.StepToken},
		"tool call":         {chunk(`{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}}`), dialect.StepToken},
		"finish":            {finish, dialect.StepToken},
		"completion":        {chunk(`{"text":"x"}`), dialect.StepToken},
		"escaped names":     {`data: {"choi\u0063es":[{"delta":{"content":"x"}}]}` + "\n\n", dialect.StepToken},
		"error":             {`data: {"error":{"message":"overloaded"}}` + "\n\n", dialect.StepFailure},
		"error text":        {`data: {"error":"overloaded"}` + "\n\n", dialect.StepFailure},
		"error beside text": {`data: {"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"gone"}}` + "\n\n", dialect.StepFailure},
		"error event":       {"event: error\ndata: {\"detail\":\"overloaded\"}\n\n", dialect.StepFailure},
		"error object":      {`data: {"object":"error","message":"overloaded","code":40303}` + "\n\n", dialect.StepFailure},
		"error null":        {`data: {"error":null,"choices":[]}` + "\n\n", dialect.StepChunk},
		"error empty":       {`data: {"error":{},"choices":[]}` + "\n\n", dialect.StepChunk},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := filterAll(tc.stream, dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]dialect.StepKind{tc.want}, got.kinds); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
			if got.filter.Started() != (tc.want == dialect.StepToken) {
				t.Errorf("started %v", got.filter.Started())
			}
		})
	}
}

func TestStreamFilterFailure(t *testing.T) {
	text := `data: {"id":"c","error":{"message":"provider gone","code":502,"type":"server"},"usage":{"prompt_tokens":3,"completion_tokens":4}}` + "\n\n"
	filter := openai.Chat{}.NewPassedStream(dialect.Exchange{})
	e, err := sse.NewReader(strings.NewReader(text), 0).Next()
	if err != nil {
		t.Fatal(err)
	}
	step, err := filter.Next(e)
	if err != nil {
		t.Fatal(err)
	}
	want := &neutral.Error{Message: "provider gone", Type: "server", Code: "502", JSON: true}
	if diff := cmp.Diff(want, step.Err); diff != "" || len(step.Output) > 0 {
		t.Errorf("output %q, error (-want +got):\n%s", step.Output, diff)
	}
	if got := filter.Settle(1); got.Prompt != 3 || got.Completion != 4 {
		t.Errorf("usage reported with an error is lost: %+v", got)
	}
}

func TestStreamFilterRefuses(t *testing.T) {
	for name, stream := range map[string]string{
		"HTML": "<html>\ndata: <html>\n\n", "cut": `data: {"choices":[{"delta":{"cont`, "invalid UTF-8": "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n",
		"a list": "data: []\n\n", "behind the end": "data: {}{}\n\n", "two usages": `data: {"usage":null,"usage":null}` + "\n\n", "cut end": "data: [DON",
		"bad choice": "data: {\"choices\":[{\"delta\":{\"content\":tru}}]}\n\n", "deep": "data: {\"choices\":" + strings.Repeat("[", 10_000) + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := filterAll(stream, dialect.Exchange{})
			var problem *dialect.StreamError
			if !errors.As(err, &problem) || got.output != "" {
				t.Errorf("output %q, error %v, want a StreamError", got.output, err)
			}
		})
	}
}

func TestStreamFilterSettle(t *testing.T) {
	const promptBytes = 300
	with := func(usage string) string {
		return `data: {"choices":[{"delta":{"content":"abcdef"}}],"usage":` + usage + "}\n\n"
	}
	for name, tc := range map[string]struct {
		stream string
		want   meter.Usage
	}{
		"nothing came":         {want: meter.Usage{Prompt: 100, Estimated: true}},
		"reported":             {stream: role + hello + finish + usage + done, want: meter.Usage{Prompt: 10, Cached: 4, Completion: 2}},
		"not reported":         {stream: role + hello + hello + finish + done, want: meter.Usage{Prompt: 100, Completion: 4, Estimated: true}},
		"cut":                  {stream: role + hello, want: meter.Usage{Prompt: 100, Completion: 2, Estimated: true}},
		"an event is a token":  {stream: strings.Repeat(`data: {"choices":[{"delta":{"content":"x"}}]}`+"\n\n", 9), want: meter.Usage{Prompt: 100, Completion: 9, Estimated: true}},
		"cumulative":           {stream: with(`{"prompt_tokens":5,"completion_tokens":1}`) + with(`{"prompt_tokens":5,"completion_tokens":2}`), want: meter.Usage{Prompt: 5, Completion: 2}},
		"null at the end":      {stream: with(`{"prompt_tokens":5,"completion_tokens":3}`) + finish, want: meter.Usage{Prompt: 5, Completion: 3}},
		"text after a report":  {stream: with(`{"prompt_tokens":5,"completion_tokens":1}`) + with(`null`), want: meter.Usage{Prompt: 5, Completion: 3, Estimated: true}},
		"zero is not believed": {stream: with(`{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}`), want: meter.Usage{Prompt: 100, Completion: 2, Estimated: true}},
		"negative is repaired": {stream: with(`{"prompt_tokens":-5,"completion_tokens":3}`), want: meter.Usage{Prompt: 100, Completion: 3, Estimated: true}},
		"Groq's own":           {stream: `data: {"choices":[],"x_groq":{"usage":{"prompt_tokens":7,"completion_tokens":8,"queue_time":0.1}}}` + "\n\n", want: meter.Usage{Prompt: 7, Completion: 8}},
		"Groq's cache numbers": {stream: `data: {"usage":{"prompt_tokens":7,"completion_tokens":8},"x_groq":{"usage":{"dram_cached_tokens":1}}}` + "\n\n", want: meter.Usage{Prompt: 7, Completion: 8}},
		"tool call":            {stream: `data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"123","function":{"arguments":"abc"}}]}}]}` + "\n\n", want: meter.Usage{Prompt: 100, Completion: 2, Estimated: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := filterAll(tc.stream, dialect.Exchange{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.filter.Settle(promptBytes)); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStreamFilterEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		stream string
		want   bool
	}{"whole": {role + hello + finish + usage + done, true}, "without [DONE]": {role + hello + finish, true}, "cut": {role + hello, false}, "nothing": {"", false}} {
		got, err := filterAll(tc.stream, dialect.Exchange{})
		if err != nil {
			t.Fatal(err)
		}
		if rest, whole := got.filter.End(); whole != tc.want || len(rest) > 0 {
			t.Errorf("%s: End() = %q, %v, want %v", name, rest, whole, tc.want)
		}
	}
}

// FuzzStreamFilter checks that what a client gets still is JSON with the same content, and never a usage that it did not ask for.
func FuzzStreamFilter(f *testing.F) {
	for _, seed := range []string{role, hello, finish, usage, done, `data: {"usage" : null , "choices":[]}` + "\n\n", `data: {"x_groq":{"usage":{}}}` + "\n\n", "data: {\ndata: \"usage\":{\"prompt_tokens\":-1e9}}\n\n"} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, stream string, asked bool) {
		reader := sse.NewReader(strings.NewReader(stream), 0)
		options := dialect.Exchange{IncludeUsage: asked, Prices: &prices}
		filter := openai.Chat{}.NewPassedStream(options)
		for {
			e, err := reader.Next()
			if err != nil {
				break
			}
			before := decodeMembers(e.Data)
			step, err := filter.Next(e)
			if err != nil || len(step.Output) == 0 || before == nil || step.Kind == dialect.StepFailure {
				continue
			}
			compareEvents(t, before, string(step.Output), options)
		}
		wantPossible(t, filter.Settle(1))
	})
}

// compareEvents checks that the event that a client gets has the members of the original, usage aside.
func compareEvents(t *testing.T, want map[string]any, output string, options dialect.Exchange) {
	t.Helper()
	e, err := sse.NewReader(strings.NewReader(output), 0).Next()
	got := decodeMembers(e.Data)
	if _, has := got["usage"]; err != nil || got == nil || has && !options.IncludeUsage {
		t.Fatalf("the client gets %q, %v", output, err)
	}
	for _, mayDiffer := range []string{"usage", "x_groq"} { // The cost is added to them.
		delete(want, mayDiffer)
		delete(got, mayDiffer)
	}
	mendRoles(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("the client gets %q (-want +got):\n%s", output, diff)
	}
}

// mendRoles gives the choices the roles that strict clients want.
func mendRoles(event map[string]any) {
	choices, _ := event["choices"].([]any)
	for _, choice := range choices {
		members, _ := choice.(map[string]any)
		for _, name := range []string{"delta", "message"} {
			message, _ := members[name].(map[string]any)
			if role, has := message["role"]; has && (role == nil || role == "") {
				message["role"] = "assistant"
			}
		}
	}
}

// decodeMembers reads an object; nil when data is none.
func decodeMembers(data []byte) map[string]any {
	if !json.Valid(data) {
		return nil
	}
	var members map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil {
		return nil
	}
	return members
}

func BenchmarkStreamFilter(b *testing.B) {
	const token = `data: {"id":"chatcmpl-9f8e7d6c5b4a39281706","object":"chat.completion.chunk","created":1759396891,"model":"llama-3.3-70b-versatile","system_fingerprint":"fp_1234567890","choices":[{"index":0,"delta":{"content":" junction"},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	withNull := strings.Replace(token, `}]}`, `}],"usage":null}`, 1)
	for name, tc := range map[string]struct {
		event   string
		options dialect.Exchange
	}{
		"token": {event: token}, "strip null": {event: withNull}, "usage dropped": {event: usage},
		"for OpenRouter":  {event: withNull, options: exchange(dialect.OpenRouterFlavor)},
		"usage with cost": {event: usage, options: dialect.Exchange{IncludeUsage: true, Prices: &prices}},
	} {
		b.Run(name, func(b *testing.B) {
			source := strings.NewReader("")
			stream := strings.Repeat(tc.event, 1000)
			reader := sse.NewReader(source, 0)
			filter := openai.Chat{}.NewPassedStream(tc.options)
			b.SetBytes(int64(len(tc.event)))
			b.ReportAllocs()
			for b.Loop() {
				e, err := reader.Next()
				if errors.Is(err, io.EOF) {
					source.Reset(stream)
					reader.Reset(source)
					continue
				}
				if _, err := filter.Next(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
