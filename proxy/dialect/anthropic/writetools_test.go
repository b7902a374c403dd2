package anthropic_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

const (
	closedSchema = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}`
	openSchema   = `{"type":"object","properties":{"a":{"type":"string","pattern":"x"}}}`
)

func tools(names ...string) func(*neutral.Request) {
	return func(r *neutral.Request) {
		for _, name := range names {
			r.Tools = append(r.Tools, neutral.Tool{Name: name, Parameters: json.RawMessage(closedSchema)})
		}
	}
}

func choose(choice neutral.ToolChoice) func(*neutral.Request) {
	return func(r *neutral.Request) { r.ToolChoice = choice }
}

func TestToolsCross(t *testing.T) {
	one := `[{"name":"f","input_schema":` + closedSchema + `}]`
	two := `[{"name":"f","input_schema":` + closedSchema + `},{"name":"g","input_schema":` + closedSchema + `}]`
	serial := func(r *neutral.Request) { r.ParallelToolCalls = ptr(false) }
	for name, tc := range map[string]struct {
		request *neutral.Request
		model   string
		want    string
		dropped []string
	}{
		"left to the model":    {ask(tools("f")), "claude-opus-5", `{"tools":` + one + `}`, nil},
		"auto":                 {ask(tools("f"), choose(neutral.ToolChoice{Mode: neutral.ToolAuto})), "claude-opus-5", `{"tools":` + one + `,"tool_choice":{"type":"auto"}}`, nil},
		"none":                 {ask(tools("f"), serial, choose(neutral.ToolChoice{Mode: neutral.ToolNone})), "claude-opus-5", `{"tools":` + one + `,"tool_choice":{"type":"none"}}`, nil},
		"required":             {ask(tools("f"), choose(neutral.ToolChoice{Mode: neutral.ToolRequired})), "claude-opus-5", `{"tools":` + one + `,"tool_choice":{"type":"any"}}`, nil},
		"named":                {ask(tools("f", "g"), choose(neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "g"})), "claude-opus-5", `{"tools":` + two + `,"tool_choice":{"type":"tool","name":"g"}}`, nil},
		"one at a time":        {ask(tools("f"), serial), "claude-opus-5", `{"tools":` + one + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, nil},
		"allowed":              {ask(tools("f", "g"), choose(neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}})), "claude-opus-5", `{"tools":` + one + `,"tool_choice":{"type":"auto"}}`, nil},
		"allowed and required": {ask(tools("f", "g"), choose(neutral.ToolChoice{Mode: neutral.ToolAllowed, Allowed: []string{"f"}, AllowedRequired: true})), "claude-opus-5", `{"tools":` + one + `,"tool_choice":{"type":"any"}}`, nil},
		"choice without tools": {ask(serial, choose(neutral.ToolChoice{Mode: neutral.ToolAuto})), "claude-opus-5", `{}`, nil},
		"a model that is not made to call": {
			ask(tools("f"), choose(neutral.ToolChoice{Mode: neutral.ToolRequired})), "claude-opus-5-5",
			`{"tools":` + one + `,"tool_choice":{"type":"auto"},"system":[{"type":"text","text":"Call at least one of the tools now, rather than answering in words."}]}`, []string{"tool_choice"},
		},
		"nor one of them": {
			ask(tools("f"), serial, choose(neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"})), "claude-fable-5-1",
			`{"tools":` + one + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"system":[{"type":"text","text":"Call the tool \"f\" now, and answer with nothing else."}]}`, []string{"tool_choice"},
		},
		"a forced call or thinking": {
			ask(tools("f"), choose(neutral.ToolChoice{Mode: neutral.ToolRequired}), func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "high"} }), "claude-sonnet-4-5",
			`{"tools":` + one + `,"tool_choice":{"type":"any"}}`, []string{"reasoning"},
		},
		"calls of tools that are gone": {
			ask(messages(plain(neutral.User, "a"), say(neutral.Assistant, call("c", "{}"), call("d", "{}")), say(neutral.ToolRole, result("c"), result("d")))), "claude-opus-5",
			`{"tools":[{"name":"look","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"none"}}`, nil,
		},
		"schemas that do not say to be objects": {
			ask(func(r *neutral.Request) {
				r.Tools = []neutral.Tool{{Name: "a"}, {Name: "b", Parameters: json.RawMessage("{ }")}, {Name: "c", Parameters: json.RawMessage(`{"properties":{}}`)}, {Name: "d", Parameters: json.RawMessage(`null`)}}
			}), "claude-opus-5",
			`{"tools":[{"name":"a","input_schema":{"type":"object","properties":{}}},{"name":"b","input_schema":{"type":"object","properties":{}}},{"name":"c","input_schema":{"type":"object","properties":{}}},{"name":"d","input_schema":{"type":"object","properties":{}}}]}`, nil,
		},
		"strict, cached, with description": {
			ask(func(r *neutral.Request) {
				r.Tools = []neutral.Tool{
					{Name: "a", Description: "A", Parameters: json.RawMessage(closedSchema), Strict: ptr(true), Cache: &neutral.CacheMark{}},
					{Name: "b", Parameters: json.RawMessage(openSchema), Strict: ptr(false)},
				}
			}), "claude-opus-5",
			`{"tools":[{"name":"a","description":"A","input_schema":` + closedSchema + `,"strict":true,"cache_control":{"type":"ephemeral"}},{"name":"b","input_schema":` + openSchema + `}]}`, nil,
		},
		"a schema that cannot be strict": {
			ask(func(r *neutral.Request) {
				r.Tools = []neutral.Tool{{Name: "b", Parameters: json.RawMessage(openSchema), Strict: ptr(true)}}
			}), "claude-opus-5",
			`{"tools":[{"name":"b","input_schema":` + openSchema + `}]}`, []string{"strict"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			body, report, err := anthropic.Messages{}.AppendRequest(nil, tc.request, claude(tc.model))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parsed(t, []byte(tc.want)), any(members(t, body, "tools", "tool_choice", "system", "thinking"))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStructuredAnswersCross(t *testing.T) {
	schema := func(schema string) func(*neutral.Request) {
		return func(r *neutral.Request) {
			r.Format = neutral.Format{Kind: neutral.FormatJSONSchema, Name: "answer", Schema: json.RawMessage(schema)}
		}
	}
	output := func(schema string) string {
		return `{"name":"` + neutral.OutputTool + `","description":"Gives the final answer. Call it exactly once, when the answer is complete.","input_schema":` + schema + `}`
	}
	forced := `"tool_choice":{"type":"tool","name":"` + neutral.OutputTool + `","disable_parallel_tool_use":true}`
	const prompt = `"system":[{"type":"text","text":"Answer with one JSON value that follows the JSON schema below and nothing else: no code fence, and no words before or after it.\n`
	bedrock := dialect.Target{Model: "anthropic.claude-sonnet-4-5", ModelInPath: true}
	for name, tc := range map[string]struct {
		request *neutral.Request
		to      dialect.Target
		want    string
		dropped []string
	}{
		"by the model":               {ask(schema(closedSchema)), claude("claude-sonnet-4-5"), `{"output_config":{"format":{"type":"json_schema","schema":` + closedSchema + `}}}`, nil},
		"an open schema":             {ask(schema(openSchema)), claude("claude-sonnet-4-5"), `{"tools":[` + output(openSchema) + `],` + forced + `}`, nil},
		"an old model":               {ask(schema(closedSchema)), claude("claude-3-7-sonnet"), `{"tools":[` + output(closedSchema) + `],` + forced + `}`, nil},
		"another host":               {ask(schema(closedSchema)), bedrock, `{"tools":[` + output(closedSchema) + `],` + forced + `}`, nil},
		"a provider that does not":   {ask(schema(closedSchema)), dialect.Target{Model: "claude-opus-5", Quirks: dialect.Quirks{NoJSONSchema: true}}, `{"tools":[` + output(closedSchema) + `],` + forced + `}`, nil},
		"another host, not forced":   {ask(schema(closedSchema)), dialect.Target{Model: "claude-opus-5-5", ModelInPath: true}, `{"output_config":{"format":{"type":"json_schema","schema":` + closedSchema + `}}}`, nil},
		"open and not forced":        {ask(schema(openSchema)), claude("claude-opus-5-5"), `{` + prompt + `{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"x\"}}}"}]}`, nil},
		"no object":                  {ask(schema(`{"type":"array","items":{}}`)), claude("claude-3-7-sonnet"), `{` + prompt + `{\"type\":\"array\",\"items\":{}}"}]}`, nil},
		"a schema that is missing":   {ask(schema(``)), claude("claude-opus-5"), `{"system":[{"type":"text","text":"Answer with one JSON object and nothing else: no code fence, and no words before or after it."}]}`, nil},
		"any object":                 {ask(func(r *neutral.Request) { r.Format.Kind = neutral.FormatJSONObject }), claude("claude-opus-5"), `{"system":[{"type":"text","text":"Answer with one JSON object and nothing else: no code fence, and no words before or after it."}]}`, nil},
		"beside other tools":         {ask(schema(openSchema), tools("f")), claude("claude-opus-5"), `{"tools":[{"name":"f","input_schema":` + closedSchema + `},` + output(openSchema) + `],"tool_choice":{"type":"any","disable_parallel_tool_use":true}}`, nil},
		"beside forbidden tools":     {ask(schema(openSchema), tools("f"), choose(neutral.ToolChoice{Mode: neutral.ToolNone})), claude("claude-opus-5"), `{"tools":[{"name":"f","input_schema":` + closedSchema + `},` + output(openSchema) + `],` + forced + `}`, nil},
		"a call is the answer":       {ask(schema(openSchema), tools("f"), choose(neutral.ToolChoice{Mode: neutral.ToolNamed, Name: "f"})), claude("claude-opus-5"), `{"tools":[{"name":"f","input_schema":` + closedSchema + `}],"tool_choice":{"type":"tool","name":"f"}}`, nil},
		"thinking gives way":         {ask(schema(openSchema), func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "high"} }), claude("claude-sonnet-4-5"), `{"tools":[` + output(openSchema) + `],` + forced + `}`, []string{"reasoning"}},
		"with thinking by the model": {ask(schema(closedSchema), func(r *neutral.Request) { r.Reasoning = &neutral.Reasoning{Effort: "high"} }), claude("claude-opus-4-6"), `{"thinking":{"type":"adaptive"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":` + closedSchema + `}}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			body, report, err := anthropic.Messages{}.AppendRequest(nil, tc.request, tc.to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parsed(t, []byte(tc.want)), any(members(t, body, "tools", "tool_choice", "system", "output_config", "thinking"))); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.dropped, report.Dropped); diff != "" {
				t.Error(diff)
			}
		})
	}
}
