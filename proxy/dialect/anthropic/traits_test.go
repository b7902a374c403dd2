package anthropic

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTraitsOf(t *testing.T) {
	for model, want := range map[string]traits{
		"claude-3-haiku-20240307":                 {claude: true, family: familyHaiku, version: 3_00},
		"claude-3-5-sonnet-latest":                {claude: true, family: familySonnet, version: 3_05},
		"claude-3-7-sonnet@20250219":              {claude: true, family: familySonnet, version: 3_07},
		"claude-opus-4@20250514":                  {claude: true, family: familyOpus, version: 4_00},
		"claude-sonnet-4-20250514":                {claude: true, family: familySonnet, version: 4_00},
		"claude-sonnet-4-0":                       {claude: true, family: familySonnet, version: 4_00},
		"claude-opus-4-1-20250805":                {claude: true, family: familyOpus, version: 4_01},
		"claude-haiku-4-5@20251001":               {claude: true, family: familyHaiku, version: 4_05},
		"us.anthropic.claude-opus-4-6-v1:0":       {claude: true, family: familyOpus, version: 4_06},
		"anthropic.claude-opus-4-1-20250805-v1:0": {claude: true, family: familyOpus, version: 4_01},
		"anthropic.claude-sonnet-4-20250514-v1:0": {claude: true, family: familySonnet, version: 4_00},
		"global.anthropic.claude-opus-5-v1":       {claude: true, family: familyOpus, version: 5_00},
		"anthropic/claude-opus-4.6":               {claude: true, family: familyOpus, version: 4_06},
		"Claude-Opus-5-5":                         {claude: true, family: familyOpus, version: 5_05},
		"claude-fable-5-1":                        {claude: true, family: familyFable, version: 5_01},
		"claude-mythos-preview":                   {claude: true, family: familyMythos, version: newest},
		"claude-opus-latest":                      {claude: true, family: familyOpus, version: newest},
		"claude-instant-1.2":                      {claude: true, version: 1_00},
		"claude-2.1":                              {claude: true, version: 2_01},
		"anthropic.claude-v2:1":                   {claude: true, version: 2_01},
		"claude-3-opus-20240229":                  {claude: true, family: familyOpus, version: 3_00},
		"arn:aws:bedrock:x:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0": {claude: true, family: familySonnet, version: 4_05},
		"MiniMax-M2": {},
		"":           {},
	} {
		t.Run(model, func(t *testing.T) {
			if diff := cmp.Diff(want, traitsOf(model), cmp.AllowUnexported(traits{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTraitsRules(t *testing.T) {
	type rules struct {
		MaxOutput, Default                              int64
		Adaptive, Budget, Unasked, Always               bool
		Sampling, Forced, Structured, Prefill, BetweenT bool
	}
	for model, want := range map[string]rules{
		"claude-3-haiku-20240307": {MaxOutput: 4096, Default: 4096, Sampling: true, Forced: true, Prefill: true},
		"claude-3-5-haiku-latest": {MaxOutput: 8192, Default: 8192, Sampling: true, Forced: true, Prefill: true},
		"claude-3-7-sonnet":       {MaxOutput: 64000, Default: 32000, Budget: true, Sampling: true, Forced: true, Prefill: true},
		"claude-opus-4":           {MaxOutput: 32000, Default: 32000, Budget: true, Sampling: true, Forced: true, Prefill: true},
		"claude-opus-4-1":         {MaxOutput: 32000, Default: 32000, Budget: true, Sampling: true, Forced: true, Structured: true, Prefill: true},
		"claude-haiku-4-5":        {MaxOutput: 64000, Default: 32000, Budget: true, Sampling: true, Forced: true, Structured: true, Prefill: true},
		"claude-sonnet-4-6":       {MaxOutput: 128000, Default: 32000, Adaptive: true, Budget: true, Sampling: true, Forced: true, Structured: true},
		"claude-opus-4-8":         {MaxOutput: 128000, Default: 32000, Adaptive: true, Forced: true, Structured: true},
		"claude-opus-5":           {MaxOutput: 128000, Default: 32000, Adaptive: true, Unasked: true, Forced: true, Structured: true},
		"claude-fable-5":          {MaxOutput: 128000, Default: 32000, Adaptive: true, Unasked: true, Always: true, Forced: true, Structured: true},
		"claude-fable-5-1":        {MaxOutput: 128000, Default: 32000, Adaptive: true, Unasked: true, Always: true, Structured: true},
		"claude-opus-5-5":         {MaxOutput: 128000, Default: 32000, Adaptive: true, Unasked: true, Always: true, Structured: true},
		"claude-sonnet-5-5":       {MaxOutput: 128000, Default: 32000, Adaptive: true, Unasked: true, Always: true, Structured: true, BetweenT: true},
		"claude-haiku-5-5":        {MaxOutput: 128000, Default: 32000, Adaptive: true, Unasked: true, Forced: true, Structured: true},
		"claude-next":             {Default: 32000, Adaptive: true, Unasked: true, Always: true, Structured: true},
		"deepseek-chat":           {Default: 8192, Sampling: true, Forced: true, Prefill: true},
	} {
		t.Run(model, func(t *testing.T) {
			m := traitsOf(model)
			got := rules{
				MaxOutput: m.maxOutput(), Default: m.defaultMaxTokens(), Adaptive: m.adaptive(), Budget: m.budget(), Unasked: m.thinksUnasked(),
				Always: m.alwaysThinks(), Sampling: m.sampling(), Forced: m.forcedTools(), Structured: m.structured(), Prefill: m.prefill(),
				BetweenT: m.thinksBetweenTools(),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
