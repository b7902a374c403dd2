package codecs_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// steering are the members that are for the proxy.
const steering = `"session_id":"s","models":["b","c"],"route":"fallback","provider":{"only":["groq"]},`

// steered are requests with all that is for the proxy, of every surface that knows such members.
func steered() map[neutral.API]string {
	return map[neutral.API]string{
		neutral.ChatCompletions:  `{` + steering + `"model":"a","messages":[{"role":"user","content":"hi"}]}`,
		neutral.Completions:      `{` + steering + `"model":"a,b","prompt":"hi"}`,
		neutral.Responses:        `{` + steering + `"model":"a","input":"hi"}`,
		neutral.Messages:         `{` + steering + `"fallbacks":[{"model":"d"}],"model":"a","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`,
		neutral.CountTokens:      `{` + steering + `"fallbacks":[{"model":"d"}],"model":"a","messages":[{"role":"user","content":"hi"}]}`,
		neutral.Embeddings:       `{` + steering + `"model":"a","input":"hi"}`,
		neutral.Rerank:           `{` + steering + `"model":"a","query":"q","documents":["d"]}`,
		neutral.Moderations:      `{` + steering + `"input":"hi"}`,
		neutral.ImageGenerations: `{` + steering + `"model":"a","prompt":"hi"}`,
	}
}

// upstreams are APIs of providers, those that OpenRouter has first.
var upstreams = [...]neutral.API{
	neutral.ChatCompletions, neutral.Completions, neutral.Responses, neutral.Messages, neutral.Embeddings, neutral.Rerank, neutral.ImageGenerations,
	neutral.Moderations, neutral.CountTokens, neutral.GenerateContent, neutral.Converse, neutral.CohereChat, neutral.BatchEmbedContents,
	neutral.VertexPredict, neutral.CohereEmbed, neutral.CohereRerank,
}

