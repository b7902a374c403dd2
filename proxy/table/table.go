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
	// Tracing says where traces go.
	Tracing Tracing `json:"tracing,omitzero"`
}

// Tracing says where traces go. Its zero value makes none.
type Tracing struct {
	// OTLPEndpoint is the URL of a collector that takes traces over HTTP; empty for none.
	OTLPEndpoint string `json:"otlpEndpoint,omitempty"`
	// SamplePermille is how many of a thousand traces that begin here are kept, 0 to 1000. Those that a caller began follow the caller.
	SamplePermille int32 `json:"samplePermille,omitempty"`
}

// Control is the key pair of the control port. Both ends present it and accept nothing else but it and Previous.
type Control struct {
	// CertificatePEM is the self-signed certificate.
	CertificatePEM []byte `json:"certificatePEM"`
	// PrivateKeyPEM is its key.
	PrivateKeyPEM []byte `json:"privateKeyPEM"`
	// PreviousPEM is the certificate before it, accepted until both ends have the new one; empty at first.
	PreviousPEM []byte `json:"previousPEM,omitempty"`
	// PreviousKeyPEM is the key of PreviousPEM, with which callers of other namespaces are answered until they know CertificatePEM; empty at first.
	PreviousKeyPEM []byte `json:"previousKeyPEM,omitempty"`
	// NotAfter is when CertificatePEM expires.
	NotAfter time.Time `json:"notAfter"`
}

// Issuer is a signer of callers' tokens: the cluster, or an OIDC issuer of the platform's configuration.
type Issuer struct {
	// Name of an OIDC issuer in the platform's configuration; empty for the cluster, whose tokens are those of ServiceAccounts.
	Name string `json:"name,omitempty"`
	// CallerClaim is the claim of an OIDC issuer's tokens that names the caller; empty for the cluster.
	CallerClaim string `json:"callerClaim,omitempty"`
	// TagClaims are the claims that become tags of the call, by the key of the tag.
	TagClaims map[string]string `json:"tagClaims,omitempty"`
	// URL is the token's "iss".
	URL string `json:"url"`
	// Audience is the token's required "aud": signalbox.<namespace>, or what the platform's configuration says of an OIDC issuer.
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
	// ExpiresAt is from when on the key is refused; zero for never.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	// Routes are the only routes that the key may use, where their access admits it; empty for no such bound.
	Routes []string `json:"routes,omitempty"`
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
	// Certificates are those, in PEM, of which the endpoint presents one, and the only ones that are trusted there: the control certificates of a namespace whose
	// proxies speak TLS alone. Empty for all other endpoints.
	Certificates []byte `json:"certificates,omitempty"`
	// Region of AWS, Project and Location of Google Cloud, and APIVersion of Azure; empty for other providers.
	Region     string `json:"region,omitempty"`
	Project    string `json:"project,omitempty"`
	Location   string `json:"location,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
	// Keys are the usable keys in the order of the spec; empty for endpoints that take none. Of one name there is at most one that leads, then at most one canary, then
	// the previous ones, youngest first.
	Keys []Key `json:"keys,omitempty"`
	// SharesKeys spreads calls over the keys by weight and headroom; otherwise the first one that can be used leads.
	SharesKeys bool `json:"sharesKeys,omitempty"`
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
	// AWSWebIdentity is a role that is taken on with a token of the proxy's ServiceAccount; it has no Value.
	AWSWebIdentity KeyKind = "AWSWebIdentity"
	// AWSPodIdentity asks the agent of EKS Pod Identity; it has no Value.
	AWSPodIdentity KeyKind = "AWSPodIdentity"
	// GoogleWorkloadIdentity exchanges a token of the proxy's ServiceAccount; it has no Value.
	GoogleWorkloadIdentity KeyKind = "GoogleWorkloadIdentity"
	// AzureSecret is the secret of an application of Microsoft Entra ID.
	AzureSecret KeyKind = "AzureSecret"
	// AzureWorkloadIdentity is an application that trusts a token of the proxy's ServiceAccount; it has no Value.
	AzureWorkloadIdentity KeyKind = "AzureWorkloadIdentity"
	// ServiceAccountToken is a token of the proxy's ServiceAccount for Cloud.Audience, sent as it is: how another namespace's proxy is called. It has no Value.
	ServiceAccountToken KeyKind = "ServiceAccountToken"
)

// OwnToken tells whether a key of the kind is had for a token of the proxy's own ServiceAccount, which the API server gives.
func (k KeyKind) OwnToken() bool {
	switch k {
	case AWSWebIdentity, AWSPodIdentity, GoogleWorkloadIdentity, AzureWorkloadIdentity, ServiceAccountToken:
		return true
	case APIKey, AWSKey, GoogleKey, AzureSecret:
		return false
	default:
		return false
	}
}

// KeyRole is what a key is for.
type KeyRole string

// The roles.
const (
	// Leads: calls are made with the key.
	Leads KeyRole = ""
	// Canary: the key is new and gets Permille of the calls of its name.
	Canary KeyRole = "Canary"
	// Previous: the key was replaced. It is used only where the one that replaced it is refused or left alone, and never from Until on.
	Previous KeyRole = "Previous"
)

// CloudIdentity is what belongs to a key that is an identity at a token service. Fields that a kind does not need are empty.
type CloudIdentity struct {
	// Audience of the ServiceAccount's token that is exchanged or sent.
	Audience string `json:"audience,omitempty"`
	// Endpoint is the base URL of the token service; empty for the vendor's own.
	Endpoint string `json:"endpoint,omitempty"`
	// RoleARN of AWSWebIdentity.
	RoleARN string `json:"roleARN,omitempty"`
	// Provider is the full name of Google's workload identity provider, ServiceAccount the account to act as, and IAMEndpoint the base URL where its tokens are; the last
	// two may be empty.
	Provider       string `json:"provider,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	IAMEndpoint    string `json:"iamEndpoint,omitempty"`
	// TenantID and ClientID of Microsoft Entra ID.
	TenantID string `json:"tenantID,omitempty"`
	ClientID string `json:"clientID,omitempty"`
}

