package dialect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// demanded is what a request for a generated answer can use beside the size of its prompt.
func demanded(edit func(*dialect.Demand)) dialect.Demand {
	d := dialect.Demand{Choices: 1, Rounds: 1}
	d.CompletionImage = true
	edit(&d)
	return d
}

func TestGenerationDemand(t *testing.T) {
	plain := func(*dialect.Demand) {}
	images := func(d *dialect.Demand) { d.Media, d.PromptImage = true, true }
	sound := func(d *dialect.Demand) { d.Media, d.PromptAudio = true, true }
	anything := func(d *dialect.Demand) { d.Media, d.PromptImage, d.PromptAudio = true, true, true }
	stored := func(d *dialect.Demand) { d.Stored = true }
	service := func(name string) func(*dialect.Demand) {
		return func(d *dialect.Demand) { d.Service = name }
	}
	unbounded := func(name string) func(*dialect.Demand) {
		return func(d *dialect.Demand) { d.Unbounded = `"` + name + `" lets the provider do what has no limit` }
	}
	message := func(content string) string { return `{"messages":[{"role":"user","content":` + content + `}]}` }
	for name, tc := range map[string]struct {
		body string
		n    int64
		want func(*dialect.Demand)
	}{
		"text":                        {body: message(`"hello"`), want: plain},
		"parts of text":               {body: message(`[{"type":"text","text":"a"},{"type":"tool_result","tool_use_id":"x","is_error":true,"content":[{"type":"text","text":"b"}]}]`), want: plain},
		"calls":                       {body: `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"type":"x","image_url":"in arguments"}],"reasoning_content":"r"},{"role":"tool","tool_call_id":"x","content":"y"}]}`, want: plain},
		"items":                       {body: `{"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"},{"type":"reasoning","id":"r","summary":[],"encrypted_content":"x"}]}`, want: plain},
		"contents":                    {body: `{"contents":[{"role":"user","parts":[{"text":"a"},{"functionCall":{"name":"f","args":{"type":"image"}}},{"function_response":{"name":"f","response":{}}}]}],"systemInstruction":{"parts":[{"text":"s"}]}}`, want: plain},
		"a document of text":          {body: message(`[{"type":"document","title":"t","source":{"type":"text","media_type":"text/plain","data":"x"}}]`), want: plain},
		"an image":                    {body: message(`[{"type":"image_url","image_url":{"url":"https://x"}}]`), want: images},
		"an image in a result":        {body: message(`[{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":"AA"}}]}]`), want: images},
		"an image in a document":      {body: message(`[{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url","url":"x"}}]}}]`), want: images},
		"a document of bytes":         {body: message(`[{"type":"document","source":{"type":"base64","data":"AA"}}]`), want: images},
		"an image of Gemini":          {body: `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA"}}]}]}`, want: images},
		"sound":                       {body: message(`[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]`), want: sound},
		"sound of Gemini":             {body: `{"contents":{"parts":{"file_data":{"mime_type":"AUDIO/mp3","file_uri":"gs://x"}}}}`, want: sound},
		"sound that was an answer":    {body: `{"messages":[{"role":"assistant","audio":{"id":"a1"}}]}`, want: sound},
		"a film of Gemini":            {body: `{"contents":[{"parts":[{"fileData":{"fileUri":"gs://x"}}]}]}`, want: anything},
		"a file":                      {body: message(`[{"type":"file","file":{"file_id":"f"}}]`), want: anything},
		"a part of an unknown type":   {body: message(`[{"type":"hologram"}]`), want: anything},
		"a part with unknown members": {body: message(`[{"type":"text","text":"a","attachment":"https://x"}]`), want: anything},
		"a message with attachments":  {body: `{"messages":[{"role":"user","content":"a","attachments":[1]}]}`, want: anything},
		"parts that are too deep":     {body: message(strings.Repeat("[", 10) + `"x"` + strings.Repeat("]", 10)), want: anything},
		"an item that is referred to": {body: `{"input":[{"type":"item_reference","id":"i"}]}`, want: stored},
		"an item that is an id":       {body: `{"input":[{"id":"i"}]}`, want: stored},
		"an earlier response":         {body: `{"input":"a","previous_response_id":"r"}`, want: stored},
		"no earlier response":         {body: `{"input":"a","previous_response_id":null}`, want: plain},
		"cached content":              {body: `{"contents":[],"cachedContent":"cachedContents/x"}`, want: stored},
		"choices":                     {body: message(`"a"`), n: 3, want: func(d *dialect.Demand) { d.Choices = 3 }},
		"the best of":                 {body: `{"prompt":"a","best_of":5}`, n: 2, want: func(d *dialect.Demand) { d.Choices = 5 }},
		"the best of, misspelled":     {body: `{"prompt":"a","Best_Of":5}`, n: 2, want: func(d *dialect.Demand) { d.Choices = 5 }},
		"prompts":                     {body: `{"prompt":["a","b"]}`, n: 3, want: func(d *dialect.Demand) { d.Choices, d.Rounds = 6, 2 }},
		"prompts of tokens":           {body: `{"prompt":[[1,2],[3]]}`, want: func(d *dialect.Demand) { d.Choices, d.Rounds = 2, 2 }},
		"a prompt of tokens":          {body: `{"prompt":[1,2,3]}`, want: plain},
		"more choices than there are": {body: message(`"a"`), n: 1 << 40, want: func(d *dialect.Demand) { d.Choices = dialect.Unlimited }},
		"spoken answer":               {body: `{"messages":[],"modalities":["text","audio"],"audio":{"voice":"x"}}`, want: func(d *dialect.Demand) { d.CompletionAudio = true }},
		"spoken answer, escaped":      {body: `{"messages":[],"modalities":["\u0061udio"]}`, want: func(d *dialect.Demand) { d.CompletionAudio = true }},
		"spoken answer of Gemini":     {body: `{"contents":[],"generationConfig":{"responseModalities":["AUDIO"]}}`, want: func(d *dialect.Demand) { d.CompletionAudio = true }},
		"a mark for the cache":        {body: message(`[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]`), want: func(d *dialect.Demand) { d.WritesCache = true }},
		"a mark for five minutes":     {body: `{"messages":[],"cache_control":{"type":"ephemeral","ttl":"5m"}}`, want: func(d *dialect.Demand) { d.WritesCache = true }},
		"a mark for an hour":          {body: `{"messages":[],"tools":[{"name":"f","cache_control":{"type":"ephemeral","ttl":"1h"}}]}`, want: func(d *dialect.Demand) { d.WritesCache, d.WritesCache1h = true, true }},
		"a mark, escaped":             {body: message(`[{"type":"text","text":"a","\u0063ache_control":{"ttl":"1h"}}]`), want: func(d *dialect.Demand) { d.WritesCache, d.WritesCache1h = true, true }},
		"no mark":                     {body: message(`[{"type":"text","text":"a cache_control","cache_control":null}]`), want: plain},
		"a class of service":          {body: `{"messages":[],"service_tier":"Priority"}`, want: service("priority")},
		"two classes of service":      {body: `{"messages":[],"service_tier":"flex","service_tier":"priority"}`, want: service("auto")},
		"an odd class of service":     {body: `{"messages":[],"service_tier":"a b"}`, want: service("auto")},
		"fast":                        {body: `{"messages":[],"service_tier":"auto","speed":"fast"}`, want: service("fast")},
		"at the usual speed":          {body: `{"messages":[],"service_tier":"flex","speed":"standard"}`, want: service("flex")},
		"in a region":                 {body: `{"messages":[],"inference_geo":"us"}`, want: service("us")},
		"fast in a region":            {body: `{"messages":[],"speed":"fast","inference_geo":"us"}`, want: func(d *dialect.Demand) { d.Unbounded = "several classes of service are asked for at once" }},
		"shortened by the provider":   {body: `{"messages":[],"context_management":{"edits":[]}}`, want: func(d *dialect.Demand) { d.Rounds, d.Grows = 2, true }},
		"functions":                   {body: `{"messages":[],"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","name":"g"},{"name":"h","input_schema":{}}]}`, want: plain},
		"functions of Gemini":         {body: `{"contents":[],"tools":{"functionDeclarations":[{}]}}`, want: plain},
		"tools of the client":         {body: `{"messages":[],"tools":[{"type":"bash_20250124","name":"bash"},{"type":"text_editor_20250728","name":"e"},{"type":"computer_use_preview"},{"type":"memory_20250818","name":"m"}]}`, want: plain},
		"limited searches":            {body: `{"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]}`, want: func(d *dialect.Demand) { d.Searches, d.Rounds, d.Grows = 3, 4, true }},
		"limited calls":               {body: `{"input":"a","tools":[{"type":"web_search"}],"max_tool_calls":2}`, want: func(d *dialect.Demand) { d.Searches, d.Rounds, d.Grows = 2, 3, true }},
		"limited fetches":             {body: `{"messages":[],"tools":[{"type":"web_fetch_20250910","max_uses":2}]}`, want: func(d *dialect.Demand) { d.Rounds, d.Grows = 3, true }},
		"answers in quotes":           {body: `{"messages":[],"n":"4"}`, want: func(d *dialect.Demand) { d.Unbounded = "the number of answers (n) is no whole number" }},
		"answers with a point":        {body: `{"contents":[],"generationConfig":{"candidateCount":4.0}}`, want: func(d *dialect.Demand) { d.Unbounded = "the number of answers (candidatecount) is no whole number" }},
		"best of, in quotes":          {body: `{"prompt":"a","best_of":"9"}`, want: func(d *dialect.Demand) { d.Unbounded = "the number of answers (bestof) is no whole number" }},
		"searches":                    {body: `{"input":"a","tools":[{"type":"web_search"}]}`, want: func(d *dialect.Demand) { d.Unbounded = "the web search has no limit on the number of searches" }},
		"fetches":                     {body: `{"messages":[],"tools":[{"type":"web_fetch_20250910"}]}`, want: unbounded("webfetch20250910")},
		"searches of a model":         {body: `{"messages":[],"web_search_options":{}}`, want: unbounded("websearchoptions")},
		"searches of Google":          {body: `{"contents":[],"tools":[{"google_search":{}}]}`, want: unbounded("googlesearch")},
		"code":                        {body: `{"input":"a","tools":[{"type":"code_interpreter","container":{"type":"auto"}}],"max_tool_calls":1}`, want: unbounded("codeinterpreter")},
		"files":                       {body: `{"input":"a","tools":[{"type":"file_search"}]}`, want: unbounded("filesearch")},
		"MCP":                         {body: `{"input":"a","tools":[{"type":"mcp","server_url":"x"}]}`, want: unbounded("mcp")},
		"MCP of Anthropic":            {body: `{"messages":[],"mcp_servers":[{}]}`, want: unbounded("mcpservers")},
		"no MCP":                      {body: `{"messages":[],"mcp_servers":[]}`, want: plain},
		"a tool of a strange name":    {body: `{"input":"a","tools":[{"type":"<b>\u0000"}]}`, want: unbounded("a tool")},
		"plugins":                     {body: `{"messages":[],"plugins":[{"id":"web"}]}`, want: unbounded("plugins")},
	} {
		t.Run(name, func(t *testing.T) {
			got := dialect.GenerationDemand([]byte(tc.body), dialect.Head{N: tc.n})
			if least := int64(len(tc.body)); got.Prompt < least || got.Prompt > least+4096 {
				t.Errorf("the prompt has up to %d tokens, of %d bytes", got.Prompt, least)
			}
			got.Prompt = 0
			if diff := cmp.Diff(demanded(tc.want), got); diff != "" {
				t.Errorf("demand (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPredictionDemand counts what is predicted beside the output limit, for each choice.
func TestPredictionDemand(t *testing.T) {
	const prediction = `{"type":"content","content":"abc"}`
	got := dialect.GenerationDemand([]byte(`{"messages":[],"prediction":`+prediction+`}`), dialect.Head{N: 2})
	if want := int64(2 * len(prediction)); got.Completion != want {
		t.Errorf("the completion has %d tokens beside its limit, want %d", got.Completion, want)
	}
}

func TestMostTokens(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "plain": 5, "é": 3, "世界": 6, "\ufdfa": 33, `\ufdfa`: 33, `\u00e9`: 6, `\ud83d\ude00`: 12, "ﬁ": 3, "½": 5, `\uzzzz`: 6, `\u00`: 4, "\xff": 1,
	} {
		if got := dialect.MostTokens([]byte(text)); got != want {
			t.Errorf("MostTokens(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestWithin(t *testing.T) {
	const million = 1_000_000
	priced := &table.Prices{Input: million, Output: million}
	text := func(d *dialect.Demand) { d.Prompt, d.Choices, d.Rounds = 100, 2, 1 }
	for name, tc := range map[string]struct {
		demand func(*dialect.Demand)
		limits dialect.Limits
		want   meter.Demand
		reason string
	}{
		"text":                         {demand: text, limits: dialect.Limits{Output: 50, Prices: priced}, want: meter.Demand{Prompt: 100, Completion: 100, WritesCache: true}},
		"Claude writes what is marked": {demand: text, limits: dialect.Limits{Model: "us.anthropic.CLAUDE-x", Output: 50, Prices: priced}, want: meter.Demand{Prompt: 100, Completion: 100}},
		"a short context":              {demand: text, limits: dialect.Limits{Context: 80, Output: 50, Prices: priced}, want: meter.Demand{Prompt: 80, Completion: 100, WritesCache: true}},
		"a longer context that is paid": {
			demand: text, limits: dialect.Limits{Context: 80, Output: 50, Prices: &table.Prices{Tiers: []table.PriceTier{{Above: 80}}}}, want: meter.Demand{Prompt: 100, Completion: 100, WritesCache: true},
		},
		"images": {
			demand: func(d *dialect.Demand) { text(d); d.Media = true }, limits: dialect.Limits{Context: 9000, Output: 50, Prices: priced},
			want: meter.Demand{Prompt: 9000, Completion: 100, WritesCache: true},
		},
		"images, several prompts": {
			demand: func(d *dialect.Demand) { text(d); d.Media, d.Rounds = true, 3 }, limits: dialect.Limits{Context: 9000, Output: 50, Prices: priced},
			want: meter.Demand{Prompt: 27_000, Completion: 300, WritesCache: true},
		},
		"images without a context": {
			demand: func(d *dialect.Demand) { text(d); d.Media = true }, limits: dialect.Limits{Output: 50, Prices: priced},
			want: meter.Demand{Prompt: dialect.Unlimited, Completion: 100, WritesCache: true}, reason: "the prompt has parts whose size only the model's context bounds, which is not known",
		},
		"images that are free": {
			demand: func(d *dialect.Demand) { text(d); d.Media = true }, limits: dialect.Limits{Output: 50, Prices: &table.Prices{Output: million}},
			want: meter.Demand{Prompt: dialect.Unlimited, Completion: 100, WritesCache: true},
		},
		"no output limit": {
			demand: text, limits: dialect.Limits{Prices: priced},
			want: meter.Demand{Prompt: 100, Completion: dialect.Unlimited, WritesCache: true}, reason: "the length of the answer has no limit that is known",
		},
		"no output": {demand: func(d *dialect.Demand) { d.Prompt, d.Rounds = 100, 1 }, limits: dialect.Limits{Prices: priced}, want: meter.Demand{Prompt: 100, WritesCache: true}},
		"no prices": {
			demand: func(d *dialect.Demand) { d.AudioMillis = dialect.Unlimited }, want: meter.Demand{AudioMillis: dialect.Unlimited, WritesCache: true}, reason: "the length of the sound is not known",
		},
		"what has no bound": {demand: func(d *dialect.Demand) { d.Unbounded = "so" }, limits: dialect.Limits{Prices: priced}, want: meter.Demand{WritesCache: true}, reason: "so"},
		"a model that searches": {
			demand: func(d *dialect.Demand) { d.Rounds = 1 }, limits: dialect.Limits{Model: "Groq/Compound-mini", Prices: priced},
			want: meter.Demand{WritesCache: true}, reason: "the model searches as often as it likes",
		},
		"OpenAI chooses the class":  {demand: func(*dialect.Demand) {}, limits: dialect.Limits{Provider: "OpenAI", Prices: priced}, want: meter.Demand{WritesCache: true, Service: meter.ServiceAuto}},
		"so may what a proxy calls": {demand: func(*dialect.Demand) {}, limits: dialect.Limits{Provider: "Signalbox", Prices: priced}, want: meter.Demand{WritesCache: true, Service: meter.ServiceAuto}},
		"Claude has no other class": {
			demand: func(d *dialect.Demand) { d.Service = meter.ServiceAuto }, limits: dialect.Limits{Model: "claude-x", Provider: "Anthropic", Prices: priced}, want: meter.Demand{},
		},
		"images of an unknown size": {
			demand: func(d *dialect.Demand) { d.Images, d.Completion = 1, 100 }, limits: dialect.Limits{Model: "painter", Prices: priced},
			want: meter.Demand{Images: 1, Completion: dialect.Unlimited, WritesCache: true}, reason: "the length of the answer has no limit that is known",
		},
		"images by the piece": {
			demand: func(d *dialect.Demand) { d.Images, d.Completion = 1, 100 }, limits: dialect.Limits{Model: "painter", Prices: &table.Prices{Image: new(int64(5))}},
			want: meter.Demand{Images: 1, Completion: dialect.Unlimited, WritesCache: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var demand dialect.Demand
			tc.demand(&demand)
			got, reason := demand.Within(tc.limits)
			if diff := cmp.Diff(tc.want, got); diff != "" || reason != tc.reason {
				t.Errorf("reason %q, want %q; demand (-want +got):\n%s", reason, tc.reason, diff)
			}
		})
	}
}

func TestOtherDemands(t *testing.T) {
	embedding := dialect.EmbeddingDemand([]byte(`{"input":["a",[1,2],"c"]}`), "input")
	if embedding.Rounds != 3 || embedding.Media || embedding.Choices != 0 {
		t.Errorf("three texts demand %+v", embedding)
	}
	if image := dialect.EmbeddingDemand([]byte(`{"input":[{"type":"image_url","image_url":{"url":"x"}}]}`), "input"); !image.Media {
		t.Errorf("an image demands %+v", image)
	}
	long := strings.Repeat("x", 1000)
	order := dialect.RerankDemand([]byte(`{"query":"abc","documents":[` + strings.Repeat(`"`+long+`",`, 30) + `{"text":"` + long + `"}]}`))
	// Each document has four pieces of 250 bytes and a rest: 155 pieces.
	if order.SearchUnits != 2 || order.Rounds != 31 || order.Prompt < 31_000+31*5 || order.Media {
		t.Errorf("an order of 31 documents demands %+v", order)
	}
	if image := dialect.RerankDemand([]byte(`{"query":"abc","documents":[{"image":"data:"}]}`)); !image.Media {
		t.Errorf("an image demands %+v", image)
	}
}

// FuzzGenerationDemand checks that the demand of anything is possible, and that one more member never makes it smaller.
func FuzzGenerationDemand(f *testing.F) {
	for _, seed := range []string{
		`{"messages":[{"role":"user","content":[{"type":"image_url"}]}],"tools":[{"type":"web_search","max_uses":2}]}`, `{"prompt":[[1]],"best_of":3}`,
		`{"contents":{"parts":{"inlineData":{"mimeType":"a"}}},"tools":{}}`, `{"input":[[[[{"source":{"content":[{}]}}]]]],"cache_control":{"ttl":1}}`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if dialect.WalkMembers(body, nil, nil, func([]byte) {}) != nil {
			return
		}
		d := dialect.GenerationDemand(body, dialect.Head{N: 1})
		m, _ := d.Within(dialect.Limits{Context: 1000, Output: 10, Prices: &table.Prices{Input: 1, Output: 1}})
		for _, n := range []int64{m.Prompt, m.Completion, m.Searches, d.Choices - 1, d.Rounds - 1} {
			if n < 0 {
				t.Fatalf("%q demands %+v, %+v", body, d, m)
			}
		}
		if d.Prompt < int64(len(body)) || m.Completion < 10 {
			t.Fatalf("%q demands %+v, %+v", body, d, m)
		}
	})
}
