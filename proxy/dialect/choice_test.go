package dialect_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
)

// names are n names of models in JSON, with commas between them.
func names(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"m%d"`, i))
	}
	return strings.Join(list, ",")
}

// TestHeadModels reads what a request says of models. The parameters stand in the order in which a codec reads them.
func TestHeadModels(t *testing.T) {
	long := strings.Repeat("m", dialect.MaxModelBytes+1)
	for name, tc := range map[string]struct {
		model, models, fallbacks string
		want                     []string
		code                     dialect.RequestCode
		param                    string
	}{
		"one":                   {model: `"a"`, want: []string{"a"}},
		"blanks stay":           {model: `" a "`, want: []string{" a "}},
		"commas":                {model: `"a,b , c"`, want: []string{"a", "b", "c"}},
		"an escaped comma":      {model: `"a\u002cb"`, want: []string{"a", "b"}},
		"commas before models":  {model: `"a,b"`, models: `["c","b","a","d,e"]`, want: []string{"a", "b", "c", "d", "e"}},
		"models alone":          {models: `["a","a","b"]`, want: []string{"a", "b"}},
		"models null":           {model: `"a"`, models: `null`, want: []string{"a"}},
		"models empty":          {model: `"a"`, models: `[ ]`, want: []string{"a"}},
		"fallbacks last":        {model: `"a"`, models: `["b"]`, fallbacks: `[{"model":"c"},{"model":"b"}]`, want: []string{"a", "b", "c"}},
		"as many as can be":     {model: `"a"`, models: "[" + names(dialect.MaxAlternatives) + "]", want: strings.Split("a,"+strings.ReplaceAll(names(dialect.MaxAlternatives), `"`, ""), ",")},
		"one too many":          {model: `"a"`, models: "[" + names(dialect.MaxAlternatives+1) + "]", code: dialect.CodeInvalidValue, param: "models"},
		"too many commas":       {model: `"` + strings.ReplaceAll(names(dialect.MaxAlternatives+2), `"`, "") + `"`, code: dialect.CodeInvalidValue, param: "model"},
		"too many fallbacks":    {models: "[" + names(dialect.MaxAlternatives+1) + "]", fallbacks: `[{"model":"x"}]`, code: dialect.CodeInvalidValue, param: "fallbacks"},
		"a number":              {model: `1`, code: dialect.CodeInvalidType, param: "model"},
		"a list with commas":    {model: `["a","b"]`, code: dialect.CodeInvalidType, param: "model"},
		"nothing behind":        {model: `"a,"`, code: dialect.CodeInvalidValue, param: "model"},
		"nothing between":       {model: `"a, ,b"`, code: dialect.CodeInvalidValue, param: "model"},
		"half a pair":           {model: `"a,\ud800"`, code: dialect.CodeInvalidValue, param: "model"},
		"too long behind":       {model: `"a,` + long + `"`, code: dialect.CodeInvalidValue, param: "model"},
		"too long a model":      {models: `["` + long + `"]`, code: dialect.CodeInvalidValue, param: "models"},
		"unprintable":           {models: `["a\u0007"]`, code: dialect.CodeInvalidValue, param: "models"},
		"null in the list":      {models: `["a",null]`, code: dialect.CodeInvalidType, param: "models"},
		"no list":               {models: `"a"`, code: dialect.CodeInvalidType, param: "models"},
		"fallbacks by default":  {model: `"a"`, fallbacks: `"default"`, code: dialect.CodeUnsupportedParameter, param: "fallbacks"},
		"fallbacks with limits": {model: `"a"`, fallbacks: `[{"model":"b","max_tokens":1}]`, code: dialect.CodeUnsupportedParameter, param: "fallbacks"},
		"two models each":       {model: `"a"`, fallbacks: `[{"model":"b","model":"c"}]`, code: dialect.CodeUnsupportedParameter, param: "fallbacks"},
		"a nameless fallback":   {model: `"a"`, fallbacks: `[{"max_tokens":null}]`, code: dialect.CodeMissingParameter, param: "fallbacks"},
	} {
		t.Run(name, func(t *testing.T) {
			var head dialect.Head
			err := readModels(&head, tc.model, tc.models, tc.fallbacks)
			var problem *dialect.RequestError
			if errors.As(err, &problem) != (tc.code != "") || problem != nil && (problem.Code != tc.code || problem.Param != tc.param) {
				t.Fatalf("error %#v, want %s of %s", err, tc.code, tc.param)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, append([]string{head.Model}, head.Alternatives...)); diff != "" {
				t.Errorf("models (-want +got):\n%s", diff)
			}
		})
	}
}

// readModels reads the parameters that are given.
func readModels(head *dialect.Head, model, models, fallbacks string) error {
	if model != "" {
		if err := head.ReadModel([]byte("{"+model), 1, 1+len(model)); err != nil {
			return err
		}
	}
	if err := head.ReadModels([]byte(models)); err != nil {
		return err
	}
	return head.ReadFallbacks([]byte(fallbacks))
}

// TestHeadNames reads who a request belongs to. Names that are too long are told apart all the same.
func TestHeadNames(t *testing.T) {
	longest := strings.Repeat("n", dialect.MaxNameBytes)
	for name, tc := range map[string]struct {
		values []string
		want   string
	}{
		"a name":           {[]string{`"s"`}, "s"},
		"escapes":          {[]string{`"\u00e9\n"`}, "é\n"},
		"the first counts": {[]string{`"s"`, `"k"`}, "s"},
		"nothing first":    {[]string{`null`, `""`, `"k"`}, "k"},
		"no text":          {[]string{`{"a":1}`, `7`}, ""},
		"the longest":      {[]string{`"` + longest + `"`}, longest},
	} {
		t.Run(name, func(t *testing.T) {
			var head dialect.Head
			for _, value := range tc.values {
				head.ReadSession([]byte(value))
			}
			if head.Session != tc.want {
				t.Errorf("got %q, want %q", head.Session, tc.want)
			}
		})
	}
}

// TestHeadLongNames: what is too long to be kept is not cut, or all that begin alike would share a budget.
func TestHeadLongNames(t *testing.T) {
	long := strings.Repeat("n", dialect.MaxNameBytes)
	var first, second dialect.Head
	first.ReadUser([]byte(`"` + long + `a"`))
	second.ReadUser([]byte(`"` + long + `b"`))
	if first.User == second.User || len(first.User) != 64 || len(second.User) != 64 {
		t.Errorf("users %q and %q", first.User, second.User)
	}
}

// TestHeadPreferences keeps an object as it is, and nothing else.
func TestHeadPreferences(t *testing.T) {
	for value, want := range map[string]string{`{"sort" : "price"}`: `{"sort" : "price"}`, `{}`: `{}`, `null`: ``, `[]`: `refused`, `"groq"`: `refused`, `true`: `refused`, `1`: `refused`} {
		var head dialect.Head
		err := head.ReadPreferences([]byte(value))
		got := string(head.Preferences)
		var problem *dialect.RequestError
		if errors.As(err, &problem) && problem.Code == dialect.CodeInvalidType && problem.Param == "provider" && got == "" {
			got = "refused"
		}
		if got != want {
			t.Errorf("%s: %q, %v", value, got, err)
		}
	}
}
