package catalogue_test

import (
	"slices"
	"testing"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/meter"
)

// example is a call whose price follows from a page of its provider. Dollars are for a million tokens in the comments, unless they say otherwise.
type example struct {
	name     string
	provider string
	place    string
	model    string
	usage    meter.Usage
	// nano is the price in nano-dollars.
	nano int64
}

// TestExamples prices calls as their providers' documentation does.
func TestExamples(t *testing.T) {
	examples := slices.Concat(
		openAI(), openAIServices(), openAISound(), anthropic(), anthropicServices(), google(), audio(), others(), clouds(),
	)
	if len(examples) < 40 {
		t.Errorf("there are %d examples", len(examples))
	}
	for _, tc := range examples {
		t.Run(tc.provider+" "+tc.name, func(t *testing.T) {
			entry, known := catalogue.Standard().LookupAt(tc.provider, tc.place, tc.model)
			if !known {
				t.Fatalf("%s is not known", tc.model)
			}
			cost := meter.Cost(&tc.usage, &entry.Prices)
			if cost.Unpriced || cost.Nano != tc.nano {
				t.Errorf("the call costs %s (unpriced: %t), want %s", meter.FormatUSD(cost.Nano), cost.Unpriced, meter.FormatUSD(tc.nano))
			}
		})
	}
}

// openAI: https://developers.openai.com/api/docs/models/gpt-6-luna has input 0.10, cached input 0.01, cache writes 0.125 and output 0.50, twice that for
// input and 1.5 times for output of the whole request above 272,000 tokens. https://developers.openai.com/api/docs/models/gpt-5.6-luna has 0.20, 0.02 and
// 1.20, the same for long prompts, and cache writes at 1.25 times the input.
func openAI() []example {
	const luna, older = "gpt-6-luna", "gpt-5.6-luna"
	return []example{
		// 100,000 x 0.10 + 10,000 x 0.50 = 0.010 + 0.005
		{"usual", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, Completion: 10_000}, 15_000_000},
		// Reasoning is output: the same.
		{"reasoning", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, Completion: 10_000, Reasoning: 9_000}, 15_000_000},
		// 20,000 x 0.10 + 80,000 x 0.01 + 10,000 x 0.50 = 0.0020 + 0.0008 + 0.0050
		{"cached", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, Cached: 80_000, Completion: 10_000}, 7_800_000},
		// 50,000 x 0.10 + 50,000 x 0.125 + 1,000 x 0.50 = 0.00500 + 0.00625 + 0.00050
		{"cache writes", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, CacheWrite: 50_000, Completion: 1_000}, 11_750_000},
		// 272,000 are not above 272,000: 272,000 x 0.10 + 10,000 x 0.50 = 0.0272 + 0.0050
		{"just not long", "OpenAI", "", luna, meter.Usage{Prompt: 272_000, Completion: 10_000}, 32_200_000},
		// 300,000 x 0.20 + 10,000 x 0.75 = 0.0600 + 0.0075
		{"long", "OpenAI", "", luna, meter.Usage{Prompt: 300_000, Completion: 10_000}, 67_500_000},
		// 100,000 x 0.20 + 200,000 x 0.02 + 10,000 x 0.75 = 0.0200 + 0.0040 + 0.0075
		{"long and cached", "OpenAI", "", luna, meter.Usage{Prompt: 300_000, Cached: 200_000, Completion: 10_000}, 31_500_000},
		// Regional processing adds a tenth: 0.015 x 1.1
		{"kept in the EU", "OpenAI", "eu", luna, meter.Usage{Prompt: 100_000, Completion: 10_000}, 16_500_000},
		// 100,000 x 0.20 + 10,000 x 1.20 = 0.020 + 0.012
		{"older model", "OpenAI", "", older, meter.Usage{Prompt: 100_000, Completion: 10_000}, 32_000_000},
		// 300,000 x 0.40 + 10,000 x 1.80 = 0.120 + 0.018
		{"older model, long", "OpenAI", "", older, meter.Usage{Prompt: 300_000, Completion: 10_000}, 138_000_000},
		// 100,000 x 0.25 + 1,000 x 1.20 = 0.0250 + 0.0012
		{"older model, cache writes", "OpenAI", "", older, meter.Usage{Prompt: 100_000, CacheWrite: 100_000, Completion: 1_000}, 26_200_000},
	}
}

