// Package standalone makes routing tables from manifests on one machine, without a cluster, and again whenever the files change.
package standalone
