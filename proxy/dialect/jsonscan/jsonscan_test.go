package jsonscan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// valid tells whether the scanner takes the whole text as one value.
func valid(data []byte) bool {
	end, err := jsonscan.Value(data, jsonscan.Space(data, 0))
	return err == nil && jsonscan.Space(data, end) == len(data)
}

var texts = []string{
	`{}`, `[]`, `""`, `0`, `-0`, `-0.5e+10`, `1E5`, `1e99999999999`, `true`, `false`, `null`, `{"a":[1,{"b":null}],"c":"d"}`, " [ 1 , 2 ]\n", `[[],{},[{}]]`,
	`"\u00e9\ud83d\ude00\ud800"`, `"\"\\\/\b\f\n\r\t"`, `"` + strings.Repeat("long plain text ", 9) + `"`, `"12345678\n12345678"`, "\"\x7f\xc3\xa9\"",
	``, ` `, `{`, `[`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[,]`, `{,}`, `{1:2}`, `{"a" 1}`, `{"a":1 "b":2}`, `[1 2]`, `]`, `}`, `[}`, `{]`,
	`01`, `+1`, `.5`, `1.`, `1e`, `1e+`, `-`, `0x1`, `NaN`, `Infinity`, `tru`, `truee`, `nul`, `'a'`, `"a`, `"\`, `"\u12"`, `"\u12G4"`, `"\x41"`, "\"\n\"",
	"\"1234567\x00\"", "\"\x1f12345678\"", `// c`, `{/**/}`, "\ufeff{}", `{} {}`, `[1]x`, "\v1", "\u00a01", "{\"a\":1}\x00",
}

func TestValueAgreesWithEncodingJSON(t *testing.T) {
	for _, text := range texts {
		if got, want := valid([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("%q: valid is %v, want %v", text, got, want)
		}
	}
}

// TestEveryTruncation cuts a text at each byte; none of the parts is JSON and none of them panics.
func TestEveryTruncation(t *testing.T) {
	whole := `{"a":[1.5e-3,true,{"b":"\u00e9\ud83d\ude00 and more than eight bytes"},null,[]],"c":{}}`
	for cut := range len(whole) {
		if valid([]byte(whole[:cut])) {
			t.Errorf("%q is taken for JSON", whole[:cut])
		}
	}
	if !valid([]byte(whole)) {
		t.Errorf("%q is not taken for JSON", whole)
	}
}

func TestDepth(t *testing.T) {
	nested := func(open, inner, closing string, depth int) []byte {
		return []byte(strings.Repeat(open, depth) + inner + strings.Repeat(closing, depth))
	}
	for name, tc := range map[string]struct {
		text []byte
		want bool
	}{
		"arrays at the limit":   {nested("[", "", "]", jsonscan.MaxDepth), true},
		"arrays above it":       {nested("[", "", "]", jsonscan.MaxDepth+1), false},
		"objects at the limit":  {nested(`{"a":`, "1", "}", jsonscan.MaxDepth), true},
		"objects above it":      {nested(`{"a":`, "1", "}", jsonscan.MaxDepth+1), false},
		"a million open arrays": {[]byte(strings.Repeat("[", 1_000_000)), false},
		"wrong closing bracket": {[]byte(strings.Repeat("[", 100) + strings.Repeat("}", 100)), false},
		"width is not depth":    {[]byte("[" + strings.Repeat("[],", 5000) + "[]]"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := valid(tc.text); got != tc.want {
				t.Errorf("valid is %v, want %v", got, tc.want)
			}
		})
	}
}

func TestSyntaxErrorTellsOffset(t *testing.T) {
	for text, want := range map[string]int{`{"a":1,}`: 7, `[1`: 2, `["a` + "\x01" + `"]`: 3, `[tru]`: 1, `{"a"}`: 4} {
		_, err := jsonscan.Value([]byte(text), 0)
		var problem *jsonscan.SyntaxError
		if !errors.As(err, &problem) || problem.Offset != want {
			t.Errorf("%q: error %v at %+v, want offset %d", text, err, problem, want)
		}
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]int{`"abc"`: 3, `{"name":"ab","list":["c",{"d":"ef"}],"n":12345}`: 5, `"\n"`: 2, `17`: 0, `[]`: 0} {
		end, got, err := jsonscan.Text([]byte(text), 0)
		if err != nil || got != want || end != len(text) {
			t.Errorf("Text(%q) = %d, %d, %v, want %d, %d", text, end, got, err, len(text), want)
		}
	}
}

// members reads an object through the walk.
func members(text string) (map[string]string, int, error) {
	data := []byte(text)
	got := map[string]string{}
	walk := jsonscan.WalkObject(data, 0)
	for {
		member, ok := walk.Next()
		if !ok {
			break
		}
		end := walk.Skip()
		got[string(member.Name(data))] = string(data[member.Value:end])
	}
	end, err := walk.End()
	return got, end, err
}

func TestWalkObject(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want map[string]string
		end  int
		fail bool
	}{
		"empty":           {text: `{ } x`, want: map[string]string{}, end: 3},
		"members":         {text: "{\"a\" : 1 ,\n\"b\":{\"c\":[2]}}", want: map[string]string{"a": "1", "b": `{"c":[2]}`}, end: 25},
		"escaped name":    {text: `{"mod\u0065l":"m"}`, want: map[string]string{"model": `"m"`}, end: 18},
		"quote in a name": {text: `{"a\"b":1}`, want: map[string]string{`a"b`: "1"}, end: 10},
		"trailing comma":  {text: `{"a":1,}`, want: map[string]string{"a": "1"}, fail: true},
		"leading comma":   {text: `{,"a":1}`, want: map[string]string{}, fail: true},
		"truncated":       {text: `{"a":1`, want: map[string]string{"a": "1"}, fail: true},
		"wrong bracket":   {text: `{"a":1]`, want: map[string]string{"a": "1"}, fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, end, err := members(tc.text)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if (err != nil) != tc.fail || (err == nil && end != tc.end) {
				t.Errorf("End() = %d, %v, want %d, failure %v", end, err, tc.end, tc.fail)
			}
		})
	}
}