// openAIServices: https://developers.openai.com/api/docs/models/gpt-6-luna says that batch and flex cost half and fast mode twice as much.
// https://openai.com/api-fast-mode/ lists fast mode, whose answers say "priority" or "fast": GPT-5.4 5.00, 0.50 and 30.00; GPT-5.4 mini 1.50, 0.15 and
// 9.00; GPT-5.2 3.50, 0.35 and 28.00; GPT-5.1 2.50, 0.25 and 20.00.
func openAIServices() []example {
	const luna = "gpt-6-luna"
	return []example{
		// 0.015 / 2
		{"flex", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, Completion: 10_000, Service: "flex"}, 7_500_000},
		// 0.0675 / 2
		{"flex, long", "OpenAI", "", luna, meter.Usage{Prompt: 300_000, Completion: 10_000, Service: "flex"}, 33_750_000},
		// 0.0078 / 2
		{"batch, cached", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, Cached: 80_000, Completion: 10_000, Service: "batch"}, 3_900_000},
		// 0.015 x 2
		{"fast", "OpenAI", "", luna, meter.Usage{Prompt: 100_000, Completion: 10_000, Service: "fast"}, 30_000_000},
		// 0.015 x 2 x 1.1
		{"fast, kept in the EU", "OpenAI", "eu", luna, meter.Usage{Prompt: 100_000, Completion: 10_000, Service: "priority"}, 33_000_000},
		// 10,000 x 5.00 + 1,000 x 30.00 = 0.05 + 0.03
		{"fast 5.4", "OpenAI", "", "gpt-5.4", meter.Usage{Prompt: 10_000, Completion: 1_000, Service: "fast"}, 80_000_000},
		// 5,000 x 1.50 + 5,000 x 0.15 + 1,000 x 9.00 = 0.00750 + 0.00075 + 0.00900
		{"fast mini", "OpenAI", "", "gpt-5.4-mini", meter.Usage{Prompt: 10_000, Cached: 5_000, Completion: 1_000, Service: "fast"}, 17_250_000},
		// 5,000 x 3.50 + 5,000 x 0.35 + 2,000 x 28.00 = 0.01750 + 0.00175 + 0.05600
		{"priority 5.2", "OpenAI", "", "gpt-5.2", meter.Usage{Prompt: 10_000, Cached: 5_000, Completion: 2_000, Service: "priority"}, 75_250_000},
		// 10,000 x 2.50 + 2,000 x 20.00 = 0.025 + 0.040
		{"priority 5.1", "OpenAI", "", "gpt-5.1", meter.Usage{Prompt: 10_000, Completion: 2_000, Service: "priority"}, 65_000_000},
	}
}

// openAISound: https://developers.openai.com/api/docs/models/gpt-audio has text 2.50 and 10, sound 32 and 64;
// https://developers.openai.com/api/docs/models/gpt-4o-audio-preview text 2.50 and 10, sound 40 and 80;
// https://developers.openai.com/api/docs/models/whisper-1 0.006 a minute; https://developers.openai.com/api/docs/models/tts-1 15 for a million characters,
// and 30 for tts-1-hd; https://developers.openai.com/api/docs/models/gpt-image-1-mini text 2.00, cached 0.20, images 2.50 in and 8.00 out.
func openAISound() []example {
	spoken := meter.Usage{Prompt: 1_000, PromptAudio: 800, Completion: 500, CompletionAudio: 400}
	return []example{
		// 200 x 2.50 + 800 x 32 + 100 x 10 + 400 x 64 = 0.0005 + 0.0256 + 0.0010 + 0.0256
		{"sound", "OpenAI", "", "gpt-audio", spoken, 52_700_000},
		// 200 x 2.50 + 800 x 40 + 100 x 10 + 400 x 80 = 0.0005 + 0.0320 + 0.0010 + 0.0320
		{"sound, older model", "OpenAI", "", "gpt-4o-audio-preview-2025-06-03", spoken, 65_500_000},
		// 1.5 minutes x 0.006
		{"transcription", "OpenAI", "", "whisper-1", meter.Usage{AudioMillis: 90_000}, 9_000_000},
		// 1 second is 0.0001
		{"transcription of a second", "OpenAI", "", "whisper-1", meter.Usage{AudioMillis: 1_000}, 100_000},
		// 4,096 x 15 / 1,000,000
		{"speech", "OpenAI", "", "tts-1", meter.Usage{Characters: 4_096}, 61_440_000},
		// 1,000 x 30 / 1,000,000
		{"better speech", "OpenAI", "", "tts-1-hd", meter.Usage{Characters: 1_000}, 30_000_000},
		// 50 x 2.00 + 300 x 2.50 + 1,000 x 8.00 = 0.00010 + 0.00075 + 0.00800
		{"image", "OpenAI", "", "gpt-image-1-mini", meter.Usage{Prompt: 350, PromptImage: 300, Completion: 1_000, CompletionImage: 1_000}, 8_850_000},
	}
}

