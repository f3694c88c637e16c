# The front door. What is missing on a Debian machine is installed by tools/bootstrap; nothing is if all is there.
PREFIX ?= /usr/local
CMAKE_BUILD := cmake --build
export CLICOLOR_FORCE ?=

.PHONY: all demo test bench check install clean format
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
	@$(CMAKE_BUILD) build --target micro
	@bench/run.py

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
