#!/usr/bin/env bash
# Starts a cluster, loads the images, runs the end-to-end suite inside the cluster's network, and leaves nothing behind: e2e.sh NAME [FLAGS...]
set -euo pipefail
cd "$(dirname "$0")/.."
export E2E_CLUSTER=$1 KUBECONFIG=$PWD/bin/kubeconfig-$1
shift
at=(--name "$E2E_CLUSTER" --kubeconfig "$KUBECONFIG")
# kubectl remembers what a server can do by its address; another cluster may have had it.
KUBECACHEDIR=$(mktemp -d)
export KUBECACHEDIR
trap 'bin/cluster down "${at[@]}"; rm -rf "$KUBECACHEDIR"' EXIT
bin/cluster down "${at[@]}"
bin/cluster up "${at[@]}"
bin/cluster load "${at[@]}" bin/images/signalbox.tar bin/images/fakeprovider.tar bin/images/testapp.tar
suite=$PWD/bin/e2e.test cluster=$PWD/bin/cluster
# The long versions take about twice as long as the short ones.
limit=60m
if [[ ${E2E_FULL:-} == 1 ]]; then limit=120m; fi
(cd hack/e2e && "$cluster" exec "${at[@]}" -- "$suite" -test.timeout "$limit" -ginkgo.timeout "$limit" -test.v "$@")
