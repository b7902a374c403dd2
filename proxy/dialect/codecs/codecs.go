// Package codecs knows all wire APIs, and joins those of clients to those of providers.
package codecs

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/anthropic"
	"signalbox.dev/signalbox/proxy/dialect/bedrock"
	"signalbox.dev/signalbox/proxy/dialect/cohere"
	"signalbox.dev/signalbox/proxy/dialect/gemini"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
	"signalbox.dev/signalbox/proxy/dialect/rerank"
	"signalbox.dev/signalbox/proxy/dialect/responses"
)

// Codecs are the wire APIs by name. Each codec is a surface, an upstream, or both, by the interfaces of package dialect that it has.
type Codecs struct {
	byAPI  map[neutral.API]any
	joints map[pair]dialect.Joint
}

// pair is a surface's API and an upstream's.
type pair struct{ surface, upstream neutral.API }

// Default returns all that there are.
func Default() *Codecs {
	c := &Codecs{byAPI: map[neutral.API]any{
		neutral.ChatCompletions:    openai.Chat{},
		neutral.Completions:        openai.Text{},
		neutral.Responses:          responses.Codec{},
		neutral.Messages:           anthropic.Messages{},
		neutral.GenerateContent:    gemini.Generate{},
		neutral.Converse:           bedrock.Converse{},
		neutral.CohereChat:         cohere.Chat{},
		neutral.Embeddings:         openai.Vectors{},
		neutral.BatchEmbedContents: gemini.BatchEmbed{},
		neutral.VertexPredict:      gemini.VertexPredict{},
		neutral.CohereEmbed:        cohere.Embed{},
		neutral.TitanEmbed:         bedrock.TitanEmbed{},
		neutral.Rerank:             rerank.Codec{},
		neutral.CohereRerank:       cohere.Rerank{},
		neutral.CountTokens:        anthropic.CountTokens{},
	}}
	for _, api := range []neutral.API{
		neutral.Moderations, neutral.ImageGenerations, neutral.ImageEdits, neutral.ImageVariations, neutral.Speech, neutral.Transcriptions, neutral.Translations,
	} {
		c.byAPI[api] = openai.Plain{API: api}
	}
	c.joinAll()
	return c
}

// Surface returns an API as clients speak it; OpenAI's chat completions stand in for what is none.
func (c *Codecs) Surface(api neutral.API) dialect.Surface {
	if surface, ok := c.byAPI[api].(dialect.Surface); ok {
		return surface
	}
	return openai.Chat{}
}

// Join returns how requests of a surface reach an upstream; false when they cannot.
func (c *Codecs) Join(surface, upstream neutral.API) (dialect.Joint, bool) {
	joint, ok := c.joints[pair{surface, upstream}]
	return joint, ok
}

// joinAll joins every surface to every upstream that it can reach: to its own API by passing, to others of the family by crossing.
func (c *Codecs) joinAll() {
	c.joints = map[pair]dialect.Joint{}
	for surface, client := range c.byAPI {
		if passer, ok := client.(dialect.Passer); ok {
			c.joints[pair{surface, surface}] = dialect.Pass(passer)
		}
		for upstream, provider := range c.byAPI {
			if joint, ok := cross(client, provider); ok && upstream != surface {
				c.joints[pair{surface, upstream}] = joint
			}
		}
	}
}

func cross(client, provider any) (dialect.Joint, bool) {
	switch surface := client.(type) {
	case dialect.GenerationSurface:
		if upstream, ok := provider.(dialect.GenerationUpstream); ok {
			return dialect.CrossGeneration(surface, upstream), true
		}
	case dialect.EmbeddingSurface:
		if upstream, ok := provider.(dialect.EmbeddingUpstream); ok {
			return dialect.CrossEmbedding(surface, upstream), true
		}
	case dialect.RerankSurface:
		if upstream, ok := provider.(dialect.RerankUpstream); ok {
			return dialect.CrossRerank(surface, upstream), true
		}
	}
	return nil, false
}
