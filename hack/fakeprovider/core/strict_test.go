package core

import (
	"encoding/json"
	"reflect"
	"testing"
)

type strictExample struct {
	Name   string                 `json:"name"`
	Inner  *strictInner           `json:"inner"`
	List   []strictInner          `json:"list"`
	Either OneOrMany[strictInner] `json:"either"`
	Free   map[string]any         `json:"free"`
	Raw    json.RawMessage        `json:"raw"`
	strictEmbedded
}

type strictInner struct {
	A int `json:"a"`
}

type strictEmbedded struct {
	B int `json:"b"`
}

func TestUnknownField(t *testing.T) {
	for name, tc := range map[string]struct{ data, want string }{
		"all known":            {`{"name":"x","inner":{"a":1},"list":[{"a":1}],"either":"x","free":{"y":{"z":1}},"raw":{"q":1},"b":1}`, ""},
		"top":                  {`{"foo":1}`, "foo"},
		"inner":                {`{"inner":{"b":1}}`, "inner.b"},
		"in a list":            {`{"list":[{"a":1},{"c":1}]}`, "list[1].c"},
		"one or many, many":    {`{"either":[{"a":1,"d":2}]}`, "either[0].d"},
		"the wrong type":       {`{"list":{"c":1}}`, ""},
		"null":                 {`{"inner":null,"list":null}`, ""},
		"alphabetically first": {`{"z":1,"y":1}`, "y"},
		"not an object":        {`[1]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := UnknownField([]byte(tc.data), reflect.TypeFor[*strictExample]()); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOneOrMany(t *testing.T) {
	for data, want := range map[string]OneOrMany[strictInner]{
		`"x"`:       {Text: "x", IsText: true, Given: true},
		`""`:        {IsText: true, Given: true},
		`[{"a":1}]`: {Items: []strictInner{{1}}, Given: true},
		`null`:      {Null: true},
	} {
		var got OneOrMany[strictInner]
		if err := json.Unmarshal([]byte(data), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", data, got, err, want)
		}
	}
	var wrong OneOrMany[strictInner]
	if err := json.Unmarshal([]byte(`7`), &wrong); err == nil {
		t.Error("a number was taken")
	}
}

func TestSeals(t *testing.T) {
	if !Verify(SealClaude, "thought", Sign(SealClaude, "thought")) {
		t.Error("own signature refused")
	}
	for name, signature := range map[string]string{
		"another's": Sign(SealGemini, "thought"), "of another thought": Sign(SealClaude, "other"), "none": "", "not base64": "?",
	} {
		if Verify(SealClaude, "thought", signature) {
			t.Errorf("signature accepted: %s", name)
		}
	}
	if got, ok := Unseal(SealOpenAI, Seal(SealOpenAI, "thought")); !ok || got != "thought" {
		t.Errorf("own seal: got %q, %v", got, ok)
	}
	for name, sealed := range map[string]string{"another's": Seal(SealAzure, "thought"), "short": "AAAA", "not base64": "?"} {
		if _, ok := Unseal(SealOpenAI, sealed); ok {
			t.Errorf("seal opened: %s", name)
		}
	}
}

func TestPromptCounts(t *testing.T) {
	var p Prompt
	p.Message(true)
	p.Add("12345678")
	if p.Tokens() != 8 || !p.LastFromUser() {
		t.Errorf("got %d tokens, from the user %v", p.Tokens(), p.LastFromUser())
	}
	p.Message(false)
	p.AddBytes("image/png", []byte("x"))
	before := p.Text()
	p.AddURL("https://x")
	if p.LastFromUser() || p.Text() != before+"[https://x]" {
		t.Errorf("got %q", p.Text())
	}
}

func TestRank(t *testing.T) {
	got := Rank("blue sky", []string{"green grass", "the sky is blue", "a blue car"}, 2)
	if len(got) != 2 || got[0].Index != 1 || got[1].Index != 2 || got[0].Score <= got[1].Score {
		t.Errorf("got %+v", got)
	}
}
