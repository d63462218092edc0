# Everything that sets up, builds, runs and checks this project. `make help` lists the targets.
#
# Every target that compiles gets LIBTORCH from scripts/libtorch.sh: the environment's, else that of
# a PyTorch 2.11 of python3, else one fetched into the user's cache folder. Nothing is written
# outside that folder and cargo's target folder.

CARGO ?= cargo
PYTHON ?= python3

# Stops when there is no libtorch: an assignment keeps the exit status of its command.
WITH_LIBTORCH = LIBTORCH="$$(scripts/libtorch.sh)" && export LIBTORCH &&
# One profile for clippy, tests and documentation, so that tch is compiled once for the three.
CARGO_FLAGS = --workspace --locked

# make reproduce BASELINES="a.toml b.toml" ARGS="--epochs 1"
BASELINES ?=
ARGS ?=
# make bench RESILIENCE_DATA=DIR AUTOATTACK=CLONE ROUNDS=3 ARGS="--only passes --only suites"
# AUTOATTACK is a checkout of fra31/auto-attack; without it suites of attacks are left out. MODEL and
# WEIGHTS name the same ResNet-32 for FGSM, as a manifest for us and as a checkpoint for PyTorch;
# scripts/bench.sh looks for models by itself. More options: python3 benches/peers/run.py speed -h.
export MODEL WEIGHTS AUTOATTACK
ROUNDS ?= 5

# make fuzz SECONDS=60 TARGET="onnx pickle"; all targets without any named.
SECONDS ?= 60
TARGET ?=

.PHONY: help libtorch build reproduce test test-full fuzz test-cuda test-slurm lint doc bench clean

help:  ## print this list (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

libtorch:  ## find or fetch libtorch 2.11 and print its folder (the value for LIBTORCH)
	@scripts/libtorch.sh

build:  ## build target/release/resilience
	@$(WITH_LIBTORCH) $(CARGO) build --release --locked

reproduce:  ## train, attack, compare, report: RESILIENCE_DATA=DIR BASELINES="a.toml" ARGS="--epochs 1"
	@$(WITH_LIBTORCH) $(CARGO) build --release --locked && $(CARGO) run --release --locked --quiet \
		--bin resilience -- reproduce $(BASELINES:%=--baseline %) $(ARGS)

test: lint doc  ## check the format, lint, build the documentation, run the tests
	@$(WITH_LIBTORCH) $(CARGO) test $(CARGO_FLAGS)

test-full: lint doc  ## the same with the slow tests (whole data sets)
	@$(WITH_LIBTORCH) $(CARGO) test $(CARGO_FLAGS) -- --include-ignored

fuzz:  ## hand damaged files to every parser, a minute each: SECONDS=60 TARGET=onnx (needs cargo-fuzz)
	@scripts/fuzz.sh $(SECONDS) $(TARGET)

test-cuda:  ## hold networks on a CUDA device against the same on the processor (needs such a device)
	@$(WITH_LIBTORCH) $(CARGO) test --locked -p resilience --features cuda-tests --test cuda && \
		NVIDIA_TF32_OVERRIDE=0 $(CARGO) test --locked -p resilience --features cuda-tests --test cuda

test-slurm:  ## do an evaluation as a Slurm array, on a cluster of this machine (needs slurm-wlm)
	@$(WITH_LIBTORCH) CARGO="$(CARGO)" scripts/slurm-test.sh

lint:  ## check the format and the lints
	@$(CARGO) fmt --all --check
	@$(WITH_LIBTORCH) $(CARGO) clippy $(CARGO_FLAGS) --all-targets --all-features -- -D warnings

doc:  ## build the documentation, warnings denied
	@$(WITH_LIBTORCH) RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(CARGO_FLAGS) --lib --no-deps

bench: build  ## compare with the same work in PyTorch, both sides alternately: RESILIENCE_DATA=DIR
	@$(WITH_LIBTORCH) CARGO="$(CARGO)" scripts/bench.sh --rounds $(ROUNDS) $(ARGS)

clean:  ## remove what cargo built (the fetched libtorch stays in the cache folder)
	@$(CARGO) clean
