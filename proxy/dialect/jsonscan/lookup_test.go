package jsonscan_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

func TestLookup(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		path []string
		want string
	}{
		"whole":               {text: ` {"a":1} `, want: `{"a":1}`},
		"member":              {text: `{"a":1,"b":"x"}`, path: []string{"b"}, want: `"x"`},
		"deep":                {text: `{"a":[{"c":0}],"b":{"b":1,"c":{"d":[2]}}}`, path: []string{"b", "c", "d"}, want: `[2]`},
		"escaped name":        {text: `{"\u0061":1}`, path: []string{"a"}, want: "1"},
		"first of two":        {text: `{"a":1,"a":2}`, path: []string{"a"}, want: "1"},
		"missing":             {text: `{"a":{"b":1}}`, path: []string{"a", "c"}},
		"not in an array":     {text: `{"a":[{"b":1}]}`, path: []string{"a", "b"}},
		"not in a string":     {text: `{"a":"{}"}`, path: []string{"a", "b"}},
		"no object":           {text: `7`, path: []string{"a"}},
		"nothing":             {text: ``, path: []string{"a"}},
		"nothing, no path":    {text: ``},
		"broken":              {text: `{"a":{"b":`, path: []string{"a", "b"}},
		"broken before":       {text: `{"x":tru,"a":1}`, path: []string{"a"}},
		"name that is a part": {text: `{"ab":1,"a":2}`, path: []string{"a"}, want: "2"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := jsonscan.Lookup([]byte(tc.text), tc.path...); string(got) != tc.want || (got == nil) != (tc.want == "") {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}