// anthropic: https://platform.claude.com/docs/en/models/opus-5/overview has input 5, output 25, writes 6.25 for five minutes and 10 for an hour, reads 0.50;
// https://platform.claude.com/docs/en/models/opus-5-5/overview has 4 and 20; https://platform.claude.com/docs/en/about-claude/pricing has Haiku 4.5 at 1, 5,
// 1.25, 2 and 0.10, Sonnet 4.5 at 3, 15, 3.75, 6 and 0.30, and web searches at 10 for a thousand;
// https://platform.claude.com/docs/en/models/haiku-5-5/overview has 0.10, 0.50 and reads at 0.01, above 100,000 tokens 0.50, 2.50 and 0.05.
func anthropic() []example {
	const opus, haiku = "claude-opus-5", "claude-haiku-5-5"
	return []example{
		// 10,000 x 5 + 1,000 x 25 = 0.050 + 0.025
		{"usual", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Completion: 1_000}, 75_000_000},
		// 2,000 x 5 + 8,000 x 6.25 + 1,000 x 25 = 0.010 + 0.050 + 0.025
		{"written for five minutes", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, CacheWrite: 8_000, Completion: 1_000}, 85_000_000},
		// 2,000 x 5 + 8,000 x 10 + 1,000 x 25 = 0.010 + 0.080 + 0.025
		{"written for an hour", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, CacheWrite: 8_000, CacheWrite1h: 8_000, Completion: 1_000}, 115_000_000},
		// 2,000 x 5 + 5,000 x 6.25 + 3,000 x 10 + 1,000 x 25 = 0.01000 + 0.03125 + 0.03000 + 0.02500
		{"written for both", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, CacheWrite: 8_000, CacheWrite1h: 3_000, Completion: 1_000}, 96_250_000},
		// 2,000 x 5 + 8,000 x 0.50 + 1,000 x 25 = 0.010 + 0.004 + 0.025
		{"read", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Cached: 8_000, Completion: 1_000}, 39_000_000},
		// 1,000 x 5 + 6,000 x 0.50 + 3,000 x 6.25 + 1,000 x 25 = 0.00500 + 0.00300 + 0.01875 + 0.02500
		{"read and written", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Cached: 6_000, CacheWrite: 3_000, Completion: 1_000}, 51_750_000},
		// 10,000 x 4 + 1,000 x 20 = 0.04 + 0.02
		{"newer model", "Anthropic", "", "claude-opus-5-5", meter.Usage{Prompt: 10_000, Completion: 1_000}, 60_000_000},
		// 50,000 x 1 + 50,000 x 0.10 + 2,000 x 5 = 0.050 + 0.005 + 0.010
		{"dated model, read", "Anthropic", "", "claude-haiku-4-5-20251001", meter.Usage{Prompt: 100_000, Cached: 50_000, Completion: 2_000}, 65_000_000},
		// 1,000 x 3 + 500 x 15 + 3 x 10 / 1,000 = 0.0030 + 0.0075 + 0.0300
		{"searches", "Anthropic", "", "claude-sonnet-4-5-20250929", meter.Usage{Prompt: 1_000, Completion: 500, Searches: 3}, 40_500_000},
		// 100,000 x 0.10 + 1,000 x 0.50 = 0.0100 + 0.0005
		{"just not long", "Anthropic", "", haiku, meter.Usage{Prompt: 100_000, Completion: 1_000}, 10_500_000},
		// 100,001 x 0.50 + 1,000 x 2.50 = 0.0500005 + 0.0025000
		{"long by one token", "Anthropic", "", haiku, meter.Usage{Prompt: 100_001, Completion: 1_000}, 52_500_500},
		// 50,000 x 0.50 + 100,000 x 0.05 + 1,000 x 2.50 = 0.0250 + 0.0050 + 0.0025
		{"long by what was read", "Anthropic", "", haiku, meter.Usage{Prompt: 150_000, Cached: 100_000, Completion: 1_000}, 32_500_000},
	}
}

