package codecs_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/sse"
)

// routing is what a call tells of itself, and wantRouting how clients are told.
func routing() *dialect.RoutingMetadata {
	return &dialect.RoutingMetadata{
		Requested: "chat", Strategy: dialect.RoutedByFallback, Region: "eu", Elapsed: 1500 * time.Millisecond,
		Attempts: []dialect.RoutingAttempt{{Target: "fast", Provider: "Groq", Model: "llama", Status: 503}, {Target: "safe", Provider: "OpenAI", Model: "gpt"}},
		Endpoints: []dialect.RoutingEndpoint{
			{Target: "fast", Provider: "Groq", Model: "llama"}, {Target: "safe", Provider: "OpenAI", Model: "gpt", Selected: true},
			{Target: "old", Provider: "XAI", Model: "grok", Excluded: "it has no tools"},
		},
	}
}

const wantRouting = `"openrouter_metadata":{"requested":"chat","strategy":"fallback","region":"eu","summary":"available=2, selected=OpenAI","attempt":2,"is_byok":false,` +
	`"endpoints":{"total":3,"available":[{"target":"fast","provider":"Groq","model":"llama","selected":false},{"target":"safe","provider":"OpenAI","model":"gpt","selected":true}],` +
	`"excluded":[{"target":"old","provider":"XAI","model":"grok","selected":false,"excluded":"it has no tools"}]},` +
	`"attempts":[{"target":"fast","provider":"Groq","model":"llama","status":503},{"target":"safe","provider":"OpenAI","model":"gpt","status":0}],"generation_time":1500}`

const (
	chatStream = `data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"gpt","choices":[{"index":0,"delta":{"content":"data: [DONE]"},"finish_reason":"stop"}]}` + "\n\n"
	chatLast   = `data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"gpt","choices":[],`
	done       = "data: [DONE]\n\n"

	messagesStream = `event: message_start` + "\n" + `data: {"type":"message_start","message":{"id":"m","role":"assistant","content":[],"model":"c","usage":{"input_tokens":1,"output_tokens":1}}}` + "\n\n" +
		`event: message_delta` + "\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}` + "\n\n"
	responsesStream = `event: response.created` + "\n" + `data: {"type":"response.created","sequence_number":0,"response":{"id":"r","status":"in_progress","output":[]}}` + "\n\n"
)

// routed is a stream of an upstream, and what must be in the one of the client: the text in want, once.
type routed struct {
	surface, upstream neutral.API
	stream, want      string
	// whole tells that the client's stream is want and nothing else.
	whole bool
}

func routedStreams() map[string]routed {
	return map[string]routed{
		"chat":             {neutral.ChatCompletions, neutral.ChatCompletions, chatStream + done, chatStream + chatLast + wantRouting + "}\n\n" + done, true},
		"chat, not ended":  {neutral.ChatCompletions, neutral.ChatCompletions, chatStream, chatStream + chatLast + wantRouting + "}\n\n", true},
		"chat, CRLF":       {neutral.ChatCompletions, neutral.ChatCompletions, strings.ReplaceAll(chatStream+done, "\n", "\r\n"), chatLast + wantRouting + "}\n\ndata: [DONE]\r\n\r\n", false},
		"messages":         {neutral.Messages, neutral.Messages, messagesStream + `data: {"type":"message_stop"}` + "\n\n", messagesStream + `data: {"type":"message_stop",` + wantRouting + "}\n\n", true},
		"chat of Claude's": {neutral.ChatCompletions, neutral.Messages, messagesStream + `data: {"type":"message_stop"}` + "\n\n", `"choices":[],` + wantRouting + "}\n\n" + done, false},
		"Claude of a chat": {neutral.Messages, neutral.ChatCompletions, chatStream + done, `data: {"type":"message_stop",` + wantRouting + "}\n\n", false},
		"completions":      {neutral.Completions, neutral.ChatCompletions, chatStream + done, `"object":"text_completion"`, false},
		"responses": {
			neutral.Responses, neutral.Responses, responsesStream + `event: response.completed` + "\n" + `data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[]},"sequence_number":1}` + "\n\n",
			responsesStream + `event: response.completed` + "\n" + `data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[],` + wantRouting + `},"sequence_number":1}` + "\n\n", true,
		},
		"an incomplete response": {
			neutral.Responses, neutral.Responses, responsesStream + `data: {"response":{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]},"type":"response.incomplete","sequence_number":1}` + "\n\n",
			`"output":[],` + wantRouting + `},"type":"response.incomplete"`, false,
		},
		"a response of a chat": {neutral.Responses, neutral.ChatCompletions, chatStream + done, "," + wantRouting + "}", false},
		"gemini has no place":  {neutral.GenerateContent, neutral.ChatCompletions, chatStream + done, `"candidates"`, false},
	}
}

