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

// TokenPrices are what a provider charges for a model, an override of the catalogue of prices, which it replaces whole. A call that uses something whose price
// is not known is "unpriced" and never counted as free.
type TokenPrices struct {
	// input is the price of prompt tokens, in USD per million tokens.
	// +required
	Input USDPerMillionTokens `json:"input,omitempty"`

	// cachedInput is the price of prompt tokens that the provider read from its prompt cache, in USD per million tokens. When it is left out they cost as much as input.
	// +optional
	CachedInput USDPerMillionTokens `json:"cachedInput,omitempty"`

	// output is the price of completion tokens, in USD per million tokens. When it is left out completions cost nothing, as with embeddings.
	// +optional
	Output USDPerMillionTokens `json:"output,omitempty"`

	UnitPrices `json:",inline"`

	// tiers replace the prices of the whole call from a length of the prompt on, at most 8.
	// +optional
	// +listType=map
	// +listMapKey=above
	// +kubebuilder:validation:MaxItems=8
	Tiers []PriceTier `json:"tiers,omitempty"`

	// services replace the prices of calls that the provider serves in another class than its usual one, at most 8.
	// +optional
	// +listType=map
	// +listMapKey=service
	// +kubebuilder:validation:MaxItems=8
	Services []ServicePrices `json:"services,omitempty"`
}

// UnitPrices are the prices of units that not every model has. All are optional.
type UnitPrices struct {
	// cacheWrite is the price of prompt tokens that are written into the provider's prompt cache for minutes, in USD per million tokens. When it is left out they cost as much as input.
	// +optional
	CacheWrite USDPerMillionTokens `json:"cacheWrite,omitempty"`

	// cacheWrite1h is the price of those that are kept for an hour or longer, in USD per million tokens. When it is left out they cost as much as cacheWrite.
	// +optional
	CacheWrite1h USDPerMillionTokens `json:"cacheWrite1h,omitempty"`

	// inputAudio is the price of prompt tokens that are sound, in USD per million tokens. When it is left out they cost as much as input.
	// +optional
	InputAudio USDPerMillionTokens `json:"inputAudio,omitempty"`

	// cachedInputAudio is the price of those that the provider read from its prompt cache, in USD per million tokens. When it is left out they cost as much as inputAudio.
	// +optional
	CachedInputAudio USDPerMillionTokens `json:"cachedInputAudio,omitempty"`

	// inputImage is the price of prompt tokens that are images, in USD per million tokens. When it is left out they cost as much as input.
	// +optional
	InputImage USDPerMillionTokens `json:"inputImage,omitempty"`

	// reasoning is the price of completion tokens that are reasoning, in USD per million tokens. When it is left out they cost as much as output.
	// +optional
	Reasoning USDPerMillionTokens `json:"reasoning,omitempty"`

	// outputAudio is the price of completion tokens that are sound, in USD per million tokens. When it is left out they cost as much as output.
	// +optional
	OutputAudio USDPerMillionTokens `json:"outputAudio,omitempty"`

	// outputImage is the price of completion tokens that are images, in USD per million tokens. When it is left out they cost as much as output.
	// +optional
	OutputImage USDPerMillionTokens `json:"outputImage,omitempty"`

	// request is the price of each call, in USD. When it is left out a call as such costs nothing.
	// +optional
	Request USDAmount `json:"request,omitempty"`

	// image is the price of one image that is made, in USD, with providers that charge images by the piece.
	// +optional
	Image USDAmount `json:"image,omitempty"`

	// audioMinute is the price of one minute of sound that is heard, in USD, with providers that charge sound by its length.
	// +optional
	AudioMinute USDAmount `json:"audioMinute,omitempty"`

	// minAudioSeconds is the least time that is charged for sound that is heard, 0 to 3600 seconds. When it is left out there is none.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	MinAudioSeconds *int32 `json:"minAudioSeconds,omitempty"`

	// speechMinute is the price of one minute of sound that is made, in USD, with providers that charge speech by its length.
	// +optional
	SpeechMinute USDAmount `json:"speechMinute,omitempty"`

	// characters is the price of one million characters that are spoken, in USD.
	// +optional
	Characters USDAmount `json:"characters,omitempty"`

	// searches is the price of one thousand web searches that the provider makes, in USD.
	// +optional
	Searches USDAmount `json:"searches,omitempty"`

	// searchUnits is the price of one thousand search units of reranking, in USD.
	// +optional
	SearchUnits USDAmount `json:"searchUnits,omitempty"`
}

// ChangedPrices are prices that stand in place of others. What is left out costs what it costs otherwise.
type ChangedPrices struct {
	// input is the price of prompt tokens, in USD per million tokens.
	// +optional
	Input USDPerMillionTokens `json:"input,omitempty"`

	// cachedInput is the price of prompt tokens that the provider read from its prompt cache, in USD per million tokens.
	// +optional
	CachedInput USDPerMillionTokens `json:"cachedInput,omitempty"`

	// output is the price of completion tokens, in USD per million tokens.
	// +optional
	Output USDPerMillionTokens `json:"output,omitempty"`

	UnitPrices `json:",inline"`
}

// PriceTier are the prices of calls with long prompts.
type PriceTier struct {
	// above is the number of prompt tokens, cached ones included, that a call must exceed for these prices, 1 to 100000000.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	Above int64 `json:"above,omitempty"`

	ChangedPrices `json:",inline"`
}

// ServicePrices are the prices of a class of service.
type ServicePrices struct {
	// service is the class as the provider names it in its answers, in lower case, such as flex, priority and batch.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`
	Service string `json:"service,omitempty"`

	ChangedPrices `json:",inline"`

	// tiers replace the prices of the whole call from a length of the prompt on, at most 8. When they are left out the usual tiers do not hold in this class.
	// +optional
	// +listType=map
	// +listMapKey=above
	// +kubebuilder:validation:MaxItems=8
	Tiers []PriceTier `json:"tiers,omitempty"`
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
