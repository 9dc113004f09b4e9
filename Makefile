# SPDX-License-Identifier: GPL-2.0
#
# `make` builds against a kernel tree; everything else runs in the lab, which sets itself up (README.md).

KDIR ?= /lib/modules/$(shell uname -r)/build

# A tree remembers the compiler that it was prepared with; the module must have the same.
kdir-cc = $(shell sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ "]*\).*/\1/p' $(KDIR)/.config 2>/dev/null)
cc-option = $(if $(LLVM)$(filter command% environment,$(origin CC)),,CC=$(kdir-cc))
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) $(cc-option)

# No shell outlives this make, and the logs have the name of the target.
lab = exec env LAB_NAME=$@ $(lab-env) tools/lab/lab.sh

# Kbuild cannot tell what was built for another kernel from what is up to date.
release = $(KDIR)/include/config/kernel.release
clean-other-release = cmp -s .tmp_release $(release) || \
	{ $(kbuild) clean >/dev/null && cp $(release) .tmp_release; }

.PHONY: modules modules_install clean
modules modules_install:
	@tools/lab/kdir.sh "$(KDIR)" $(patsubst CC=%,%,$(cc-option))
	+@$(if $(filter modules,$@),$(clean-other-release))
	+@$(kbuild) $@

# Works without a kernel tree: what git ignores, less the logs.
clean:
	git clean -fdXq -- . ':(exclude)build'

.PHONY: setup module demo check check-all check-device fuzz mutants faults healing kselftest parity bench profile deb vm clippy doc fmt-check
# What the tests need on top of the lab's root.
layers = tools/device tools/xdp-tools tools/dpdk tools/deb tools/machine

setup: lab-env = LAB_LAYER="$(layers)"
setup:
	@$(lab)

# Variables of Kbuild that are given on the command line go to the build in the lab.
module:
	@$(lab) python3 -m lab.build $(filter V=% W=% CLIPPY=% DOC=% FAULTS=% INLINE_HELPERS=%,$(MAKEOVERRIDES))

demo:
	@$(lab) python3 -m lab.demo

check: lab-env = LAB_LAYER="$(layers)"
check:
	@$(lab) python3 tools/testing/jobs.py 'test_*.py'

# All combinations, and the rounds that only time can pay for. The driver is built for the oldest kernel, too, in the lab of that one;
# once the suite has it no more, that test is skipped.
check-all: lab-env = VARIANTS=all LAB_LAYER="$(layers)"
check-all:
	-@LAB_NAME=$@ KERNEL_SERIES=7.2 tools/lab/lab.sh
	@$(lab) python3 tools/testing/jobs.py 'test_*.py'

# Those with a device of our own. On the debug kernel all variants of each test would take too long.
check-device: lab-env = KERNEL=$(or $(KERNEL),debug) VARIANTS=$(or $(VARIANTS),$(if $(filter stock,$(KERNEL)),all,some)) LAB_LAYER=tools/device
check-device:
	@$(lab) python3 tools/testing/jobs.py 'test_device_*.py' test_commands.py test_quiet_commands.py test_second_driver.py test_misuse.py

fuzz: lab-env = LAB_LAYER=tools/device
fuzz:
	@$(lab) python3 tools/testing/fuzz.py "$(SECONDS)" "$(SEED)"

mutants: lab-env = LAB_LAYER=tools/device
mutants:
	@$(lab) python3 -m mutants

# The repository's history is not in the lab.
faults: lab-env = LAB_LAYER=tools/device
faults:
	@$(lab) python3 -m faults "$$(git describe --always --dirty --abbrev=12)"

healing: lab-env = LAB_LAYER=tools/device
healing:
	@$(lab) python3 tools/testing/healed.py "$$(git describe --always --dirty --abbrev=12)"

kselftest: lab-env = LAB_LAYER=tools/kselftest
kselftest:
	@$(lab) python3 -m kselftest "$$(git describe --always --dirty --abbrev=12)"

parity: lab-env = LAB_LAYER=tools/device
parity:
	@$(lab) python3 -m parity "$$(git describe --always --dirty --abbrev=12)"

deb: lab-env = LAB_LAYER=tools/deb
deb:
	@$(lab) python3 -m deb

bench:
	@$(lab) python3 -m bench "$$(git describe --always --dirty --abbrev=12)"

profile:
	@$(lab) python3 -m bench.profile "$$(git describe --always --dirty --abbrev=12)"

vm:
	@$(lab) python3 -m lab.vm

clippy: lab-env = LAB_LAYER=tools/device
clippy doc:
	@$(lab) python3 -m lab.checks $@

fmt-check:
	@$(lab) python3 -m lab.checks fmt

.PHONY: help
help:
	@sed -n '/^## Commands/,/^## The/s/^    //p' README.md
