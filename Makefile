# Each target does its own set-up; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test python-test check bench cpu-table instructions doctor clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

demo: ## Train on the digits data with 16 clients: mask, sum, open, prove, verify; writes out/report.html
	@tools/demo.sh

test: ## Everything: Rust, WGSL on software Vulkan, C, Python, lints, docs, licences
	@tools/test.sh

python-test: ## The Python package only: build, stubs, behaviour
	@tools/python_build_and_test.sh

check: ## Formatting, lints, docs and licences only
	@tools/check.sh

bench: ## Criterion benches, with their peers in the same run
	cargo bench -p blindsum-benches

cpu-table: ## The CPU at every width beside its peers, as a table; ARGS="--max-log-size 18 --proofs 64" and the like
	cargo run --release -q -p blindsum-benches --bin cpu_table -- $(ARGS)

instructions: ## Count the instructions of each CPU operation against benches/instructions.txt
	@tools/instructions.sh

doctor: ## List adapters and what is missing; run every kernel against its twin
	cargo run --release -q -p blindsum-cli -- doctor

clean: ## Remove build products, the virtual environment and reports
	cargo clean
	rm -rf .venv out
