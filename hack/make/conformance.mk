##@ Conformance
CONFORMANCE := $(BIN)/conformance
CONFORMANCE_SOURCES := $(ROOT)/hack/conformance
CLIENT_SOURCES := $(CONFORMANCE_SOURCES)/clients
PYTHON ?= python3
NPM ?= npm
# More flags, for example CONFORMANCE_FLAGS="-client openai -upstream 'anthropic|gemini' -checks tools"; `bin/conformance/conformance run -h` lists them.
CONFORMANCE_FLAGS ?=
PYTHON_STAMPS := $(foreach e,sdk frameworks,$(CONFORMANCE)/python-$(e)/installed)
CONFORMANCE_PROGRAMS := $(CONFORMANCE)/conformance $(CONFORMANCE)/openaigo

# Libraries come from the lock files and from nowhere else: every file of a package has to have the hash that stands there. Scripts of npm packages do not run.
$(CONFORMANCE)/python-%/installed: $(CLIENT_SOURCES)/python/%.txt
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r $<
	touch $@

$(CONFORMANCE)/node/installed: $(CLIENT_SOURCES)/node/package.json $(CLIENT_SOURCES)/node/package-lock.json
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $^ $(@D)/
	cd $(@D) && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

# Node.js looks for packages beside the program.
.PHONY: conformance-node
conformance-node: $(CONFORMANCE)/node/installed
	cp $(CLIENT_SOURCES)/node/*.mjs $(CONFORMANCE)/node/

$(CONFORMANCE_PROGRAMS) &: $(shell find $(ROOT)/hack/conformance -name '*.go' -not -name '*_test.go' -not -path '*/fakes-go/*') $(ROOT)/hack/conformance/go.mod
	cd $(CONFORMANCE_SOURCES) && CGO_ENABLED=0 $(GO) build -ldflags '-s -w' -o $(CONFORMANCE)/conformance .
	cd $(CONFORMANCE_SOURCES) && CGO_ENABLED=0 $(GO) build -ldflags '-s -w' -o $(CONFORMANCE)/openaigo ./clients/go/openaigo

.PHONY: conformance-clients
conformance-clients: $(PYTHON_STAMPS) conformance-node $(CONFORMANCE_PROGRAMS) $(BIN)/fakeprovider
	$(CONFORMANCE)/python-sdk/bin/python -m unittest discover --start-directory $(CLIENT_SOURCES)/python --pattern '*_test.py'

.PHONY: conformance
conformance: build conformance-clients conformance-model ## Run real client libraries, a Postman collection and a real model through the proxy; writes bin/conformance.json.
	$(CONFORMANCE)/conformance run -bin $(BIN) -sources $(CLIENT_SOURCES) -collection $(ROOT)/docs/postman/signalbox.json -out $(BIN)/conformance.json $(CONFORMANCE_FLAGS)

.PHONY: conformance-fakes
conformance-fakes: conformance-clients ## Run the vendors' own libraries against the fake providers, which have to be faithful.
	$(CONFORMANCE)/conformance run -fakes -bin $(BIN) -sources $(CLIENT_SOURCES) -out $(BIN)/conformance-fakes.json $(CONFORMANCE_FLAGS)
	cd $(CONFORMANCE_SOURCES)/fakes-go && $(GO) test ./...

.PHONY: conformance-model
conformance-model: build $(CONFORMANCE)/python-sdk/installed $(CONFORMANCE)/python-model/installed $(CONFORMANCE_PROGRAMS) ## Call a real model, llama.cpp with a small one, through the proxy, and compare its token counts with the budgets'.
	$(CONFORMANCE)/conformance model -bin $(BIN) -sources $(CLIENT_SOURCES) -out $(BIN)/conformance-model.json

.PHONY: conformance-lock
conformance-lock: ## Write the lock files of the client libraries anew, with the newest versions that fit.
	$(CONFORMANCE_SOURCES)/lock.sh $(CONFORMANCE)/lock

.PHONY: collection
collection: ## Write the Postman collection and the curl examples anew.
	cd $(CONFORMANCE_SOURCES) && $(GO) run . collection -docs $(ROOT)/docs
