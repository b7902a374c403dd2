package gemini_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
)

func TestReadHead(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want dialect.Head
	}{
		"least":           {`{"contents":[]}`, dialect.Head{N: 1, IncludeUsage: true}},
		"single content":  {` {"contents" : {}, "model":"models/other"} `, dialect.Head{N: 1, IncludeUsage: true}},
		"limits":          {`{"generationConfig":{"maxOutputTokens":100,"candidateCount":4},"contents":[]}`, dialect.Head{N: 4, MaxTokens: 100, IncludeUsage: true}},
		"snake and quote": {`{"contents":[],"generation_config":{"max_output_tokens":"100","candidate_count":"4"}}`, dialect.Head{N: 4, MaxTokens: 100, IncludeUsage: true}},
		"nulls":           {`{"contents":[],"generationConfig":{"maxOutputTokens":null,"candidateCount":null}}`, dialect.Head{N: 1, IncludeUsage: true}},
		"null config":     {`{"contents":[],"generationConfig":null}`, dialect.Head{N: 1, IncludeUsage: true}},
		"odd limit":       {`{"contents":[],"generationConfig":{"maxOutputTokens":1e3}}`, dialect.Head{N: 1, IncludeUsage: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gemini.Generate{}.ReadHead([]byte(tc.body))
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("ReadHead: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestReadHeadErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		body, param string
		code        dialect.RequestCode
	}{
		"no JSON":              {`{"contents":`, "", dialect.CodeInvalidJSON},
		"not UTF-8":            {"{\"contents\":[\"\xff\"]}", "", dialect.CodeInvalidJSON},
		"array":                {`[]`, "", dialect.CodeInvalidJSON},
		"too deep":             {`{"contents":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "", dialect.CodeInvalidJSON},
		"no contents":          {`{"generationConfig":{}}`, "contents", dialect.CodeMissingParameter},
		"contents":             {`{"contents":"x"}`, "contents", dialect.CodeInvalidType},
		"contents twice":       {`{"contents":[],"contents":[]}`, "contents", dialect.CodeDuplicateParameter},
		"config in two forms":  {`{"contents":[],"generationConfig":{},"generation_config":{}}`, "generationConfig", dialect.CodeDuplicateParameter},
		"config's type":        {`{"contents":[],"generationConfig":[]}`, "generationConfig", dialect.CodeInvalidType},
		"limit in two forms":   {`{"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}`, "generationConfig.maxOutputTokens", dialect.CodeDuplicateParameter},
		"count in two forms":   {`{"contents":[],"generationConfig":{"candidateCount":1,"candidate_count":2}}`, "generationConfig.candidateCount", dialect.CodeDuplicateParameter},
		"count as float":       {`{"contents":[],"generationConfig":{"candidateCount":8.0}}`, "generationConfig.candidateCount", dialect.CodeInvalidValue},
		"count below one":      {`{"contents":[],"generationConfig":{"candidateCount":0}}`, "generationConfig.candidateCount", dialect.CodeInvalidValue},
		"name in another case": {`{"contents":[],"generationconfig":{}}`, "generationConfig", dialect.CodeInvalidValue},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gemini.Generate{}.ReadHead([]byte(tc.body))
			var problem *dialect.RequestError
			if !errors.As(err, &problem) || problem.Code != tc.code || problem.Param != tc.param {
				t.Errorf("ReadHead: %v (%+v), want %s of %s", err, problem, tc.code, tc.param)
			}
		})
	}
}