// TestSteeringStaysHere: whatever API and vendor a request goes to, what was for the proxy is not in it and not reported, the model is the target's, and
// preferences are those that the target has.
func TestSteeringStaysHere(t *testing.T) {
	all := codecs.Default()
	joints := 0
	for surface, body := range steered() {
		checkUnnamed(t, all, surface, strings.NewReplacer(`"model":"a",`, "", `"model":"a,b",`, "").Replace(body))
		head, err := all.Surface(surface).ReadHead([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", surface, err)
		}
		if head.Model == "" || len(head.Alternatives) == 0 || head.Session != "s" || string(head.Preferences) != `{"only":["groq"]}` {
			t.Errorf("%s: head %+v", surface, head)
		}
		for i, upstream := range upstreams {
			joint, ok := all.Join(surface, upstream)
			if !ok {
				continue
			}
			joints++
			targets := []dialect.Target{{Model: "up", Provider: "OpenAI"}, {Model: "up", Provider: "OpenAICompatible"}}
			if i < slices.Index(upstreams[:], neutral.CountTokens) {
				targets = append(targets, dialect.Target{Model: "up", Provider: "OpenRouter"}, dialect.Target{Model: "up", Provider: "OpenRouter", Preferences: []byte(`{"sort":"price"}`)})
			}
			for _, to := range targets {
				checkSteered(t, joint, &dialect.Inbound{Body: []byte(body), Head: head}, to)
			}
		}
	}
	if joints < 30 {
		t.Errorf("only %d pairs of APIs were seen", joints)
	}
}

func checkSteered(t *testing.T, joint dialect.Joint, in *dialect.Inbound, to dialect.Target) {
	t.Helper()
	written, report, err := joint.AppendRequest(nil, in, to)
	if err != nil {
		t.Errorf("%s: %v", in.Body, err)
		return
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(written, &got); err != nil {
		t.Fatalf("%s is written as %s", in.Body, written)
	}
	for _, name := range []string{"models", "route", "fallbacks", "provider", "session_id", "model"} {
		if slices.Contains(report.Dropped, name) {
			t.Errorf("%s to %s: %q is reported", in.Body, to.Provider, name)
		}
	}
	gone := []string{"models", "route", "fallbacks"}
	if to.Provider != "OpenRouter" {
		gone = append(gone, "session_id")
	}
	for _, name := range gone {
		if value, there := got[name]; there {
			t.Errorf("%s to %s: %q is %s", in.Body, to.Provider, name, value)
		}
	}
	if diff := cmp.Diff(string(to.Preferences), string(got["provider"])); diff != "" {
		t.Errorf("%s to %s as %s: preferences (-want +got):\n%s", in.Body, to.Provider, written, diff)
	}
	if model, there := got["model"]; there && string(model) != `"up"` && string(model) != `"models/up"` {
		t.Errorf("%s to %s: the model is %s", in.Body, to.Provider, model)
	}
}

// checkUnnamed passes a request that names models without "model": the first of them is routed, and the target's is put in.
func checkUnnamed(t *testing.T, all *codecs.Codecs, surface neutral.API, body string) {
	t.Helper()
	head, err := all.Surface(surface).ReadHead([]byte(body))
	if err != nil || head.Model != "b" {
		t.Fatalf("%s: %+v, %v", body, head, err)
	}
	joint, _ := all.Join(surface, surface)
	for _, stream := range []bool{false, true} {
		head.Stream = stream
		written, _, err := joint.AppendRequest(nil, &dialect.Inbound{Body: []byte(body), Head: head}, dialect.Target{Model: "up", Provider: "OpenRouter"})
		var got map[string]any
		if err != nil || json.Unmarshal(written, &got) != nil || got["model"] != "up" || strings.Count(string(written), `"model":`) != 1 {
			t.Errorf("%s is passed as %s, %v", body, written, err)
		}
	}
}

// TestPreferencesOfTheRoute: the preferences of a target go to OpenRouter with requests that have none themselves, too.
func TestPreferencesOfTheRoute(t *testing.T) {
	all := codecs.Default()
	for surface, body := range steered() {
		body = strings.Replace(body, steering, "", 1)
		head, err := all.Surface(surface).ReadHead([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		joint, _ := all.Join(surface, surface)
		checkSteered(t, joint, &dialect.Inbound{Body: []byte(body), Head: head}, dialect.Target{Model: "up", Provider: "OpenRouter", Preferences: []byte(`{"zdr":true}`)})
	}
}

// FuzzSteering reads and passes whatever is a request: what was read keeps its bounds, and nothing that is for the proxy leaves it.
func FuzzSteering(f *testing.F) {
	surfaces := [...]neutral.API{
		neutral.ChatCompletions, neutral.Completions, neutral.Responses, neutral.Messages, neutral.Embeddings, neutral.Rerank, neutral.ImageGenerations, neutral.Moderations,
	}
	for surface, body := range steered() {
		for i, api := range surfaces {
			if api == surface {
				f.Add([]byte(body), uint8(i))
				f.Add([]byte(strings.Replace(body, `"model":"a",`, "", 1)), uint8(i))
				f.Add([]byte(strings.Replace(body, `"session_id":"s",`, ` "model" : "x\u002cy" , `, 1)), uint8(i))
			}
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		surface := surfaces[int(which)%len(surfaces)]
		all := codecs.Default()
		head, err := all.Surface(surface).ReadHead(body)
		if err != nil {
			return
		}
		checkHead(t, &head)
		joint, _ := all.Join(surface, surface)
		written, _, err := joint.AppendRequest(nil, &dialect.Inbound{Body: body, Head: head}, dialect.Target{Model: "up", Provider: "Groq"})
		if err != nil {
			return
		}
		var got map[string]json.RawMessage
		if json.Unmarshal(written, &got) != nil || string(got["model"]) != `"up"` {
			t.Fatalf("%q is passed as %q", body, written)
		}
		for _, name := range []string{"models", "provider", "session_id"} {
			if value, there := got[name]; there {
				t.Fatalf("%q is passed with %q: %q", body, name, value)
			}
		}
	})
}

// checkHead checks the bounds of what was read.
func checkHead(t *testing.T, head *dialect.Head) {
	t.Helper()
	models := append([]string{head.Model}, head.Alternatives...)
	for i, model := range models {
		if dialect.CheckModel(model) != nil || strings.Contains(model, ",") || slices.Contains(models[:i], model) {
			t.Fatalf("model %d of %q", i, models)
		}
	}
	var preferences map[string]any
	if len(models) > 1+dialect.MaxAlternatives || head.Preferences != nil && json.Unmarshal(head.Preferences, &preferences) != nil {
		t.Fatalf("%d models, preferences %q", len(models), head.Preferences)
	}
	if len(head.Session) > dialect.MaxNameBytes || len(head.User) > dialect.MaxNameBytes {
		t.Fatalf("session %q, user %q", head.Session, head.User)
	}
}
