#!/usr/bin/env bash
# Copies what controller-gen made from the Go types into the chart, and renders the chart into the kustomize base, so that both install the same objects.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf charts/signalbox/files/crd
mkdir -p charts/signalbox/files/crd
cp config/crd/signalbox.dev_*.yaml charts/signalbox/files/crd/
mkdir -p charts/signalbox/files/rbac
# controller-gen writes the ClusterRole, the Role in namespace default and the Role beside the manager, in this order.
awk -v RS='---\n' 'NR > 1 { print > ("charts/signalbox/files/rbac/" (NR == 2 ? "cluster" : NR == 3 ? "apiserver" : "leader") ".yaml") }' ORS='' config/rbac/role.yaml
# base writes what the chart renders with the given flags.
base() {
  echo "# Rendered from charts/signalbox by make generate; change the chart or kustomize this file."
  bin/helm template signalbox charts/signalbox --namespace signalbox-system --set crds.install=false "$@" |
    sed -e '/helm.sh\/chart/d' -e 's|app.kubernetes.io/managed-by: Helm|app.kubernetes.io/managed-by: kustomize|'
}
base > config/manager/manager.yaml
base --set webhook.enabled=true --show-only templates/webhook.yaml > config/webhook/webhook.yaml
