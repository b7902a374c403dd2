package v1alpha1

// LocalReference names an object of a known kind in the same namespace.
type LocalReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// SecretKeyReference names one key of a Secret in the same namespace.
type SecretKeyReference struct {
	// name of the Secret. It must carry the label signalbox.dev/provider-key: "true".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key inside the Secret's data.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key,omitempty"`
}

// ServiceAccountReference names a ServiceAccount of any namespace.
type ServiceAccountReference struct {
	// namespace of the ServiceAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name of the ServiceAccount.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// USDPerMillionTokens is a price: an exact decimal in US dollars for one million tokens, "0.59". At most nine digits before the point and nine after it.
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=19
// +kubebuilder:validation:Pattern=`^[0-9]{1,9}(\.[0-9]{1,9})?$`
type USDPerMillionTokens string

// TokenPrices are what a provider charges for a model. A call whose prices are not known is "unpriced" and never counted as free.
type TokenPrices struct {
	// input is the price of prompt tokens, in USD per million tokens.
	// +required
	Input USDPerMillionTokens `json:"input,omitempty"`

	// cachedInput is the price of prompt tokens that the provider read from its prompt cache, in USD per million tokens. When it is left out they cost as much as input.
	// +optional
	CachedInput USDPerMillionTokens `json:"cachedInput,omitempty"`

	// output is the price of completion tokens, reasoning included, in USD per million tokens. When it is left out completions cost nothing, as with embeddings.
	// +optional
	Output USDPerMillionTokens `json:"output,omitempty"`
}

// ModelPrice is the price list entry of one upstream model.
type ModelPrice struct {
	// model is the upstream model id, exactly as the provider names it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Model string `json:"model,omitempty"`

	TokenPrices `json:",inline"`
}
