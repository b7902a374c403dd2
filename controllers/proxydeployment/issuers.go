package proxydeployment

import (
	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// noKeys is the key set of an issuer that nobody has heard of yet. Its callers are told so, and wait a moment for its keys.
const noKeys = `{"keys":[]}`

// issuers are the cluster and the OIDC issuers of the platform's configuration. What cannot be known yet is taken from the previous table, so that neither a
// new manager nor an issuer that is away makes a token worthless.
func (in *input) issuers() []table.Issuer {
	var before []table.Issuer
	if in.previous != nil {
		before = in.previous.Issuers
	}
	issuers := in.cluster(before)
	for i := range in.config.Tokens.Issuers {
		declared := &in.config.Tokens.Issuers[i]
		if isCluster(issuers, declared.URL) {
			// Nobody else vouches for the cluster's ServiceAccounts.
			continue
		}
		issuers = append(issuers, table.Issuer{
			Name: declared.Name, URL: declared.URL, Audience: declared.Audience, CallerClaim: declared.CallerClaim, TagClaims: declared.TagClaims,
			JWKS: in.keysOf(declared.Name, declared.URL, before), MaxLifetime: declared.MaxLifetime.Duration,
		})
	}
	return issuers
}

// cluster is the issuer of ServiceAccount tokens, as the previous table has it while the API server has not said who signs.
func (in *input) cluster(before []table.Issuer) []table.Issuer {
	if in.facts.Issuer != "" {
		return []table.Issuer{{
			URL: in.facts.Issuer, Audience: v1alpha1.ProxyAudience(in.namespace), JWKS: in.facts.JWKS, MaxLifetime: in.config.Tokens.MaxLifetime.Duration,
		}}
	}
	for _, issuer := range before {
		if issuer.Name == "" {
			return []table.Issuer{issuer}
		}
	}
	return nil
}

func isCluster(issuers []table.Issuer, url string) bool {
	for i := range issuers {
		if issuers[i].Name == "" && issuers[i].URL == url {
			return true
		}
	}
	return false
}

// keysOf are an OIDC issuer's keys.
func (in *input) keysOf(name, url string, before []table.Issuer) []byte {
	if keys, known := in.issuerKeys[name]; known {
		return keys
	}
	for i := range before {
		if before[i].Name == name && before[i].URL == url {
			return before[i].JWKS
		}
	}
	return []byte(noKeys)
}
