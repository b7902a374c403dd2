package gemini

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestCamel(t *testing.T) {
	const snake = `{"system_instruction":{"parts":[{"inline_data":{"mime_type":"image/png","data":"x"}}]},"generation_config":{"response_schema":{"properties":{"a_b":{"any_of":[{"min_items":1}]}}}},` +
		`"contents":[{"parts":[{"function_call":{"name":"f","args":{"snake_case":1}}}]}],"un_known":1}`
	const want = `{"systemInstruction":{"parts":[{"inlineData":{"mimeType":"image/png","data":"x"}}]},"generationConfig":{"responseSchema":{"properties":{"a_b":{"anyOf":[{"minItems":1}]}}}},` +
		`"contents":[{"parts":[{"functionCall":{"name":"f","args":{"snake_case":1}}}]}],"un_known":1}`
	var got, wanted any
	if err := json.Unmarshal(camel([]byte(snake), reflect.TypeFor[*request]()), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %v, want %v", got, wanted)
	}
}

func FuzzCamel(f *testing.F) {
	f.Add([]byte(`{"system_instruction":{"parts":[{"inline_data":{}}]}}`))
	f.Add([]byte(`{"contents":[[{"parts":7}]],"_":{},"a__b_":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if out := camel(data, reflect.TypeFor[*request]()); json.Valid(data) && !json.Valid(out) {
			t.Errorf("%q became %q", data, out)
		}
	})
}
