package dialect_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func TestWalkBody(t *testing.T) {
	for name, tc := range map[string]struct {
		body  string
		want  map[string]string
		code  dialect.RequestCode
		param string
	}{
		"members":         {body: ` {"a":1,"b":[2],"c":{"a":3}} `, want: map[string]string{"a": "1", "b": "[2]"}},
		"escaped name":    {body: `{"\u0061":1}`, want: map[string]string{"a": "1"}},
		"nothing watched": {body: `{"c":1,"c":2}`, want: map[string]string{}},
		"twice":           {body: `{"a":1,"a":1}`, code: dialect.CodeDuplicateParameter, param: "a"},
		"upper case":      {body: `{"A":1}`, code: dialect.CodeInvalidValue, param: "a"},
		"list":            {body: `[]`, code: dialect.CodeInvalidJSON},
		"empty":           {body: ``, code: dialect.CodeInvalidJSON},
		"cut":             {body: `{"a":`, code: dialect.CodeInvalidJSON},
		"more behind":     {body: `{} {}`, code: dialect.CodeInvalidJSON},
		"not UTF-8":       {body: "{\"c\":\"\xff\"}", code: dialect.CodeInvalidJSON},
		"deep":            {body: `{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, code: dialect.CodeInvalidJSON},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			err := dialect.WalkBody([]byte(tc.body), []string{"a", "b"}, func(name string, member jsonscan.Member, end int) error {
				got[name] = tc.body[member.Value:end]
				return nil
			})
			var refusal *dialect.RequestError
			if errors.As(err, &refusal) {
				if refusal.Code != tc.code || refusal.Param != tc.param {
					t.Errorf("refused with %v", refusal)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil || tc.code != "" {
				t.Errorf("error %v, members (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestApply(t *testing.T) {
	patches := []dialect.Patch{{At: 6, End: 6, Text: "!"}, {At: 0, End: 1, Text: ""}, {At: 2, End: 4, Text: "XYZ"}}
	if got := string(dialect.Apply([]byte("kept "), []byte("abcdef"), patches)); got != "kept bXYZef!" {
		t.Errorf("got %q", got)
	}
}

func TestDecode(t *testing.T) {
	type value struct {
		Messages []struct {
			Content string `json:"content"`
		} `json:"messages"`
		N int64 `json:"n"`
	}
	for body, want := range map[string]*dialect.RequestError{
		`{"n":1,"messages":[{"content":"x"}]}`: nil,
		`{"n":"x"}`:                            {Code: dialect.CodeInvalidType, Param: "n", Message: `"n" must not be a string`},
		`{"n":1.5}`:                            {Code: dialect.CodeInvalidType, Param: "n", Message: `"n" must not be a number 1.5`},
		`{"messages":{}}`:                      {Code: dialect.CodeInvalidType, Param: "messages", Message: `"messages" must not be an object`},
	} {
		var into value
		err := dialect.Decode([]byte(body), "", &into)
		var got *dialect.RequestError
		if errors.As(err, &got) == (want == nil) {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestExtraMembers(t *testing.T) {
	got := dialect.ExtraMembers([]byte(`{"model":"x","z":[1, 2],"gone":null,"a":"b"}`), []string{"model"})
	want := []neutral.Member{{Name: "z", Value: []byte("[1, 2]")}, {Name: "a", Value: []byte(`"b"`)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := dialect.ExtraMembers([]byte("[]"), nil); got != nil {
		t.Errorf("a list has members %v", got)
	}
}