// Key is one key of a provider's account.
type Key struct {
	// Name of the key in the ProviderCredential; "aws", "google" or "azure" for those kinds. All values of one key have the same name.
	Name string `json:"name"`
	// Kind of the key.
	Kind KeyKind `json:"kind,omitempty"`
	// Value is the key itself.
	Value string `json:"value"`
	// AWS is what else belongs to an AWSKey; nil for others.
	AWS *AWSKeyPair `json:"aws,omitempty"`
	// Cloud is what belongs to the kinds that are identities; nil for others.
	Cloud *CloudIdentity `json:"cloud,omitempty"`
	// Weight is the key's share of calls where keys share them; 0 is used only when no other can be.
	Weight int32 `json:"weight,omitempty"`
	// Role of the key, and Since when it has it.
	Role  KeyRole   `json:"role,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Until is when a Previous key is dropped, by every proxy by its own clock, and when a Canary leads, which is the manager's to say. One that leads has none, or,
	// while its Secret is gone, the time at which it is dropped like a Previous one if the Secret does not come back.
	Until time.Time `json:"until,omitzero"`
	// Permille is a Canary's share.
	Permille int32 `json:"permille,omitempty"`
	// FirstSeen is when this value was first seen in its Secret.
	FirstSeen time.Time `json:"firstSeen,omitzero"`
	// Refused tells that the manager's last probe of the key was refused. It is used only while there is no other.
	Refused bool `json:"refused,omitempty"`
	// Fingerprint is the first 12 hexadecimal digits of the SHA-256 of Value; of an AWSKey and an AzureSecret, of all their parts; of the kinds without Value, of their identity.
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
	// Listing says what the list of models makes of models that are down: "Hide" or "Keep"; empty marks them.
	Listing string `json:"listing,omitempty"`
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
	// Credential is the name of an entry of Table.Credentials. One that stands for another namespace's proxy is named "route:<namespace>".
	Credential string `json:"credential"`
	// CalledRoute is the ModelRoute of another namespace that is called, "<namespace>/<name>"; empty for a provider's model.
	CalledRoute string `json:"calledRoute,omitempty"`
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
	// UserIssuers are the OIDC issuers, by name, all of whose callers are admitted.
	UserIssuers []string `json:"userIssuers,omitempty"`
	// Users that are admitted, as issuer/name.
	Users []string `json:"users,omitempty"`
}

// EndpointRules are the platform's exceptions from what may be dialled and what never may.
type EndpointRules struct {
	// AllowCIDRs are opened although they are loopback, link-local or otherwise closed.
	AllowCIDRs []string `json:"allowCIDRs,omitempty"`
	// DenyCIDRs are closed in addition, the API server's addresses among them: an address, an address with its port, or a prefix of one address.
	DenyCIDRs []string `json:"denyCIDRs,omitempty"`
}
