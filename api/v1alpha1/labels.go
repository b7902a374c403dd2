package v1alpha1

// Labels and annotations that users set or that the manager sets on what it owns.
const (
	// LabelProviderKey marks a Secret that holds a provider's API key. Only Secrets that carry it (value "true") are read.
	LabelProviderKey = "signalbox.dev/provider-key"
	// LabelAccessKey marks a Secret that holds an access key of a caller (value "true").
	LabelAccessKey = "signalbox.dev/access-key"
	// LabelInject, with the value "true" on a pod, has the manager's webhook mount a token for the namespace's proxy and set OPENAI_BASE_URL.
	LabelInject = "signalbox.dev/inject"

	// AnnotationExpiresAt, on an access-key Secret, is the time from which on the key is refused, in RFC 3339: 2027-01-31T00:00:00Z. A value that is no time refuses the key at once.
	AnnotationExpiresAt = "signalbox.dev/expires-at"
	// AnnotationRoutes, on an access-key Secret, lists the ModelRoutes that the key may use, separated by commas; "" or none leaves it to their access. It narrows what access gives, and never widens it.
	AnnotationRoutes = "signalbox.dev/routes"
	// AnnotationInjectNamespace, on a pod with LabelInject, is the namespace whose proxy the pod calls. The default is its own.
	AnnotationInjectNamespace = "signalbox.dev/proxy-namespace"

	// LabelManagedBy is the standard label that marks objects made by the manager; its value is ManagedByValue.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelComponent is the standard label that tells the parts of a proxy from the ledgers.
	LabelComponent = "app.kubernetes.io/component"
	// LabelBudget names the SpendBudget that a ledger object belongs to.
	LabelBudget = "signalbox.dev/budget"

	// ManagedByValue is the value of LabelManagedBy on everything that the manager owns in a namespace.
	ManagedByValue = "signalbox"
	// ComponentProxy is the value of LabelComponent on the parts of a namespace's proxy.
	ComponentProxy = "proxy"
	// ComponentLedger is the value of LabelComponent on a budget's ledger object.
	ComponentLedger = "ledger"

	// AccessKeySecretKey is the data key of an access-key Secret that holds the key itself.
	AccessKeySecretKey = "key"
	// ProxyName is the name of a namespace's proxy Deployment, Service and ServiceAccount.
	ProxyName = "signalbox"
)

// ProxyAudience is the audience of the ServiceAccount tokens that the proxy of a namespace takes.
func ProxyAudience(namespace string) string { return ProxyName + "." + namespace }

// Annotations of a Secret whose key is made at the provider. Together with its data they are all that is remembered of the keys that were made.
const (
	// AnnotationProvisionedFor is the UID of the ProviderCredential that the other annotations speak of.
	AnnotationProvisionedFor = "signalbox.dev/provisioned-for"
	// AnnotationProvisionedID is the provider's id of the key in the Secret.
	AnnotationProvisionedID = "signalbox.dev/provisioned-id"
	// AnnotationProvisionedAt is when that key was made, in RFC 3339.
	AnnotationProvisionedAt = "signalbox.dev/provisioned-at"
	// AnnotationProvisionedFingerprint is the fingerprint of that key, as in the status of the ProviderCredential.
	AnnotationProvisionedFingerprint = "signalbox.dev/provisioned-fingerprint"
	// AnnotationRetiringID is the provider's id of the key before it; absent if that was not made by Signalbox.
	AnnotationRetiringID = "signalbox.dev/retiring-id"
	// AnnotationRetiringAt is when the key before it was made.
	AnnotationRetiringAt = "signalbox.dev/retiring-at"
	// AnnotationRetiringFingerprint is the fingerprint of the key before it.
	AnnotationRetiringFingerprint = "signalbox.dev/retiring-fingerprint"
	// AnnotationRetiringAfter is when the key before it may be deleted at the provider at the earliest.
	AnnotationRetiringAfter = "signalbox.dev/retiring-after"
	// AnnotationProvisionIntent is the name of a key that may just be made, and since when: "NAME TIME".
	AnnotationProvisionIntent = "signalbox.dev/provision-intent"
	// AnnotationProvisionRetry is how many keys in a row the provider refused after they were made, and when the next one may be made: "COUNT TIME".
	AnnotationProvisionRetry = "signalbox.dev/provision-retry"

	// FinalizerProvisionedKeys holds a ProviderCredential until the keys that were made for it are deleted at the provider.
	FinalizerProvisionedKeys = "signalbox.dev/provisioned-keys"
	// PreviousKeySuffix is added to the data key of a Secret for the value before, which is kept until it is no longer needed.
	PreviousKeySuffix = ".previous"
)