func TestWalkSkipsWhatTheCallerDoesNot(t *testing.T) {
	data := []byte(`[{"a":[1,2]},[3],"x"]`)
	walk := jsonscan.WalkArray(data, 0)
	var got []int
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		got = append(got, at)
	}
	end, err := walk.End()
	if diff := cmp.Diff([]int{1, 13, 17}, got); diff != "" || end != len(data) || err != nil {
		t.Errorf("End() = %d, %v, elements (-want +got):\n%s", end, err, diff)
	}
	walk = jsonscan.WalkArray([]byte(`[1,tru]`), 0)
	for _, ok := walk.Next(); ok; _, ok = walk.Next() {
	}
	if _, err := walk.End(); err == nil {
		t.Error("a skipped element with a syntax error goes unnoticed")
	}
}

func TestUnquote(t *testing.T) {
	for quoted, tc := range map[string]struct {
		want  string
		whole bool
	}{
		`""`:                       {"", true},
		`"a\"\\\/\b\f\n\r\tb"`:     {"a\"\\/\b\f\n\r\tb", true},
		`"\u0065\u00E9\u0000"`:     {"eé\x00", true},
		`"\ud83d\ude00!"`:          {"😀!", true},
		`"\ufffd"`:                 {"\ufffd", true},
		`"\ud83d"`:                 {"\ufffd", false},
		`"\ude00\ud83d"`:           {"\ufffd\ufffd", false},
		`"\ud83dx"`:                {"\ufffdx", false},
		`"\ud83d\n"`:               {"\ufffd\n", false},
		`"\ud83d\u0041"`:           {"\ufffdA", false},
		`"\ud83d\ud83d\ude00 é é"`: {"\ufffd😀 é é", false},
	} {
		got, whole := jsonscan.Unquote(nil, []byte(quoted))
		if string(got) != tc.want || whole != tc.whole {
			t.Errorf("Unquote(%s) = %q, %v, want %q, %v", quoted, got, whole, tc.want, tc.whole)
		}
	}
}

func TestAppendQuoted(t *testing.T) {
	for _, text := range []string{"", "llama-3.3", `a"b\c`, "tab\t", "é😀", "\x00", "\n\r\b\f\x1f\x7f", "<a href=\"é\">&\u2028\ufffd", "é\"é\\é"} {
		var got string
		quoted := jsonscan.AppendQuoted([]byte("x"), text)
		if err := json.Unmarshal(quoted[1:], &got); err != nil || got != text {
			t.Errorf("AppendQuoted(%q) = %s, which reads as %q, %v", text, quoted, got, err)
		}
	}
}

// FuzzAppendQuoted compares with encoding/json, which mends what is no UTF-8 in the same way.
func FuzzAppendQuoted(f *testing.F) {
	for _, text := range []string{"", "plain", "\"\\\n\x00", "é\xff\xfeé", "\xed\xa0\x80", "\u2028<>&"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		reference, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		quoted := jsonscan.AppendQuoted(nil, text)
		if err := json.Unmarshal(quoted, &got); err != nil || json.Unmarshal(reference, &want) != nil || got != want {
			t.Fatalf("AppendQuoted(%q) = %s, which reads as %q, %v", text, quoted, got, err)
		}
	})
}

func FuzzValue(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, want := valid(data), json.Valid(data)
		shallow := strings.Count(string(data), "[")+strings.Count(string(data), "{") <= jsonscan.MaxDepth
		if got != want && (shallow || got) {
			t.Fatalf("%q: valid is %v, want %v", data, got, want)
		}
		var text string
		if got && utf8.Valid(data) && json.Unmarshal(data, &text) == nil && text != "" {
			start := jsonscan.Space(data, 0)
			end, _ := jsonscan.Value(data, start)
			unquoted, _ := jsonscan.Unquote(nil, data[start:end])
			if string(unquoted) != text {
				t.Fatalf("Unquote(%q) = %q, want %q", data, unquoted, text)
			}
		}
	})
}

// FuzzWalkObject compares the names and values found with those of encoding/json.
func FuzzWalkObject(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "{") && utf8.ValidString(text) && !strings.Contains(strings.ToLower(text), `\ud`) {
			compareMembers(t, text)
		}
	})
}

func compareMembers(t *testing.T, text string) {
	t.Helper()
	got, end, err := members(text)
	if err != nil {
		if json.Valid([]byte(text)) && strings.Count(text, "[")+strings.Count(text, "{") <= jsonscan.MaxDepth {
			t.Fatalf("%q is not walked: %v", text, err)
		}
		return
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text[:end]), &values); err != nil {
		t.Fatalf("%q is walked: %v", text[:end], err)
	}
	want := map[string]string{}
	for name, value := range values {
		want[name] = string(value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q (-want +got):\n%s", text, diff)
	}
}

func BenchmarkValue(b *testing.B) {
	body := []byte(`{"messages":["` + strings.Repeat("Some text that goes on for a while, without escapes. ", 2000) + `"]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsonscan.Value(body, 0); err != nil {
			b.Fatal(err)
		}
	}
}
