// Package provider describes what sets one vendor of OpenAI's API apart from another: where its API is, how a key is
// sent, how usage is reported and how a key can be tried for free. A vendor is a plain value, made in a package of its
// own below this one and listed in the registry.
package provider
