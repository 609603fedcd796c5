# `make help` says what there is. CARGO_TARGET_DIR and everything else that cargo knows is honoured.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run build test test-faults soak bench-beside bench-delivery bench-engine bench-jobs deny demo docs

# A fresh Rust is often only in the first, PgBouncer and RabbitMQ in the second.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:/usr/sbin

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and serve on port 8080 (or PORT); needs nothing else installed or running
	@exec cargo run --release --locked --quiet -- serve

build: ## Build the release binary
	@scripts/build-setup
	cargo build --release --locked

test: ## Format, lint, and test on SQLite and on a real Postgres, Redis and RabbitMQ
	@scripts/build-setup rustfmt clippy
	@set -e; \
	setup="$$(scripts/test-setup start)"; eval "$$setup"; \
	trap 'scripts/test-setup stop' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	set -x; \
	cargo fmt --all --check; \
	cargo clippy --locked --all-targets -- -D warnings; \
	cargo test --locked

N ?= 1
test-faults: ## Kill and cut off everything at full length, N=1 times in a row
	@scripts/build-setup
	@scripts/test-setup programs
	FAULT_LONG=1 FAULT_ROUNDS=$(N) cargo test --locked --test faults -- $(ONLY)

SOAK ?= 10000
soak: ## Upload and delete SOAK=10000 pictures: nothing may be left on the disk or in memory
	@scripts/build-setup
	SOAK=$(SOAK) cargo test --locked --release --test memory -- --nocapture uploads_and_deletions

bench-engine: ## Measure the engine beside sharp and oximg; FLAGS='--help' says how
	@scripts/build-setup
	@set -e; \
	place="$$(scripts/bench-setup)"; export BENCH_ENGINE="$$place"; \
	cargo bench --locked --bench engine -- $(FLAGS)

bench-beside: ## Measure small pictures beside large ones in the pool that paints them
	@scripts/build-setup
	@set -e; \
	place="$$(scripts/bench-setup)"; export BENCH_ENGINE="$$place"; \
	cargo bench --locked --bench beside -- $(FLAGS)

bench-delivery: ## Measure pictures by URL beside ipx, oximg, thumbor and nginx; FLAGS='--help' says how
	@scripts/build-setup
	@set -e; \
	place="$$(scripts/bench-setup delivery)"; export BENCH_ENGINE="$$place"; \
	cargo bench --locked --bench delivery -- $(FLAGS)

bench-jobs: ## Measure the queue over the Postgres and RabbitMQ of this machine; FLAGS='--help' says how
	@scripts/build-setup
	@set -e; \
	setup="$$(scripts/test-setup start)"; eval "$$setup"; \
	trap 'scripts/test-setup stop' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	cargo bench --locked --bench jobs -- $(FLAGS)

deny: ## Check licences, bans and sources of the dependencies
	@command -v cargo-deny >/dev/null || { scripts/build-setup && cargo install --locked cargo-deny; }
	cargo deny check bans licenses sources

demo: ## Play the README's session against a running server; pictures land in ./demo/
	@scripts/demo

docs: build ## Make the pictures of docs/TRANSFORMS.md again
	@scripts/docs
