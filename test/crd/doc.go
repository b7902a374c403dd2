// Package crd holds the cases that show what the API server itself refuses: one YAML file a case under testdata, its expected message in the first line.
package crd
