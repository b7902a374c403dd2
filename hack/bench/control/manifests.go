package control

import "strings"

// base is what all routes of the run share.
const base = `apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: v1
kind: Secret
metadata: {name: bench-provider, namespace: NAMESPACE, labels: {signalbox.dev/provider-key: "true"}}
stringData: {api-key: sk-bench-upstream}
---
apiVersion: v1
kind: Secret
metadata: {name: bench-app, namespace: NAMESPACE, labels: {signalbox.dev/access-key: "true"}}
stringData: {key: KEY}
---
apiVersion: signalbox.dev/v1alpha1
kind: ProviderCredential
metadata: {name: bench, namespace: NAMESPACE}
spec:
  provider: OpenAICompatible
  endpoint: ENDPOINT
  auth:
    keys: [{name: main, secretKeyRef: {name: bench-provider, key: api-key}}]
---
`

// route is one ModelRoute.
const route = `apiVersion: signalbox.dev/v1alpha1
kind: ModelRoute
metadata: {name: ROUTE, namespace: NAMESPACE}
spec:
  models: [MODEL]
  targets:
  - name: bench
    credentialRef: {name: bench}
    model: gpt-4o-mini
    prices: {input: "0.15", output: "0.60"}
---
`

func baseManifests(namespace, key, endpoint string) string {
	return strings.NewReplacer("NAMESPACE", namespace, "KEY", key, "ENDPOINT", endpoint).Replace(base)
}

func routeManifest(namespace, name, model string) string {
	return strings.NewReplacer("NAMESPACE", namespace, "ROUTE", name, "MODEL", model).Replace(route)
}
