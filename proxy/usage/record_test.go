package usage_test

import (
	"encoding/json"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
	"signalbox.dev/signalbox/proxy/usage"
)

var start = time.Date(2026, 11, 23, 1, 2, 3, 4000, time.UTC)

// whole is a record with something in every field.
func whole() *usage.Record {
	reported := int64(7)
	return &usage.Record{
		ID: "gen-1", RequestID: "req-1", Time: start, Namespace: "team-a", Pod: "signalbox-1", Caller: "serviceaccount:team-a/app",
		EndUser: "ana \"x\"\\ ☂", Tags: []table.Tag{{Key: "feature", Value: "search"}, {Key: "team", Value: "blue"}}, Trusted: true, Operation: "chat",
		Route: "chat", RoutedFrom: "dear", Target: "fast", Provider: "Groq", Model: "chat", Served: "llama", UpstreamID: "chatcmpl-1", Stream: true, Mirror: true,
		Usage: meter.Usage{
			Prompt: 1, Cached: 2, CacheWrite: 3, CacheWrite1h: 4, PromptAudio: 5, Completion: 6, Reasoning: 7, CompletionAudio: 8, CachedAudio: 9,
			PromptImage: 10, CompletionImage: 11, Images: 12, AudioMillis: 13, SpeechMillis: 14, Characters: 15, Searches: 16, SearchUnits: 17,
			Service: "flex", ReportedCost: &reported, Estimated: true,
		},
		Cost: 1_234_567_890, Unpriced: true, PriceSource: "catalogue", ListCost: 99, Estimated: true, FirstToken: time.Millisecond,
		Upstream: 2 * time.Millisecond, Duration: 3 * time.Millisecond,
		Attempts: []usage.Attempt{{Target: "fast", Provider: "Groq", Model: "llama", Key: "main", Status: 200, Code: "ok", Cost: 2, Duration: time.Second}},
		Status:   200, Code: "ok", Outcome: usage.Completed, Budgets: []string{"all", "chat"},
	}
}

func TestAppendJSON(t *testing.T) {
	const want = `{"time":"2026-11-23T01:02:03.000004Z","schema":"signalbox.dev/usage/v1","id":"gen-1","prompt_tokens":0,"completion_tokens":0,` +
		`"cost_nanodollars":0,"cost_usd":"0","duration_us":0,"outcome":"failed"}`
	r := &usage.Record{ID: "gen-1", Time: start.In(time.FixedZone("", 3600)), Outcome: usage.Failed}
	if got := string(usage.AppendJSON(nil, r)); got != want {
		t.Errorf("AppendJSON = %s, want %s", got, want)
	}
	line := string(usage.AppendLine([]byte("before "), r))
	if want := `before {"time":"2026-11-23T01:02:03.000004Z","level":"INFO","msg":"usage","schema":` + strings.SplitN(want, `"schema":`, 2)[1] + "\n"; line != want {
		t.Errorf("AppendLine = %s, want %s", line, want)
	}
	var members map[string]any
	if err := json.Unmarshal(usage.AppendJSON(nil, whole()), &members); err != nil || members["cost_usd"] != "1.23456789" {
		t.Errorf("cost_usd is %v, %v", members["cost_usd"], err)
	}
}

