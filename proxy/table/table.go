// Package table is the compiled routing table of one namespace: the contract between the manager, which compiles and delivers it, and the proxy,
// which serves from it. A table is plain values and never changes after it was compiled. It holds provider keys, so it is stored in a Secret only and
// is never logged.
package table

import (
	"encoding/json"
	"time"
)

// Format is the version of the table's encoding. A proxy refuses a table of another format.
const Format = 1

// MaxEncodedBytes is the largest encoded table that is delivered; a Secret can hold 1 MiB and its other keys need room.
const MaxEncodedBytes = 900 << 10

// Table is everything that the proxies of one namespace need to serve.
type Table struct {
	// Format is the encoding's version, Format.
	Format int `json:"format"`
	// Namespace that the table belongs to.
	Namespace string `json:"namespace"`
	// Sequence grows by one with each table that differs from the one before it.
	Sequence int64 `json:"sequence"`
	// Revision is the hash of the content without Sequence and Revision, 16 hexadecimal digits.
	Revision string `json:"revision"`
	// AccessKeySalt is the random key of the HMAC-SHA-256 under which access keys are stored, 32 bytes.
	AccessKeySalt []byte `json:"accessKeySalt"`
	// Control is the identity of the control port.
	Control Control `json:"control"`
	// Issuers are whose ServiceAccount tokens are accepted.
	Issuers []Issuer `json:"issuers,omitempty"`
	// AccessKeys are the callers that have an access key.
	AccessKeys []AccessKey `json:"accessKeys,omitempty"`
	// Credentials are the provider accounts, ordered by name.
	Credentials []Credential `json:"credentials,omitempty"`
	// Routes are ordered by name.
	Routes []Route `json:"routes,omitempty"`
	// Budgets are ordered by name.
	Budgets []Budget `json:"budgets,omitempty"`
	// Endpoints are the platform's rules for what may be dialled.
	Endpoints EndpointRules `json:"endpoints"`
	// Ledgers says where ledgers are kept; its zero value keeps them in ConfigMaps of the namespace.
	Ledgers LedgerStore `json:"ledgers,omitzero"`
	// Usage says where usage records go beside the proxies' standard output.
	Usage UsageSinks `json:"usage,omitzero"`
}

// Control is the key pair of the control port. Both ends present it and accept nothing else but it and Previous.
type Control struct {
	// CertificatePEM is the self-signed certificate.
	CertificatePEM []byte `json:"certificatePEM"`
	// PrivateKeyPEM is its key.
	PrivateKeyPEM []byte `json:"privateKeyPEM"`
	// PreviousPEM is the certificate before it, accepted until both ends have the new one; empty at first.
	PreviousPEM []byte `json:"previousPEM,omitempty"`
	// NotAfter is when CertificatePEM expires.
	NotAfter time.Time `json:"notAfter"`
}

// Issuer is a signer of ServiceAccount tokens.
type Issuer struct {
	// URL is the token's "iss".
	URL string `json:"url"`
	// Audience is the token's required "aud", signalbox.<namespace>.
	Audience string `json:"audience"`
	// JWKS is the JSON Web Key Set of the issuer.
	JWKS []byte `json:"jwks"`
	// MaxLifetime caps "exp" minus "iat".
	MaxLifetime time.Duration `json:"maxLifetime"`
}

// AccessKey is a caller known by a key.
type AccessKey struct {
	// Name of the Secret that holds the key.
	Name string `json:"name"`
	// HMAC is the HMAC-SHA-256 of the key under AccessKeySalt.
	HMAC []byte `json:"hmac"`
}

// Object identifies the API object that an entry was compiled from.
type Object struct {
	// Name of the object.
	Name string `json:"name"`
	// UID of the object.
	UID string `json:"uid"`
	// Generation of the spec that the entry was compiled from.
	Generation int64 `json:"generation"`
	// Since is the Sequence of the first table that held this generation of the object.
	Since int64 `json:"since"`
}

