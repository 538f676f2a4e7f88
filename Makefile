# `make demo` and `make check` set up what they need, build it and run it. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo check build bench compare format lint docs fuzz venv clean

RELEASE := build/release
FUZZ_SECONDS ?= 600
PEERS ?= torch
# Ccache keeps files that read precompiled headers only when told that their macros and times may be trusted.
ccache := env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache
launcher = $(if $(shell command -v ccache),'-DCMAKE_C_COMPILER_LAUNCHER=$(ccache)' '-DCMAKE_CXX_COMPILER_LAUNCHER=$(ccache)')
# Ninja's one moving line on a terminal, only failures elsewhere.
ninja = ninja $(if $(MAKE_TERMOUT),,--quiet)

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

setup:  ## install the Debian packages that are missing
	@scripts/setup.sh

# Configuring shows its output only when it fails.
build/%/build.ninja: CMakePresets.json | setup
	@mkdir -p build/$* && echo "configure: build/$*"
	@cmake --preset $* $(launcher) >build/$*/configure.log 2>&1 || { tail -n 30 build/$*/configure.log >&2; rm -f $@; exit 1; }
	@touch $@

demo: setup $(RELEASE)/build.ninja  ## compile a graph, run it by splats and exactly over real Q, K, V
	@echo "build: hsa-compile hsa-run hsa-inspect"
	@$(ninja) -C $(RELEASE) hsa-compile hsa-run hsa-inspect
	@scripts/demo.sh $(RELEASE)/bin

build: setup $(RELEASE)/build.ninja  ## build everything, release
	@echo "build: everything, release"
	@$(ninja) -C $(RELEASE)

check: build  ## build everything and run every test
	@ctest --test-dir $(RELEASE) --parallel 2 --output-on-failure --output-log $(RELEASE)/ctest.log

bench: build  ## run the benchmarks (BENCH=regex picks)
	@$(RELEASE)/bin/hsa-bench --benchmark_filter='$(or $(BENCH),.)'

compare: build venv  ## exact kernels beside PyTorch's attention, scheme routed beside its formula in PyTorch (installs PyTorch in .venv; PEERS='torch unfused openvino onnxruntime')
	@.venv/bin/pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@.venv/bin/python tests/bench/compare_sdpa.py --bench $(RELEASE)/bin/hsa-bench --peers $(PEERS) --json $(RELEASE)/compare_sdpa.json
	@.venv/bin/python tests/bench/compare_sdpa.py --bench $(RELEASE)/bin/hsa-bench --peers $(PEERS) --dtype bf16 --json $(RELEASE)/compare_sdpa_bf16.json
	@.venv/bin/python tests/bench/compare_routed.py --bench $(RELEASE)/bin/hsa-bench

fuzz: setup build/fuzz/build.ninja  ## fuzz the readers of files (FUZZ_SECONDS each, 600 unless told)
	@$(ninja) -C build/fuzz tests/fuzz/all
	@tests/fuzz/run_fuzzers.sh $(FUZZ_SECONDS)

format: setup  ## reformat the C++ sources in place
	@scripts/format.sh

lint: build  ## check the format, then run clang-tidy
	@scripts/format.sh --check
	@scripts/tidy.sh $(RELEASE)

docs: setup $(RELEASE)/build.ninja  ## write the reference of ops and passes again, check the links of every page
	@$(ninja) -C $(RELEASE) hsa-docs
	@scripts/check_links.sh

venv: setup  ## the private Python environment .venv, for tools/*.py
	@[ -x .venv/bin/pip ] || python3 -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r tools/requirements.txt

clean:  ## remove build/
	@rm -rf build
