// Package crd holds the generated CustomResourceDefinitions, so that programs can validate objects as the API server does.
package crd

import "embed"

// Files returns the CustomResourceDefinitions as YAML files, one a kind.
func Files() embed.FS { return files }

//go:embed signalbox.dev_*.yaml
var files embed.FS
