// Package v1alpha1 holds the Signalbox kinds: ModelRoute, ProviderCredential and SpendBudget.
//
// It holds types, constants, defaults and small accessors, and imports nothing else of this module.
//
// +kubebuilder:object:generate=true
// +groupName=signalbox.dev
package v1alpha1
