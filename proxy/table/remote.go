package table

import "strings"

// proxyPrefix begins the names of credentials that stand for other namespaces' proxies. No object's name has a colon.
const proxyPrefix = "route:"

// ProxyCredential is the name of the credential that stands for a namespace's proxy.
func ProxyCredential(namespace string) string { return proxyPrefix + namespace }

// CalledNamespace is the namespace whose proxy a credential stands for; false for a provider's account.
func CalledNamespace(credential string) (string, bool) {
	return strings.CutPrefix(credential, proxyPrefix)
}
