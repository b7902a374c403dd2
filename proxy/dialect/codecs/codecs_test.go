package codecs_test

import (
	"testing"

	"signalbox.dev/signalbox/proxy/dialect/codecs"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/registry"
)

// TestEveryOfferCanBeReached: what a provider offers is reached by at least the surface that is made for it.
func TestEveryOfferCanBeReached(t *testing.T) {
	all := codecs.Default()
	surfaceOf := map[neutral.Family]neutral.API{
		neutral.Generation: neutral.ChatCompletions, neutral.Embedding: neutral.Embeddings, neutral.Reranking: neutral.Rerank,
	}
	vendors := registry.Default()
	for _, name := range vendors.Names() {
		vendor, _ := vendors.Lookup(name)
		for _, offer := range vendor.Offers {
			surface, family := surfaceOf[offer.API.Family()]
			if !family || offer.API == neutral.Completions {
				surface = offer.API
			}
			if _, ok := all.Join(surface, offer.API); !ok {
				t.Errorf("%s offers %s, which %s cannot reach", vendor.Name, offer.API, surface)
			}
		}
	}
}

func TestJoin(t *testing.T) {
	for name, tc := range map[string]struct {
		surface, upstream neutral.API
		want              bool
	}{
		"same":               {neutral.Messages, neutral.Messages, true},
		"crossing":           {neutral.GenerateContent, neutral.Converse, true},
		"embeddings":         {neutral.Embeddings, neutral.TitanEmbed, true},
		"rerank":             {neutral.CohereRerank, neutral.Rerank, true},
		"other family":       {neutral.Embeddings, neutral.ChatCompletions, false},
		"alone":              {neutral.Speech, neutral.Transcriptions, false},
		"upstream only":      {neutral.Converse, neutral.Converse, false},
		"old completions":    {neutral.ChatCompletions, neutral.Completions, false},
		"from them":          {neutral.Completions, neutral.Messages, true},
		"what nobody speaks": {"Telex", "Telex", false},
	} {
		if _, ok := codecs.Default().Join(tc.surface, tc.upstream); ok != tc.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestSurface(t *testing.T) {
	all := codecs.Default()
	for _, api := range []neutral.API{neutral.Responses, neutral.CountTokens, neutral.Transcriptions, neutral.CohereRerank, "Telex"} {
		if all.Surface(api) == nil {
			t.Errorf("%s has no surface", api)
		}
	}
	if _, offered := (provider.Provider{}).Choose(neutral.ChatCompletions, "m", ""); offered {
		t.Error("a provider without offers offers something")
	}
}
