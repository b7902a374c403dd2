package v1alpha1

// Labels and annotations that users set or that the manager sets on what it owns.
const (
	// LabelProviderKey marks a Secret that holds a provider's API key. Only Secrets that carry it (value "true") are read.
	LabelProviderKey = "signalbox.dev/provider-key"
	// LabelAccessKey marks a Secret that holds an access key of a caller (value "true").
	LabelAccessKey = "signalbox.dev/access-key"
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
