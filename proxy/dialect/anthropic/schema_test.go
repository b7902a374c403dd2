package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestExactSchema(t *testing.T) {
	object := func(properties, required string) string {
		return `{"type":"object","properties":{` + properties + `},"required":[` + required + `],"additionalProperties":false}`
	}
	many := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf(`"p%d":{"type":"string"}`, i))
		}
		return strings.Join(names, ",")
	}
	for name, tc := range map[string]struct {
		schema string
		want   bool
	}{
		"closed":                   {object(`"a":{"type":"string","format":"date","description":"d"},"b":{"type":["integer","null"]},"c":{"enum":[1]},"d":{"const":1}`, `"a","b","c","d"`), true},
		"nested":                   {object(`"a":{"type":"array","minItems":1,"items":`+object(`"b":{"anyOf":[{"type":"null"},{"type":"string"}]}`, `"b"`)+`}`, `"a"`), true},
		"open":                     {`{"type":"object","properties":{"a":{"type":"string"}}}`, false},
		"open inside":              {object(`"a":{"type":"object"}`, `"a"`), false},
		"open, or null":            {object(`"a":{"type":["object","null"]}`, `"a"`), false},
		"map":                      {`{"type":"object","additionalProperties":{"type":"string"}}`, false},
		"range":                    {object(`"a":{"type":"integer","minimum":1}`, `"a"`), false},
		"long list":                {object(`"a":{"type":"array","items":{"type":"string"},"minItems":2}`, `"a"`), false},
		"unknown format":           {object(`"a":{"type":"string","format":"phone"}`, `"a"`), false},
		"one of":                   {object(`"a":{"oneOf":[{"type":"string"}]}`, `"a"`), false},
		"reference":                {`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"required":["a"],"additionalProperties":false,"$defs":{"A":{"type":"string"}}}`, true},
		"older reference":          {`{"$ref":"#/definitions/A","definitions":{"A":` + object(``, ``) + `}}`, true},
		"reference to nothing":     {object(`"a":{"$ref":"#/$defs/A"}`, `"a"`), false},
		"reference to an open one": {`{"$ref":"#/$defs/A","$defs":{"A":{"type":"object"}}}`, false},
		"reference to the web":     {object(`"a":{"$ref":"https://a.example"}`, `"a"`), false},
		"circle":                   {`{"$ref":"#/$defs/A","$defs":{"A":` + object(`"next":{"anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]}`, `"next"`) + `}}`, false},
		"ten optional":             {object(many(10), ``), true},
		"eleven optional":          {object(many(11), ``), false},
		"references that multiply": {multiplying(20), false},
		"no schema":                {`[]`, false},
		"always":                   {`true`, false},
		"properties are no object": {`{"properties":[]}`, false},
		"empty":                    {`{}`, true},
		"nothing":                  {``, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := exactSchema(json.RawMessage(tc.schema)); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// multiplying is a schema whose definitions refer twice to the next one each, so that going over it takes 2^n steps.
func multiplying(n int) string {
	var definitions []string
	for i := range n {
		definitions = append(definitions, fmt.Sprintf(`"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i+1, i+1))
	}
	definitions = append(definitions, fmt.Sprintf(`"d%d":{"type":"string"}`, n))
	return `{"$ref":"#/$defs/d0","$defs":{` + strings.Join(definitions, ",") + `}}`
}