// client is what the client gets of an upstream's stream, and whether it was whole.
func client(t *testing.T, tc routed, source io.Reader, o dialect.Exchange) (string, bool) {
	t.Helper()
	joint, ok := codecs.Default().Join(tc.surface, tc.upstream)
	if !ok {
		t.Fatal("the APIs are not joined")
	}
	stream, reader := joint.NewStream(o), sse.NewReader(source, 0)
	var got strings.Builder
	for {
		event, err := reader.Next()
		if err != nil {
			break
		}
		step, err := stream.Next(event)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(step.Output)
		if step.Kind == dialect.StepDone {
			return got.String(), true
		}
	}
	end, whole := stream.End()
	got.Write(end)
	return got.String(), whole
}

// TestRoutingInStreams: a stream ends with how it was routed, once, however its bytes come, and is otherwise what it is for those who did not ask.
func TestRoutingInStreams(t *testing.T) {
	for name, tc := range routedStreams() {
		t.Run(name, func(t *testing.T) {
			asked := 0
			o := dialect.Exchange{ID: "x", Model: "chat", UpstreamModel: "gpt", Created: 7}
			plain, _ := client(t, tc, strings.NewReader(tc.stream), o)
			if strings.Contains(plain, "openrouter_metadata") {
				t.Errorf("nobody asked: %s", plain)
			}
			o.Metadata = func() *dialect.RoutingMetadata { asked++; return routing() }
			got, whole := client(t, tc, strings.NewReader(tc.stream), o)
			slow, _ := client(t, tc, iotest.OneByteReader(strings.NewReader(tc.stream)), o)
			lines := strings.NewReplacer("\r\n", "\n", "\r", "\n") // A reader takes a CR for the end of a line before it sees the LF.
			if lines.Replace(got) != lines.Replace(slow) || !whole || !strings.Contains(got, tc.want) || tc.whole && got != tc.want {
				t.Errorf("got (whole %v)\n%s\nwant\n%s\nbyte by byte\n%s", whole, got, tc.want, slow)
			}
			times := 1
			if tc.surface == neutral.GenerateContent {
				times = 0
			}
			if n := strings.Count(got, wantRouting); n != times || asked != 2*times {
				t.Errorf("it is told %d times and asked for %d times: %s", n, asked, got)
			}
			checkEvents(t, got)
		})
	}
}

// checkEvents checks that all data is JSON.
func checkEvents(t *testing.T, stream string) {
	t.Helper()
	reader := sse.NewReader(strings.NewReader(stream), 0)
	for {
		event, err := reader.Next()
		if err != nil {
			return
		}
		if string(event.Data) != "[DONE]" && !json.Valid(event.Data) {
			t.Errorf("data %q", event.Data)
		}
	}
}

// TestRoutingOfBrokenStreams: what did not end does not tell.
func TestRoutingOfBrokenStreams(t *testing.T) {
	const begun = `data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}` + "\n\n"
	o := dialect.Exchange{ID: "x", Metadata: routing}
	for name, tc := range map[string]routed{
		"cut":     {surface: neutral.ChatCompletions, upstream: neutral.ChatCompletions, stream: begun},
		"crossed": {surface: neutral.Messages, upstream: neutral.ChatCompletions, stream: begun},
		"failed":  {surface: neutral.ChatCompletions, upstream: neutral.ChatCompletions, stream: begun + `data: {"error":{"message":"m"}}` + "\n\n"},
	} {
		got, whole := client(t, tc, strings.NewReader(tc.stream), o)
		if whole || strings.Contains(got, "openrouter_metadata") {
			t.Errorf("%s: whole %v: %s", name, whole, got)
		}
	}
}

