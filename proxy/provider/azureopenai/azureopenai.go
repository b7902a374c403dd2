// Package azureopenai describes OpenAI's models on Azure.
package azureopenai

import (
	"slices"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/provider/openai"
	"signalbox.dev/signalbox/proxy/table"
)

// New returns Azure OpenAI. A model's upstream id is the name of its deployment. Accounts that name no API version use the API
// that is like OpenAI's, below /openai/v1; the others the older one, below /openai/deployments. No list that a key can read has the deployments.
func New() provider.Provider {
	p := provider.OpenAICompatible("AzureOpenAI", "")
	p.BasePath = "/openai/v1"
	p.Offers = openai.Offers(neutral.OriginAzure)
	p.Quirks = openai.Quirks()
	p.AuthHeader, p.AuthPrefix = "Api-Key", ""
	p.KeyKinds = []table.KeyKind{table.AzureSecret, table.AzureWorkloadIdentity}
	p.List = provider.List{}
	dated := p
	dated.BasePath = "/openai"
	dated.Offers = slices.Clone(p.Offers)
	for i := range dated.Offers {
		dated.Offers[i].Path = datedPath(dated.Offers[i])
	}
	dated.Probe.Path = "/models?api-version={apiVersion}"
	p.Dated = &dated
	return p
}

func datedPath(o provider.Offer) string {
	if o.API == neutral.Responses {
		return o.Path + "?api-version={apiVersion}"
	}
	return "/deployments/{model}" + o.Path + "?api-version={apiVersion}"
}