// anthropicServices: https://platform.claude.com/docs/en/about-claude/pricing says that batches cost half, caches included, that fast mode of Opus 5 costs 10
// and 50, and that inference in the United States costs 1.1 times as much, see https://platform.claude.com/docs/en/build-with-claude/data-residency.
func anthropicServices() []example {
	const opus = "claude-opus-5"
	return []example{
		// 0.075 / 2
		{"batch", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Completion: 1_000, Service: "batch"}, 37_500_000},
		// 0.115 / 2
		{"batch, written for an hour", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, CacheWrite: 8_000, CacheWrite1h: 8_000, Completion: 1_000, Service: "batch"}, 57_500_000},
		// 10,000 x 10 + 1,000 x 50 = 0.10 + 0.05
		{"fast", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Completion: 1_000, Service: "fast"}, 150_000_000},
		// 0.075 x 1.1
		{"in the United States", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Completion: 1_000, Service: "us"}, 82_500_000},
		// The classes of bought capacity cost what the usual one does.
		{"priority", "Anthropic", "", opus, meter.Usage{Prompt: 10_000, Completion: 1_000, Service: "priority"}, 75_000_000},
	}
}

// google: https://ai.google.dev/gemini-api/docs/pricing has Gemini 2.5 Pro at 1.25, 10 and cached 0.125, above 200,000 tokens 2.50, 15 and 0.25, thoughts as
// output, and grounding at 35 for a thousand; Gemini 2.5 Flash at 0.30, 2.50, cached 0.03, sound 1.00 in; half of that in flex and batch, 1.8 times in priority.
func google() []example {
	const pro, flash = "gemini-2.5-pro", "gemini-2.5-flash"
	return []example{
		// 100,000 x 1.25 + 1,000 x 10 = 0.125 + 0.010
		{"usual", "GoogleAI", "", pro, meter.Usage{Prompt: 100_000, Completion: 1_000, Reasoning: 600}, 135_000_000},
		// 250,000 x 2.50 + 1,000 x 15 = 0.625 + 0.015
		{"long", "GoogleAI", "", pro, meter.Usage{Prompt: 250_000, Completion: 1_000}, 640_000_000},
		// 50,000 x 2.50 + 200,000 x 0.25 + 1,000 x 15 = 0.125 + 0.050 + 0.015
		{"long and cached", "GoogleAI", "", "models/gemini-2.5-pro", meter.Usage{Prompt: 250_000, Cached: 200_000, Completion: 1_000}, 190_000_000},
		// 10,000 x 1.25 + 1,000 x 10 + 1 x 35 / 1,000 = 0.0125 + 0.0100 + 0.0350
		{"grounded", "GoogleAI", "", pro, meter.Usage{Prompt: 10_000, Completion: 1_000, Searches: 1}, 57_500_000},
		// 2,000 x 0.30 + 8,000 x 1.00 + 1,000 x 2.50 = 0.0006 + 0.0080 + 0.0025
		{"sound", "GoogleAI", "", flash, meter.Usage{Prompt: 10_000, PromptAudio: 8_000, Completion: 1_000}, 11_100_000},
		// 0.0111 / 2
		{"sound, flex", "GoogleAI", "", flash, meter.Usage{Prompt: 10_000, PromptAudio: 8_000, Completion: 1_000, Service: "flex"}, 5_550_000},
		// 10,000 x 0.54 + 1,000 x 4.50 = 0.0054 + 0.0045; thoughts cost what the rest of the output does
		{"priority", "GoogleAI", "", flash, meter.Usage{Prompt: 10_000, Completion: 1_000, Reasoning: 500, Service: "priority"}, 9_900_000},
	}
}

// audio: https://console.groq.com/docs/speech-to-text has Whisper Large V3 at 0.111 and its turbo at 0.04 an hour, at least ten seconds of a call.
func audio() []example {
	return []example{
		{"an hour", "Groq", "", "whisper-large-v3", meter.Usage{AudioMillis: 3_600_000}, 111_000_000},
		// 0.04 x 300 / 3,600 = 0.00333..., rounded up
		{"five minutes", "Groq", "", "whisper-large-v3-turbo", meter.Usage{AudioMillis: 300_000}, 3_333_334},
		// 4 seconds count as 10: 0.04 x 10 / 3,600 = 0.000111..., rounded up
		{"four seconds", "Groq", "", "whisper-large-v3-turbo", meter.Usage{AudioMillis: 4_000}, 111_112},
	}
}

