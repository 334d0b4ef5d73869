# SPDX-License-Identifier: Apache-2.0
# The commands people type. Everything runs in a Debian 13 environment that deploy/root.sh makes when it is missing.

ROOT := deploy/root.sh
START := $(shell date +%s)
# announce "step": the elapsed time and what happens next, with how long it takes on two cores. No commas: make would split the text there.
announce = @printf '\n==> [%4d s] %s\n' $$(($$(date +%s) - $(START))) $(1)

DEMO_JOB ?= examples/fashion-mnist.yaml
DEMO_OUT ?= demo-out
DEMO_DATA ?= demo-data
DEMO_ARGS ?=
TEST_ARGS ?=

# The demo's data: HANAS_DATA_DIR, what DEMO_ARGS name, else Fashion-MNIST as it is fetched. Where it cannot be, the demo asks for drawn
# pictures, and says so: hanas never draws a set of its own accord.
DEMO_RUN = hanas=build/release/bin/hanas; data=; \
  case "$${HANAS_DATA_DIR:+--data} $(DEMO_ARGS)" in \
    *--data*|*--drawn-data*) ;; \
    *) if $$hanas data fetch fashion-mnist --to $(DEMO_DATA)/fashion_mnist; then data="--data $(DEMO_DATA)"; else \
         echo "No Fashion-MNIST could be fetched: searching on drawn pictures (--drawn-data), which say nothing about real images."; \
         data=--drawn-data; fi ;; \
  esac; exec $$hanas run $(DEMO_JOB) --out $(DEMO_OUT) $$data $(DEMO_ARGS)

.DEFAULT_GOAL := help
.PHONY: help root demo test fault lint format asan bench study compose-check shell agent-only clean

help: ## Lists these commands
	@echo "HA-NAS. Times are for two cores; 'first' is a machine that has never built it."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "The build environment is: $$($(ROOT) where)"
	@echo "Data sets are read from HANAS_DATA_DIR when it is set."

root: ## Makes the Debian 13 build environment (first: 1 to 3 min, then nothing)
	$(call announce,"Build environment (first time 1 to 3 min; then nothing)")
	@$(ROOT) ensure

demo: root ## Builds the programs and runs a small search to a measured front (9 min where processors multiply bf16, else longer; the first time 10 min more)
	$(call announce,"Configure (seconds)")
	@$(ROOT) run cmake --preset release --log-level=WARNING
	$(call announce,"Build the programs (first time 7 min; then seconds)")
	@$(ROOT) run cmake --build --preset release
	$(call announce,"Search for 9 min where processors multiply bf16 (Ctrl-C stops it; the same command resumes)")
	@trap : INT; $(ROOT) run sh -c '$(DEMO_RUN)' || { status=$$?; \
	  [ $$status != 130 ] || echo "From outside of the build environment it goes on with: make demo"; exit $$status; }

test: root ## Builds everything and runs every test (first: 20 min; then 6 min)
	$(call announce,"Configure (seconds)")
	@$(ROOT) run cmake --preset dev --log-level=WARNING
	$(call announce,"Build everything (first time 13 min; then seconds)")
	@$(ROOT) run cmake --build --preset dev
	$(call announce,"Tests (6 min)")
	@$(ROOT) run ctest --preset dev $(TEST_ARGS)
	$(call announce,"All tests passed")

fault: root ## Kills and stops processes in the long form: 100 kills under load; each one in each phase (after a build: 15 min)
	$(call announce,"Configure (seconds)")
	@$(ROOT) run cmake --preset dev --log-level=WARNING
	$(call announce,"Build everything (first time 13 min; then seconds)")
	@$(ROOT) run cmake --build --preset dev
	$(call announce,"Fault tests (15 min)")
	@$(ROOT) run ctest --preset fault --verbose $(TEST_ARGS)

asan: root ## Unit and contract tests under AddressSanitizer and UBSan, without the worker (first: 15 min)
	$(call announce,"Configure (seconds)")
	@$(ROOT) run cmake --preset asan-ubsan --log-level=WARNING
	$(call announce,"Build with sanitizers (first time 12 min; then seconds)")
	@$(ROOT) run cmake --build --preset asan-ubsan
	$(call announce,"Tests (2 min)")
	@$(ROOT) run ctest --preset asan-ubsan $(TEST_ARGS)

lint: root ## Formatting, shellcheck, buf, cppcheck, clang's thread-safety analysis, clang-tidy (first: 30 min)
	$(call announce,"Formatting and shellcheck (5 s)")
	@$(ROOT) run deploy/lint.sh format
	$(call announce,"buf over the wire (5 s)")
	@deploy/lint.sh buf
	$(call announce,"cppcheck (first time 1 min; then what has changed)")
	@$(ROOT) run deploy/lint.sh cppcheck
	$(call announce,"Thread-safety analysis: configure and build with clang (first time 10 min; then seconds)")
	@$(ROOT) run cmake --preset clang-safety --log-level=WARNING
	@$(ROOT) run cmake --build --preset clang-safety
	$(call announce,"clang-tidy on core (3 min)")
	@$(ROOT) run deploy/lint.sh tidy build/clang-safety core
	$(call announce,"Complexity of functions (first time 14 min; then what has changed)")
	@$(ROOT) run cmake --preset dev --log-level=WARNING
	@$(ROOT) run cmake --build --preset dev --target generated
	@$(ROOT) run deploy/lint.sh complexity build/dev

format: root ## Applies clang-format to every tracked C++ and proto file (5 s)
	@$(ROOT) run deploy/lint.sh fix

bench: root ## Builds and runs benchmarks/ (first: 10 min)
	$(call announce,"Configure and build (first time 10 min; then seconds)")
	@$(ROOT) run cmake --preset release --log-level=WARNING
	@$(ROOT) run cmake --build --preset bench
	$(call announce,"Run (2 min)")
	@$(ROOT) run deploy/bench.sh build/release/benchmarks

study: root ## Trains the arms of studies/recipe.yaml that docs/studies/recipe.csv does not have (5 min of one core each; resumable)
	$(call announce,"Configure and build (first time 7 min; then seconds)")
	@$(ROOT) run cmake --preset release --log-level=WARNING
	@$(ROOT) run cmake --build --preset study
	$(call announce,"Train (Ctrl-C stops it; the same command goes on)")
	@$(ROOT) run env OMP_WAIT_POLICY=passive build/release/studies/recipe_study --commit "$$(git rev-parse --short HEAD)" $(STUDY_ARGS)

agent-only: root ## Builds and tests what a board needs, without LibTorch and RocksDB (first: 8 min)
	$(call announce,"Configure and build and test (first time 8 min)")
	@$(ROOT) run cmake --preset agent-only --log-level=WARNING
	@$(ROOT) run cmake --build --preset agent-only
	@$(ROOT) run ctest --preset agent-only

compose-check: ## Builds docker-compose.yml's images, runs a search through it, kills each part once (with a compiler cache: 6 to 15 min)
	@deploy/compose-check.sh

shell: root ## Opens a shell in the build environment
	@$(ROOT) shell

clean: ## Removes build/ (the build environment and the compiler cache stay)
	rm -rf build
