# `make help` says what there is. CARGO_TARGET_DIR and everything else that cargo knows is honoured.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run build test deny demo docs

# A fresh Rust is often only in the first, PgBouncer in the second.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin:/usr/sbin

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and serve on port 8080 (or PORT); needs nothing else installed or running
	@exec cargo run --release --locked --quiet -- serve

build: ## Build the release binary
	@scripts/build-setup
	cargo build --release --locked

test: ## Format, lint, and test on SQLite and on a real Postgres
	@scripts/build-setup rustfmt clippy
	@set -e; \
	setup="$$(scripts/test-setup start)"; eval "$$setup"; \
	trap 'scripts/test-setup stop' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	set -x; \
	cargo fmt --check; \
	cargo clippy --locked --all-targets -- -D warnings; \
	cargo test --locked

deny: ## Check licences, bans and sources of the dependencies
	@command -v cargo-deny >/dev/null || { scripts/build-setup && cargo install --locked cargo-deny; }
	cargo deny check bans licenses sources

demo: ## Play the README's session against a running server; pictures land in ./demo/
	@scripts/demo

docs: build ## Make the pictures of docs/TRANSFORMS.md again
	@scripts/docs
