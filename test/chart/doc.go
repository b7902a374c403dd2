// Package chart holds the tests of the Helm chart and of the kustomize base: what they render, which values they refuse, and who may reach what.
package chart
