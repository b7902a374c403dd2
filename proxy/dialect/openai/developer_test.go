package openai_test

import (
	"strings"
	"testing"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/dialect/openai"
)

// TestDeveloperIsWrittenWhereItIsKnown: who crosses to a server of the user's own is a system there.
func TestDeveloperIsWrittenWhereItIsKnown(t *testing.T) {
	request := &neutral.Request{Model: "m", N: 1, Source: neutral.Responses, Messages: []neutral.Message{
		{Role: neutral.Developer, PlainText: true, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: "Be brief."}}},
	}}
	for provider, want := range map[string]string{"OpenAI": `"role":"developer"`, "OpenAICompatible": `"role":"system"`} {
		got, _, err := openai.Chat{}.AppendRequest(nil, request, dialect.Target{Model: "m", Provider: provider})
		if err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s gets %s, %v", provider, got, err)
		}
	}
}