func TestParse(t *testing.T) {
	for name, want := range map[string]*usage.Record{"whole": whole(), "little": {ID: "gen-1", Time: start}} {
		got, err := usage.Parse(usage.AppendJSON(nil, want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, bad := range []string{"", "{}", "null", `{"schema":"signalbox.dev/usage/v1"}`, `{"schema":"signalbox.dev/usage/v2","id":"a"}`, strings.Repeat(" ", usage.MaxJSON+1)} {
		if r, err := usage.Parse([]byte(bad)); err == nil {
			t.Errorf("Parse(%.60q) = %+v", bad, r)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(usage.AppendJSON(nil, whole()))
	f.Add([]byte(`{"schema":"signalbox.dev/usage/v1","id":"\u0000","duration_us":9223372036854775807,"cost_nanodollars":-1,"tags":{"":""}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := usage.Parse(text)
		if err != nil {
			return
		}
		again, err := usage.Parse(usage.AppendJSON(nil, r))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Fatalf("read again (-want +got):\n%s", diff)
		}
	})
}

// member is what a field is.
type member struct {
	Type   string
	Always bool
}

// TestDocumentation holds the page, the schema and the code together: the same fields, of the same types, always there or not.
func TestDocumentation(t *testing.T) {
	inCode := membersOfCode(t)
	if diff := cmp.Diff(inCode, membersOfPage(text(t, "../../docs/usage.md"))); diff != "" {
		t.Errorf("fields (-code +docs/usage.md):\n%s", diff)
	}
	if diff := cmp.Diff(inCode, membersOfSchema(t, text(t, "../../docs/usage.schema.json"))); diff != "" {
		t.Errorf("fields (-code +docs/usage.schema.json):\n%s", diff)
	}
}

func membersOfCode(t *testing.T) map[string]member {
	t.Helper()
	members := map[string]member{}
	element := func(a usage.Attempt) []byte {
		text := usage.AppendAttempts(nil, []usage.Attempt{a})
		return text[1 : len(text)-1]
	}
	for name, kind := range kinds(t, usage.AppendJSON(nil, whole())) {
		members[name] = member{Type: kind}
	}
	for name, kind := range kinds(t, usage.AppendJSON(nil, &usage.Record{})) {
		members[name] = member{Type: kind, Always: true}
	}
	for name, kind := range kinds(t, element(whole().Attempts[0])) {
		members["attempts."+name] = member{Type: kind}
	}
	for name, kind := range kinds(t, element(usage.Attempt{})) {
		members["attempts."+name] = member{Type: kind, Always: true}
	}
	return members
}

// kinds are the types of an object's members, in the words of JSON Schema.
func kinds(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for name, value := range members {
		switch value.(type) {
		case string:
			found[name] = "string"
		case bool:
			found[name] = "boolean"
		case float64:
			found[name] = "integer"
		case []any:
			found[name] = "array"
		default:
			found[name] = "object"
		}
	}
	return found
}

func membersOfPage(page string) map[string]member {
	members := map[string]member{}
	prefix := ""
	row := regexp.MustCompile("^\\| `([a-z_0-9]+)` \\| ([a-z]+) \\| (always)? *\\| ")
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "An attempt has these") {
			prefix = "attempts."
		}
		if found := row.FindStringSubmatch(line); found != nil {
			members[prefix+found[1]] = member{Type: found[2], Always: found[3] != ""}
		}
	}
	return members
}

func membersOfSchema(t *testing.T, text string) map[string]member {
	t.Helper()
	type inner struct {
		Properties map[string]struct{ Type string }
		Required   []string
	}
	var schema struct {
		Properties map[string]struct {
			Type  string
			Items inner
		}
		Required []string
	}
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(err)
	}
	members := map[string]member{}
	for name, property := range schema.Properties {
		members[name] = member{Type: property.Type, Always: slices.Contains(schema.Required, name)}
	}
	attempts := schema.Properties["attempts"].Items
	for name, property := range attempts.Properties {
		members["attempts."+name] = member{Type: property.Type, Always: slices.Contains(attempts.Required, name)}
	}
	return members
}

// TestDocumentedExamples reads the examples of the page.
func TestDocumentedExamples(t *testing.T) {
	examples := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindAllStringSubmatch(text(t, "../../docs/usage.md"), -1)
	if len(examples) != 2 {
		t.Fatalf("there are %d examples", len(examples))
	}
	r, err := usage.Parse([]byte(examples[0][1]))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(usage.AppendLine(nil, r)); got != examples[0][1]+"\n" {
		t.Errorf("the example of a line is not what is written:\n%s", got)
	}
	s, err := usage.ReadSummary(strings.NewReader(examples[1][1]))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(usage.AppendSummary(nil, s)); got != examples[1][1] {
		t.Errorf("the example of a summary is not what is written:\n%s", got)
	}
	for _, d := range usage.Dimensions() {
		if !strings.Contains(text(t, "../../docs/usage.md"), "`"+string(d)+"`") {
			t.Errorf("the page does not name the dimension %s", d)
		}
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestNormalize(t *testing.T) {
	reported := int64(-3)
	r := &usage.Record{
		ID: "gen\x00-1", Model: strings.Repeat("é", 200), EndUser: "a\x1b[31mb\u0085c\x7f", Caller: "x\xff\xfey", Code: strings.Repeat("a", 256),
		Tags: make([]table.Tag, 20), Attempts: make([]usage.Attempt, 40), Budgets: make([]string, 50), Cost: -1, ListCost: math.MinInt64,
		Duration: -time.Second, Usage: meter.Usage{Prompt: -1, SearchUnits: -1, Searches: -1, ReportedCost: &reported},
	}
	r.Tags[0] = table.Tag{Key: strings.Repeat("k", 100), Value: "v\n"}
	r.Attempts[39] = usage.Attempt{Code: "last", Cost: -1}
	r.Normalize()
	zero := int64(0)
	want := &usage.Record{
		ID: "gen�-1", Model: strings.Repeat("é", 128), EndUser: "a�[31mb�c�", Caller: "x�y", Code: strings.Repeat("a", 256),
		Tags: make([]table.Tag, 16), Attempts: make([]usage.Attempt, 32), Budgets: make([]string, 32), Usage: meter.Usage{ReportedCost: &zero},
	}
	want.Tags[0] = table.Tag{Key: strings.Repeat("k", 64), Value: "v�"}
	want.Attempts[31].Code = "last"
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("Normalize (-want +got):\n%s", diff)
	}
}

// TestNormalIsShared: normalising what is normal writes nothing; the race detector watches.
func TestNormalIsShared(t *testing.T) {
	r := whole()
	r.Normalize()
	done := make(chan int)
	go func() { done <- len(usage.AppendJSON(nil, r)) }()
	r.Normalize()
	<-done
	if diff := cmp.Diff(whole(), r); diff != "" {
		t.Errorf("Normalize changed (-want +got):\n%s", diff)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("plain")
	f.Add("\xff\x00é" + strings.Repeat("☂", 100))
	f.Add(strings.Repeat("a", 255) + "é")
	f.Fuzz(func(t *testing.T, text string) {
		r := &usage.Record{Model: text}
		r.Normalize()
		if len(r.Model) > usage.MaxText || !utf8.ValidString(r.Model) || strings.ContainsFunc(r.Model, unicode.IsControl) {
			t.Fatalf("%q became %q", text, r.Model)
		}
		once := r.Model
		if r.Normalize(); r.Model != once {
			t.Fatalf("%q became %q and then %q", text, once, r.Model)
		}
		if len(text) <= usage.MaxText && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl) && r.Model != text {
			t.Fatalf("%q was normal and became %q", text, r.Model)
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	r := whole()
	buffer := make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(100, func() { buffer = usage.AppendLine(buffer[:0], r) }); n != 0 {
		t.Errorf("AppendLine allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, r.Normalize); n != 0 {
		t.Errorf("Normalize allocates %v times", n)
	}
}

func BenchmarkAppendLine(b *testing.B) {
	r := whole()
	buffer := make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		buffer = usage.AppendLine(buffer[:0], r)
	}
}
