package kubernetes

const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	labelComponent = "app.kubernetes.io/component"
	labelBudget    = "signalbox.dev/budget"
	managedBy      = "signalbox"
	component      = "ledger"
)

// Labels returns the labels of the ConfigMap that is the ledger of a budget.
func Labels(budget string) map[string]string {
	return map[string]string{labelManagedBy: managedBy, labelComponent: component, labelBudget: budget}
}

// Owned tells whether a ConfigMap with these labels is a ledger. One that is not is never written, whatever its name.
func Owned(labels map[string]string) bool {
	return labels[labelManagedBy] == managedBy && labels[labelComponent] == component && labels[labelBudget] != ""
}

// Budget returns the name of the budget that a ConfigMap with these labels is the ledger of, or "" when it is none.
func Budget(labels map[string]string) string {
	if !Owned(labels) {
		return ""
	}
	return labels[labelBudget]
}