// Credential is a provider account.
type Credential struct {
	Object
	// Provider is the provider's name, as in the API.
	Provider string `json:"provider"`
	// Endpoint is the base URL.
	Endpoint string `json:"endpoint"`
	// Region of AWS, Project and Location of Google Cloud, and APIVersion of Azure; empty for other providers.
	Region     string `json:"region,omitempty"`
	Project    string `json:"project,omitempty"`
	Location   string `json:"location,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
	// Keys are the usable keys, best first; empty for endpoints that take none.
	Keys []Key `json:"keys,omitempty"`
	// Keyless tells that the endpoint takes no key.
	Keyless bool `json:"keyless,omitempty"`
	// Prices by upstream model id.
	Prices map[string]Prices `json:"prices,omitempty"`
	// Listing is what the provider's list of models said last of the models that targets name, by upstream model id; what it did not tell is missing. The
	// compiler goes on from it while no list is at hand.
	Listing map[string]ModelListing `json:"listing,omitempty"`
}

// ModelListing is what a provider's list says of a model.
type ModelListing struct {
	// Unlisted tells that the list does not have it.
	Unlisted bool `json:"unlisted,omitempty"`
	// ContextTokens and MaxOutputTokens of the model; 0 when the list does not tell.
	ContextTokens   int64 `json:"contextTokens,omitempty"`
	MaxOutputTokens int64 `json:"maxOutputTokens,omitempty"`
}

// KeyKind says what a key is and how requests are authenticated with it.
type KeyKind string

// The kinds.
const (
	// APIKey is sent in a header as it is.
	APIKey KeyKind = ""
	// AWSKey is the secret half of a key pair that requests are signed with.
	AWSKey KeyKind = "AWS"
	// GoogleKey is the key file of a service account, in JSON, which tokens are asked for with.
	GoogleKey KeyKind = "Google"
)

// Key is one key of a provider's account.
type Key struct {
	// Name of the key in the ProviderCredential; "aws" or "google" for those kinds.
	Name string `json:"name"`
	// Kind of the key.
	Kind KeyKind `json:"kind,omitempty"`
	// Value is the key itself.
	Value string `json:"value"`
	// AWS is what else belongs to an AWSKey; nil for others.
	AWS *AWSKeyPair `json:"aws,omitempty"`
	// Fingerprint is the first 12 hexadecimal digits of the SHA-256 of Value; of an AWSKey, of all its parts.
	Fingerprint string `json:"fingerprint"`
	// Secret is the name of the Secret that Value was read from.
	Secret string `json:"secret,omitempty"`
	// SecretKey is the key in that Secret's data.
	SecretKey string `json:"secretKey,omitempty"`
}

// AWSKeyPair is what belongs to the secret half of an AWS key pair.
type AWSKeyPair struct {
	// AccessKeyID is the other half.
	AccessKeyID string `json:"accessKeyID"`
	// SessionToken comes with keys that expire; empty for others.
	SessionToken string `json:"sessionToken,omitempty"`
	// AccessKeyIDFrom and SessionTokenFrom are where they were read from; SessionTokenFrom is nil without a token.
	AccessKeyIDFrom  SecretPlace  `json:"accessKeyIDFrom"`
	SessionTokenFrom *SecretPlace `json:"sessionTokenFrom,omitempty"`
}

// SecretPlace is a key in a Secret's data.
type SecretPlace struct {
	// Secret is its name.
	Secret string `json:"secret"`
	// Key in its data.
	Key string `json:"key"`
}

// Route is a compiled ModelRoute.
type Route struct {
	Object
	// Models are the names and patterns that this route won, exact ones and those with one trailing "*".
	Models []string `json:"models"`
	// Targets in the order of the spec.
	Targets []Target `json:"targets"`
	// Strategy orders targets of one priority; empty means Weighted.
	Strategy Strategy `json:"strategy,omitempty"`
	// Affinity keeps calls together; nil keeps none.
	Affinity *Affinity `json:"affinity,omitempty"`
	// Fallback says what follows a failure.
	Fallback Fallback `json:"fallback"`
	// Require leaves out targets.
	Require Requirements `json:"require,omitzero"`
	// Limits of callers, at most one of each scope.
	Limits []Limit `json:"limits,omitempty"`
	// Mirror gets copies of calls; nil for none.
	Mirror *Mirror `json:"mirror,omitempty"`
	// Attempt bounds the time of one target for a call that is no stream; 0 for no bound but Total.
	Attempt time.Duration `json:"attempt,omitempty"`
	// FirstToken bounds the time of one target until the first token of a stream.
	FirstToken time.Duration `json:"firstToken"`
	// Idle bounds the silence of a stream after its first token.
	Idle time.Duration `json:"idle"`
	// Total bounds the call over all its targets.
	Total time.Duration `json:"total"`
	// Access says who may call.
	Access Access `json:"access"`
	// Created is the creation time of the object; the older route wins a pattern.
	Created time.Time `json:"created"`
}

// Target is one upstream model of a route.
type Target struct {
	// Name of the target.
	Name string `json:"name"`
	// Credential is the name of an entry of Table.Credentials.
	Credential string `json:"credential"`
	// Model is the upstream id; "*" sends what the client asked for.
	Model string `json:"model"`
	// API is the provider's API to use, in the words of the API's RouteTarget; empty leaves the choice to the proxy.
	API string `json:"api,omitempty"`
	// Priority, lower first.
	Priority int32 `json:"priority"`
	// Weight among targets of the same priority; 0 gets nothing.
	Weight int32 `json:"weight"`
	// Prices of this target; nil takes those of the credential, by upstream model.
	Prices *Prices `json:"prices,omitempty"`
	// Declared is what is known of the model: what the target declares, and for the rest what the provider's list says.
	Declared Declared `json:"declared,omitzero"`
	// Unlisted tells that the provider's list of models is known and does not have Model, so that Successor, if there is one, is called in its place. A
	// target whose Successor is not in the list either is called as if the list were not known.
	Unlisted bool `json:"unlisted,omitempty"`
	// Successor is the upstream id that takes over from a withdrawn Model; empty for none.
	Successor string `json:"successor,omitempty"`
	// OnlyFor are the failures elsewhere after which alone the target is used; empty for every call.
	OnlyFor []FailureKind `json:"onlyFor,omitempty"`
	// OpenRouter are the provider preferences for OpenRouter, the JSON object that its API takes; nil for none.
	OpenRouter json.RawMessage `json:"openRouter,omitempty"`
	// Excluded says why the target cannot be used, in words for the caller; empty when it can.
	Excluded string `json:"excluded,omitempty"`
}

// Access lists who may call a route; any match admits.
type Access struct {
	// AnyNamespace admits the ServiceAccounts of all namespaces.
	AnyNamespace bool `json:"anyNamespace,omitempty"`
	// Namespaces whose ServiceAccounts are admitted.
	Namespaces []string `json:"namespaces,omitempty"`
	// ServiceAccounts that are admitted, as namespace/name.
	ServiceAccounts []string `json:"serviceAccounts,omitempty"`
	// AnyAccessKey admits all access keys of this namespace.
	AnyAccessKey bool `json:"anyAccessKey,omitempty"`
	// AccessKeys that are admitted, by name.
	AccessKeys []string `json:"accessKeys,omitempty"`
}

// EndpointRules are the platform's exceptions from what may be dialled and what never may.
type EndpointRules struct {
	// AllowCIDRs are opened although they are loopback, link-local or otherwise closed.
	AllowCIDRs []string `json:"allowCIDRs,omitempty"`
	// DenyCIDRs are closed in addition, the API server's addresses among them: an address, an address with its port, or a prefix of one address.
	DenyCIDRs []string `json:"denyCIDRs,omitempty"`
}