// TestRoutingInAnswers: whole answers tell it behind all else.
func TestRoutingInAnswers(t *testing.T) {
	const chat = `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}`
	const message = `{"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"x"}],"model":"c","stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`
	for name, tc := range map[string]struct {
		surface, upstream neutral.API
		body              string
		told              bool
	}{
		"chat":              {neutral.ChatCompletions, neutral.ChatCompletions, chat, true},
		"blanks behind":     {neutral.ChatCompletions, neutral.ChatCompletions, " " + chat + " \n", true},
		"messages":          {neutral.Messages, neutral.Messages, message, true},
		"chat of Claude's":  {neutral.ChatCompletions, neutral.Messages, message, true},
		"Claude of a chat":  {neutral.Messages, neutral.ChatCompletions, chat, true},
		"completions":       {neutral.Completions, neutral.ChatCompletions, chat, true},
		"responses":         {neutral.Responses, neutral.ChatCompletions, chat, true},
		"vectors do not":    {neutral.Embeddings, neutral.Embeddings, `{"object":"list","data":[]}`, false},
		"gemini's does not": {neutral.GenerateContent, neutral.ChatCompletions, chat, false},
	} {
		t.Run(name, func(t *testing.T) {
			plain := answer(t, tc.surface, tc.upstream, tc.body, dialect.Exchange{ID: "x"})
			told := answer(t, tc.surface, tc.upstream, tc.body, dialect.Exchange{ID: "x", Metadata: routing})
			want := plain
			if trimmed := strings.TrimRight(plain, " \n"); tc.told {
				want = strings.TrimSuffix(trimmed, "}") + "," + wantRouting + "}" + plain[len(trimmed):]
			}
			if diff := cmp.Diff(want, told); diff != "" || !json.Valid([]byte(told)) {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func answer(t *testing.T, surface, upstream neutral.API, body string, o dialect.Exchange) string {
	t.Helper()
	joint, _ := codecs.Default().Join(surface, upstream)
	read, err := joint.ReadAnswer([]byte(body), o)
	if err != nil {
		t.Fatal(err)
	}
	return string(read.Body(read.Settle(1)))
}

// TestRoutingOfNothing: what is not known has its place all the same, for clients demand it.
func TestRoutingOfNothing(t *testing.T) {
	o := dialect.Exchange{Metadata: func() *dialect.RoutingMetadata { return &dialect.RoutingMetadata{Strategy: dialect.RoutedDirectly} }}
	const want = `{"choices":[],"openrouter_metadata":{"requested":"","strategy":"direct","region":null,"summary":"available=0","attempt":0,"is_byok":false,"endpoints":{"total":0,"available":[]}}}`
	if got := answer(t, neutral.ChatCompletions, neutral.ChatCompletions, `{"choices":[]}`, o); got != want {
		t.Errorf("got %s", got)
	}
}

func TestAsksForMetadata(t *testing.T) {
	for value, want := range map[string]bool{"enabled": true, " Enabled ": true, "disabled": false, "": false, "true": false, "1": false} {
		if got := dialect.AsksForMetadata(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// FuzzRouting puts how a call was routed into whatever comes from an upstream: nothing but that is added, and no data stops being JSON.
func FuzzRouting(f *testing.F) {
	pairs := [...][2]neutral.API{
		{neutral.ChatCompletions, neutral.ChatCompletions}, {neutral.Messages, neutral.Messages}, {neutral.Responses, neutral.Responses},
		{neutral.Completions, neutral.ChatCompletions}, {neutral.Responses, neutral.Messages}, {neutral.Messages, neutral.Responses},
	}
	for _, tc := range routedStreams() {
		for i, pair := range pairs {
			if pair == [2]neutral.API{tc.surface, tc.upstream} {
				f.Add([]byte(tc.stream), uint8(i))
			}
		}
	}
	f.Add([]byte("data: {}\n\ndata:[DONE]\r\n\r\n"), uint8(0))
	f.Add([]byte("event: x\ndata: {\"type\":\"message_stop\"\ndata: }\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, which uint8) {
		pair := pairs[int(which)%len(pairs)]
		plain := pieces(pair, stream, dialect.Exchange{ID: "x"})
		told := pieces(pair, stream, dialect.Exchange{ID: "x", Metadata: routing})
		for i, piece := range told {
			without := strings.Replace(strings.Replace(piece, ","+wantRouting, "", 1), wantRouting, "", 1)
			if without != plain[i] && !strings.Contains(without, `"choices":[]`) {
				t.Fatalf("%q becomes %q", plain[i], piece)
			}
			if json.Valid(data(plain[i])) && !json.Valid(data(piece)) {
				t.Fatalf("%q becomes %q", plain[i], piece)
			}
		}
	})
}

// data is what stands behind the first data: of a piece of one event.
func data(piece string) []byte {
	_, text, _ := strings.Cut(piece, "data:")
	return []byte(text)
}

// pieces are what the client gets of each event, and at the end.
func pieces(pair [2]neutral.API, stream []byte, o dialect.Exchange) []string {
	joint, _ := codecs.Default().Join(pair[0], pair[1])
	events, reader := joint.NewStream(o), sse.NewReader(strings.NewReader(string(stream)), 0)
	var list []string
	for {
		event, err := reader.Next()
		if err != nil {
			break
		}
		step, err := events.Next(event)
		if err != nil {
			return list
		}
		list = append(list, string(step.Output))
	}
	end, _ := events.End()
	return append(list, string(end))
}

// TestRoutingOfErrors: a refusal tells it beside the error, the end of a broken stream does not.
func TestRoutingOfErrors(t *testing.T) {
	for _, api := range []neutral.API{neutral.ChatCompletions, neutral.Completions, neutral.Embeddings, neutral.Responses, neutral.Messages} {
		surface := codecs.Default().Surface(api)
		reply := dialect.ErrorReply{Flavor: dialect.OpenRouterFlavor, Status: 503, Message: "m", Code: "no_eligible_target"}
		plain, event := string(surface.AppendError(nil, reply)), string(surface.AppendErrorEvent(nil, reply))
		reply.Routing = routing()
		want := "kept " + strings.TrimSuffix(plain, "}") + "," + wantRouting + "}"
		if diff := cmp.Diff(want, string(surface.AppendError([]byte("kept "), reply))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", api, diff)
		}
		if got := string(surface.AppendErrorEvent(nil, reply)); got != event {
			t.Errorf("%s: event %s", api, got)
		}
	}
}
