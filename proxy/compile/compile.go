// Package compile turns the API objects of one namespace into its routing table and says what is wrong with them.
//
// It is pure: values in, values out, no clock, no client, no logger. The manager runs it to write the table and the statuses; `signalbox run` and
// `signalbox check` run the same. Equal inputs give equal bytes, in whatever order the objects come.
package compile

import (
	"bytes"
	"time"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/provider"
	"signalbox.dev/signalbox/proxy/table"
)

// NamespaceView says how much of the cluster's Namespaces Input.Namespaces shows.
type NamespaceView string

// The views.
const (
	// AllNamespaces means that Input.Namespaces holds every Namespace, so that any selector can be resolved.
	AllNamespaces NamespaceView = "All"
	// NamesOnly means that Namespaces cannot be read. A selector then resolves if it is empty or asks for kubernetes.io/metadata.name alone; any other
	// is an UnsupportedValue finding and admits nobody.
	NamesOnly NamespaceView = "NamesOnly"
)

// Input is all that the table of one namespace is made from. Compile changes none of it.
type Input struct {
	// Namespace whose table is made.
	Namespace string
	// Routes of the namespace.
	Routes []v1alpha1.ModelRoute
	// Credentials of the namespace.
	Credentials []v1alpha1.ProviderCredential
	// Budgets of the namespace.
	Budgets []v1alpha1.SpendBudget
	// ProviderKeys are the Secrets of the namespace that carry the label of provider keys.
	ProviderKeys []corev1.Secret
	// UnlabelledSecrets are the names of Secrets that a credential refers to and that exist without the label.
	UnlabelledSecrets []string
	// AccessKeys are the Secrets of the namespace that carry the label of access keys.
	AccessKeys []corev1.Secret
	// Namespaces of the cluster, as far as View says.
	Namespaces []corev1.Namespace
	// View says what Namespaces holds; empty means AllNamespaces.
	View NamespaceView
	// Issuers whose ServiceAccount tokens are accepted.
	Issuers []table.Issuer
	// Endpoints are the platform's rules for what may be dialled.
	Endpoints table.EndpointRules
	// ClusterDomain is the DNS domain of the cluster; empty means cluster.local.
	ClusterDomain string
	// Ledgers says where ledgers are kept.
	Ledgers table.LedgerStore
	// Usage says where usage records go.
	Usage table.UsageSinks
	// Lists are the models that providers offer, by the name of the credential that they were asked with. One of another account than the credential's is
	// not used, and while one is missing what the previous table knows of its models stays.
	Lists map[string]provider.ModelList
	// Now is the time, which deadlines of keys are compared with and counted from. Compile must run again at Result.Next.
	Now time.Time
	// Verdicts are what probes found of keys, by the name of the credential and the key's fingerprint. With nil nobody probes, and a new key leads at once.
	Verdicts map[string]map[string]KeyVerdict
	// Remote are the ModelRoutes of other namespaces that targets can refer to, by namespace/name; with nil there is no other namespace.
	Remote map[string]RemoteRoute
	// Tracing says where traces go.
	Tracing table.Tracing
	// Previous is the table that is in force; nil when there is none.
	Previous *table.Table
	// Fresh is what has to be made outside, for it is random or depends on the time.
	Fresh Fresh
}

// KeyVerdict is what is known of a key at its provider.
type KeyVerdict struct {
	// Provider and Account that was asked. A verdict of another one than the credential's is not used.
	Provider string
	Account  provider.Account
	// State is what the last probe of the key said. KeyUnknown is not final while Pending.
	State provider.KeyState
	// Pending tells that the probe is to be repeated soon, for the provider did not answer properly.
	Pending bool
	// Message says more, in words for people.
	Message string
}

// Same tells whether two verdicts lead to the same table.
func (v KeyVerdict) Same(other KeyVerdict) bool {
	v.Message, other.Message = "", ""
	return v == other
}

// RemoteRoute is what is known of a ModelRoute of another namespace.
type RemoteRoute struct {
	// Models that its spec names.
	Models []string
	// Access as its spec gives it, compiled in its own namespace.
	Access table.Access
	// Calls are the routes, as namespace/name, that its own targets refer to.
	Calls []string
	// Prices are the highest of its targets, by unit, as its namespace's table has them; nil if one of them is not known.
	Prices *table.Prices
	// Declared are the capabilities that one of its targets has, and the largest limits of their models, as the same table has them.
	Declared table.Declared
	// TLSAlone tells that the proxies of its namespace have no port without TLS.
	TLSAlone bool
	// Certificates are those, in PEM, with which these proxies answer the ones of other namespaces there; empty while the namespace has no table.
	Certificates []byte
}

// Fresh holds random and time-dependent values for Compile to use where they are needed.
type Fresh struct {
	// AccessKeySalt is used when the previous table has none: 32 random bytes.
	AccessKeySalt []byte
	// Control replaces the control port's key pair when it has a certificate; the one it replaces stays accepted as its PreviousPEM. Without a
	// certificate the previous table's pair stays.
	Control table.Control
	// FirstSequence is the lowest sequence that the new table may get when it differs from the previous one. The manager gives the Unix time in seconds
	// when it finds no previous table, so that a proxy that still serves a lost table is never mistaken for one that serves the new one.
	FirstSequence int64
}

// Result is what Compile makes.
type Result struct {
	// Table to deliver. Its Sequence and Revision are those of the previous table if nothing changed.
	Table table.Table
	// Report says for every object what became of it.
	Report Report
	// Next is when Compile is to run again although nothing else changed, for a key's time is over; zero for never.
	Next time.Time
	// Waiting are the values of keys that are in Secrets and not in the table, by the name of the credential, those that the provider refused as Refused.
	// They are secret.
	Waiting map[string][]table.Key
}

// Compile makes the table of a namespace and the report on its objects.
//
// What an object asks for is served once its spec is valid. After a spec error the last good entry of the same object stays, but a deletion, a removed
// key and narrowed access always apply. An object never changes what others get, except that the older ModelRoute wins a model name.
func Compile(in Input) Result {
	return newDrafts(&in, standardBounds()).fit()
}

// saltBytes is the length of an access-key salt.
const saltBytes = 32

func (in *Input) salt() []byte {
	if in.Previous != nil && len(in.Previous.AccessKeySalt) == saltBytes {
		return in.Previous.AccessKeySalt
	}
	return in.Fresh.AccessKeySalt
}

func (in *Input) control() table.Control {
	var before table.Control
	if in.Previous != nil {
		before = in.Previous.Control
	}
	fresh := in.Fresh.Control
	if len(fresh.CertificatePEM) == 0 || bytes.Equal(fresh.CertificatePEM, before.CertificatePEM) {
		return before
	}
	fresh.PreviousPEM, fresh.PreviousKeyPEM = before.CertificatePEM, before.PrivateKeyPEM
	return fresh
}

// nextSequence is the sequence of the new table if it differs from the previous one.
func (in *Input) nextSequence() int64 {
	var before int64
	if in.Previous != nil {
		before = in.Previous.Sequence
	}
	return max(before+1, in.Fresh.FirstSequence)
}
