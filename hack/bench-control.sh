#!/usr/bin/env bash
# Measures the control plane on a real cluster made for it: the chart, the fake provider as a pod, and kubectl apply to first answer. It leaves nothing
# behind: bench-control.sh BENCH-FLAGS...
set -euo pipefail
cd "$(dirname "$0")/.."
name=signalbox-bench
export KUBECONFIG=$PWD/bin/kubeconfig-$name
at=(--name "$name" --kubeconfig "$KUBECONFIG")
KUBECACHEDIR=$(mktemp -d)
export KUBECACHEDIR
trap 'bin/cluster down "${at[@]}"; rm -rf "$KUBECACHEDIR"' EXIT
bin/cluster down "${at[@]}"
bin/cluster up "${at[@]}"
bin/cluster load "${at[@]}" bin/images/signalbox.tar bin/images/fakeprovider.tar
bin/helm upgrade --install signalbox charts/signalbox --namespace signalbox-system --create-namespace --wait --timeout 120s \
  --set image.repository=signalbox.local/signalbox --set image.tag=e2e >/dev/null
bin/kubectl apply -f - <<'YAML'
apiVersion: v1
kind: Namespace
metadata: {name: fakeprovider}
---
apiVersion: v1
kind: Service
metadata: {name: fakeprovider, namespace: fakeprovider}
spec:
  selector: {app: fakeprovider}
  ports: [{port: 9900}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fakeprovider, namespace: fakeprovider}
spec:
  selector: {matchLabels: {app: fakeprovider}}
  template:
    metadata: {labels: {app: fakeprovider}}
    spec:
      containers:
      - name: fakeprovider
        image: signalbox.local/fakeprovider:e2e
        imagePullPolicy: Never
        args: [--addr, ":9900", --control-addr, ":9901"]
        readinessProbe: {httpGet: {path: /healthz, port: 9901}, periodSeconds: 1}
YAML
bin/kubectl wait -n fakeprovider deployment/fakeprovider --for=condition=Available --timeout=60s
bin/bench control --kubectl bin/kubectl --kubeconfig "$KUBECONFIG" --endpoint http://fakeprovider.fakeprovider.svc:9900/v1 --out bin/bench-control.json "$@"
