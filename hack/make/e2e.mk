##@ End to end
TEST_IMAGES := $(BIN)/images

.PHONY: ci-packages
ci-packages: ## Install the Debian packages that tests and benchmarks need, where they are missing (root).
	$(ROOT)/hack/packages.sh

.PHONY: test-images
test-images:
	$(MAKE) local-images IMAGES=$(TEST_IMAGES) IMAGES_TAG=e2e

# A cluster of its own, so that one from cluster-up or demo is left alone.
E2E_CLUSTER := signalbox-e2e
E2E_KUBECONFIG := $(BIN)/kubeconfig-$(E2E_CLUSTER)

.PHONY: e2e
e2e: kube-binaries $(BIN)/signalbox $(BIN)/coredns $(BIN)/pause $(BIN)/helm $(BIN)/cluster test-images ## Run the end-to-end suite on a real cluster on this machine (Linux, root).
	cd hack/e2e && CGO_ENABLED=0 $(GO) test -c -tags e2e -o $(BIN)/e2e.test .
	$(ROOT)/hack/e2e.sh $(E2E_CLUSTER) $(E2E_FLAGS)

.PHONY: e2e-full
e2e-full: ## Run the end-to-end suite with the long versions of its proofs.
	E2E_FULL=1 $(MAKE) e2e
