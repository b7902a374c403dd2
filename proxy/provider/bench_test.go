package provider_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

func BenchmarkChoose(b *testing.B) {
	for name, model := range map[string]string{"OpenAICompatible": "qwen3", "OpenAI": "gpt-6-sol", "OpenRouter": "meta-llama/llama-4", "VertexAI": "gemini-3-pro"} {
		b.Run(name, func(b *testing.B) {
			p, _ := registry.Default().Lookup(name)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := p.Choose(neutral.ChatCompletions, model, ""); !ok {
					b.Fatal("no offer")
				}
			}
		})
	}
}

func TestChoosingTakesNoMemory(t *testing.T) {
	for _, name := range registry.Default().Names() {
		p := lookup(t, name)
		if allocations := testing.AllocsPerRun(10, func() { p.Choose(neutral.ChatCompletions, "m", "") }); allocations > 0 {
			t.Errorf("%s: %v allocations", name, allocations)
		}
	}
}
