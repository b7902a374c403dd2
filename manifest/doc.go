// Package manifest reads Signalbox's objects from YAML and JSON files, without a cluster.
//
// It refuses what the API server would refuse, in the same words, for it runs the same code on the same CustomResourceDefinitions: unknown fields,
// schemas, defaults and CEL rules. It knows the file and line of every object and every field.
package manifest
