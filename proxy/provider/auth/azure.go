package auth

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"signalbox.dev/signalbox/proxy/renewal"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// entra is the token service of the public cloud.
	entra = "https://login.microsoftonline.com"
	// noRegion keeps the library from taking a region out of the environment or from the metadata server, for then it would ask another host.
	noRegion = "DisableMsalForceRegion"
)

// entraTokens gets tokens of an application of Microsoft Entra ID, by its secret or for a token of the proxy's ServiceAccount.
func (k *Keeper) entraTokens(key *table.Key) (fetch[string], error) {
	identity := key.Cloud
	if identity == nil || identity.TenantID == "" || identity.ClientID == "" {
		return nil, errors.New("an application of Microsoft Entra ID needs a tenant and a client ID")
	}
	proof := func(context.Context) (confidential.Credential, error) {
		return confidential.NewCredFromSecret(key.Value)
	}
	if key.Kind == table.AzureWorkloadIdentity {
		if identity.Audience == "" {
			return nil, errors.New("a workload identity of Azure needs an audience")
		}
		proof = func(ctx context.Context) (confidential.Credential, error) {
			own, err := k.ownToken(ctx, identity.Audience)
			given := func(context.Context, confidential.AssertionRequestOptions) (string, error) { return own, nil }
			return confidential.NewCredFromAssertionCallback(given), err
		}
	}
	host := strings.TrimSuffix(orDefault(identity.Endpoint, entra), "/")
	return func(ctx context.Context, l *line) (renewal.Term[string], error) {
		credential, err := proof(ctx)
		if err != nil {
			return renewal.Term[string]{}, err
		}
		client, err := l.client(host)
		if err != nil {
			return renewal.Term[string]{}, err
		}
		// The library keeps tokens in the client, so that every question needs a new one.
		application, err := confidential.New(host+"/"+url.PathEscape(identity.TenantID), identity.ClientID, credential,
			confidential.WithHTTPClient(client), confidential.WithInstanceDiscovery(false), confidential.WithAzureRegion(noRegion))
		if err != nil {
			return renewal.Term[string]{}, err
		}
		token, err := application.AcquireTokenByCredential(ctx, []string{cognitiveScope(host)})
		if err != nil {
			return renewal.Term[string]{}, err
		}
		return issued(token.AccessToken, token.ExpiresOn)
	}, nil
}

// cognitiveScope is the name of Azure OpenAI in the cloud that a token service belongs to.
func cognitiveScope(host string) string {
	switch {
	case strings.HasSuffix(host, ".microsoftonline.us"):
		return "https://cognitiveservices.azure.us/.default"
	case strings.HasSuffix(host, ".microsoftonline.cn"), strings.HasSuffix(host, ".chinacloudapi.cn"):
		return "https://cognitiveservices.azure.cn/.default"
	default:
		return "https://cognitiveservices.azure.com/.default"
	}
}