// others: https://api-docs.deepseek.com/quick_start/pricing has, at peak hours, Flash at 0.30, hits 0.006 and output 1.20, V4 Pro at 1.32, 0.044 and 3.96.
// https://docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing has a call with 125 prompt tokens, 98 of them cached, and 48 more;
// https://docs.x.ai/developers/models has Grok 4.6 at 2, cached 0.50, and 6, twice that from 200,000 tokens on.
// https://docs.mistral.ai/studio-api/conversations/advanced/prompt-caching bills cached tokens at a tenth; Mistral Medium 3.5 has 1.50 and 7.50.
// https://cohere.com/pricing has Rerank 3.5 at 2.00 for a thousand searches. https://openrouter.ai/docs/features/prompt-caching has a call with 10,339 prompt
// tokens, 10,318 of them cached, and 60 more; https://openrouter.ai/anthropic/claude-haiku-4.5 has 1, cached 0.10, and 5.
func others() []example {
	hit := meter.Usage{Prompt: 10_000, Cached: 6_000, Completion: 2_000}
	return []example{
		// 4,000 x 0.30 + 6,000 x 0.006 + 2,000 x 1.20 = 0.001200 + 0.000036 + 0.002400
		{"Flash", "DeepSeek", "", "deepseek-flash", hit, 3_636_000},
		// 4,000 x 1.32 + 6,000 x 0.044 + 2,000 x 3.96 = 0.005280 + 0.000264 + 0.007920
		{"Pro", "DeepSeek", "", "deepseek-v4-pro", hit, 13_464_000},
		// 27 x 2 + 98 x 0.50 + 48 x 6 = 0.000054 + 0.000049 + 0.000288
		{"cached", "XAI", "", "grok-4.6", meter.Usage{Prompt: 125, Cached: 98, Completion: 48}, 391_000},
		// 199,999 x 2 + 1,000 x 6 = 0.399998 + 0.006000
		{"just not long", "XAI", "", "grok-4.6", meter.Usage{Prompt: 199_999, Completion: 1_000}, 405_998_000},
		// 200,000 x 4 + 1,000 x 12 = 0.800 + 0.012
		{"long by one token", "XAI", "", "grok-4.6", meter.Usage{Prompt: 200_000, Completion: 1_000}, 812_000_000},
		// 250,000 x 4 + 1,000 x 12 = 1.000 + 0.012
		{"long", "XAI", "", "grok-4.6", meter.Usage{Prompt: 250_000, Completion: 1_000}, 1_012_000_000},
		// 2,000 x 1.50 + 8,000 x 0.15 + 1,000 x 7.50 = 0.0030 + 0.0012 + 0.0075
		{"cached", "Mistral", "", "mistral-medium-3-5", meter.Usage{Prompt: 10_000, Cached: 8_000, Completion: 1_000}, 11_700_000},
		// 3 x 2.00 / 1,000
		{"rerank", "Cohere", "", "rerank-v3.5", meter.Usage{SearchUnits: 3}, 6_000_000},
		// 21 x 1 + 10,318 x 0.10 + 60 x 5 = 0.0000210 + 0.0010318 + 0.0003000
		{"cached", "OpenRouter", "", "anthropic/claude-haiku-4.5", meter.Usage{Prompt: 10_339, Cached: 10_318, Completion: 60}, 1_352_800},
		{"free", "OpenRouter", "", "google/gemma-3-27b-it:free", meter.Usage{Prompt: 10_339, Completion: 60}, 0},
	}
}

// clouds: https://platform.claude.com/docs/en/about-claude/pricing says that Claude 4.5 costs a tenth more where AWS keeps calls in a region than it costs
// worldwide, 3 and 15. https://docs.together.ai/docs/serverless/geo-specific-inference takes 1.25 times the price in one country;
// https://docs.together.ai/docs/serverless/pricing has GLM-5.3 at 1.40 and 4.40.
func clouds() []example {
	usage := meter.Usage{Prompt: 10_000, Completion: 1_000}
	return []example{
		// 10,000 x 3 + 1,000 x 15 = 0.030 + 0.015
		{"worldwide", "AWSBedrock", "eu-west-1", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", usage, 45_000_000},
		// 0.045 x 1.1
		{"in Europe", "AWSBedrock", "eu-west-1", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", usage, 49_500_000},
		// 10,000 x 1.40 + 1,000 x 4.40 = 0.0140 + 0.0044
		{"anywhere", "Together", "", "zai-org/GLM-5.3", usage, 18_400_000},
		// 0.0184 x 1.25
		{"in the United States", "Together", "us", "zai-org/GLM-5.3", usage, 23_000_000},
	}
}
