// Package manifests holds what the demo applies besides config/samples: the fake provider and the app, as pods.
package manifests

import (
	_ "embed"
	"strings"
)

//go:embed pods.yaml
var pods string

// ProviderSettings make the fake provider take the key of config/samples only, and talk slowly enough to watch.
const ProviderSettings = `{"keys":[{"value":"sk-demo-provider-key"}],"firstTokenDelay":"200ms","tokensPerSecond":12}`

// Images are what the pods run.
type Images struct {
	// Provider is the image of the fake provider, App that of the app.
	Provider, App string
	// PullPolicy of both.
	PullPolicy string
}

// Pods returns the manifests of the fake provider and of the app in the sample's namespace.
func Pods(images Images) string {
	return strings.NewReplacer(
		"PROVIDER_IMAGE", images.Provider, "PROVIDER_SETTINGS", ProviderSettings, "APP_IMAGE", images.App, "PULL_POLICY", images.PullPolicy,
	).Replace(pods)
}
