package gemini

import "signalbox.dev/signalbox/proxy/dialect"

// Generate is generateContent and streamGenerateContent.
type Generate struct{}

// Generate goes both ways, and passes from one to the other; requests for vectors go to Google only.
var (
	_ dialect.GenerationSurface  = Generate{}
	_ dialect.GenerationUpstream = Generate{}
	_ dialect.Demander           = Generate{}
	_ dialect.Inspector          = Generate{}
	_ dialect.Passer             = Generate{}
	_ dialect.EmbeddingUpstream  = BatchEmbed{}
	_ dialect.EmbeddingUpstream  = VertexPredict{}
)
