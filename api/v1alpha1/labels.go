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
