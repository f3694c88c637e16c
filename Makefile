# The front door. What is missing on a Debian machine is installed by tools/bootstrap; nothing is if all is there.
PREFIX ?= /usr/local
CMAKE_BUILD := cmake --build
export CLICOLOR_FORCE ?=

.PHONY: all demo test bench results check install clean format
all:
	@tools/bootstrap build
	@cmake --preset release --log-level=WARNING
	@$(CMAKE_BUILD) build

# Real programs on hakmem: the proof, then time and peak memory beside libc.
demo:
	@tools/bootstrap build demo
	@$(MAKE) --no-print-directory all
	@tools/demo

# Every test, in every build of CMakePresets.json.
test:
	@tools/bootstrap build test
	@tools/test

bench:
	@tools/bootstrap build bench
	@$(MAKE) --no-print-directory all
	@$(CMAKE_BUILD) build --target micro variants
	@build/hakmem bench seed

# A full run, an hour and more: the records in bench/results, and what README and doc/BENCHMARKS.md say of them.
results:
	@tools/bootstrap build bench
	@$(MAKE) --no-print-directory all
	@$(CMAKE_BUILD) build --target micro variants
	@mkdir -p bench/results
	@for suite in seed larson threads growth apps aa slowed ablate; do \
	    passes=$$(case $$suite in seed | ablate) echo --instructions ;; esac); \
	    build/hakmem bench $$suite $$passes --record bench/results/$$suite.json >/dev/null || exit; \
	done
	@build/hakmem bench --hotspots seed --record bench/results/hotspots.json >/dev/null
	-@build/hakmem bench contention --record bench/results/contention.json >/dev/null
	@build/hakmem bench --publish

# Static checks.
check:
	@tools/bootstrap build check
	@tools/check

format:
	@tools/bootstrap check
	@tools/check --format

install: all
	@cmake --install build --prefix $(PREFIX)

clean:
	rm -rf build
