# Darkroom's verbs. GNU make 3.81 or newer.

# Where the packages are: a folder to make, or an environment that is there already.
override VENV := $(or $(strip $(VENV)),.venv)
# The converter to TFLite asks for other versions, and has an environment of its own.
override VENV_TFLITE := $(or $(strip $(VENV_TFLITE)),.venv-tflite)
export VENV_TFLITE
# Tried in this order; 3.11 or newer.
override PYTHON := $(or $(strip $(PYTHON)),python3.11 python3)

# Taken as they were typed, so that `$`, quotes and blanks arrive: they travel through the environment.
override IMAGES := $(value IMAGES)
override SET := $(value SET)
override APPLY := $(value APPLY)
override BUNDLE := $(value BUNDLE)
override PORT := $(value PORT)
override IMAGE := $(value IMAGE)
override BASE := $(value BASE)
override FOLDER := $(value FOLDER)
override REVIEWER := $(value REVIEWER)
override BUILD_BASE := $(value BUILD_BASE)
override VERSION := $(value VERSION)
override REASON := $(value REASON)
override DRY := $(value DRY)
override FORCE := $(value FORCE)
override ACCEPT_TEST_CHANGES := $(value ACCEPT_TEST_CHANGES)
export IMAGES SET APPLY BUNDLE PORT IMAGE BASE BUILD_BASE VERSION FOLDER REVIEWER REASON DRY FORCE ACCEPT_TEST_CHANGES

# A relative VENV stays relative as a target: make can't cope with a blank in one, and the way here may have some.
BIN := $(VENV)/bin
export PATH := $(if $(filter /%,$(VENV)),,$(CURDIR)/)$(BIN):$(PATH)

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_TFLITE := $(VENV_TFLITE)/.installed

# Each has the hash of the lock that is installed, and is made again where it has another: a clone or a checkout gives a lock a
# new time, and an environment may serve several clones.
hash = $(firstword $(shell sha256sum "$(1)" 2>/dev/null || shasum -a 256 "$(1)" 2>/dev/null))
stale = $(if $(filter-out $(call hash,$(2)),$(or $(shell cat "$(1)" 2>/dev/null),none)),$(1))
.PHONY: $(call stale,$(INSTALLED),requirements.txt) $(call stale,$(INSTALLED_DEV),requirements-dev.txt)
.PHONY: $(call stale,$(INSTALLED_TFLITE),requirements-tflite.txt)

# Whether this run wants TFLite: as SET says, or else params.yaml.
TFLITE := $(lastword $(shell sed -n 's/^  tflite: *\([a-z]*\).*/\1/p' params.yaml 2>/dev/null) $(patsubst export.tflite=%,%,$(filter export.tflite=%,$(SET))))
CONVERTER := $(if $(filter true,$(TFLITE)),$(INSTALLED_TFLITE))

.PHONY: help run serve image test test-slow fuzz flow schedule doctor retrain models rollback monitor accept-baseline label tune lint lock clean converter

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

run: $(INSTALLED) $(CONVERTER)  ## bring the line up to date; IMAGES=folder, archive, table or s3://…; PRESET=photographs; SET="train.epochs=3 …"
	@exec "$(BIN)/python" -m flows.run --images="$$IMAGES" --set="$$SET" --preset="$$PRESET"

serve: $(INSTALLED)  ## the champion over HTTP, or models/export before there is one; BUNDLE=folder PORT=8080
	@exec "$(BIN)/python" -m serving $${BUNDLE:+"$$BUNDLE"} $${PORT:+--port="$$PORT"}

image: $(INSTALLED)  ## a container image of the service with a bundle; BUNDLE=models/export IMAGE=darkroom
	@exec "$(BIN)/python" -m deploy.image "$${BUNDLE:-models/export}" --name="$$IMAGE" --base="$$BASE" --build-base="$$BUILD_BASE"

flow: $(INSTALLED) $(CONVERTER)  ## the same as a Prefect flow
	$(refuse_settings)
	@exec "$(BIN)/python" -m flows.pipeline

schedule: $(INSTALLED) $(CONVERTER)  ## retrain on the schedule of params.yaml, until Ctrl-C
	$(refuse_settings)
	@exec "$(BIN)/python" -m flows.schedule

retrain: $(INSTALLED) $(CONVERTER)  ## a candidate, and the gate's decision, now; REASON=… DRY=1 FORCE=1 ACCEPT_TEST_CHANGES=1
	$(refuse_settings)
	@exec "$(BIN)/python" -m flows.retrain_now --reason="$$REASON" --dry="$$DRY" --force="$$FORCE" \
	  --accept-test-changes="$$ACCEPT_TEST_CHANGES"

doctor: $(INSTALLED)  ## is all there that the next run needs? A line for each thing, and what to do
	@exec "$(BIN)/python" -m flows.diagnosis

models: $(INSTALLED)  ## the versions of the model, and every move of the champion
	@exec "$(BIN)/python" -m darkroom.registry

rollback: $(INSTALLED)  ## the champion before this one serves again, or VERSION=v1.4.0
	@exec "$(BIN)/python" -m flows.rollback $${VERSION:+"$$VERSION"}

monitor: $(INSTALLED)  ## whether what the service answers has shifted: reports/monitor/index.html
	@exec "$(BIN)/python" -m darkroom.monitor

accept-baseline: $(INSTALLED)  ## what came since the shift is usual from now on
	@exec "$(BIN)/python" -m darkroom.monitor --accept-baseline

label: $(INSTALLED)  ## a page that asks for labels where they count most; FOLDER=photos adds images, REVIEWER=name PORT=8120
	@exec "$(BIN)/python" -m darkroom.labelling $${FOLDER:+"$$FOLDER"} $${BUNDLE:+--bundle="$$BUNDLE"} $${PORT:+--port="$$PORT"} $${REVIEWER:+--reviewer="$$REVIEWER"}

tune: $(INSTALLED)  ## try settings of the training, by params.yaml's section tune; APPLY=1 writes the best into params.yaml
	$(refuse_settings)
	@exec "$(BIN)/python" -m flows.tune --apply="$$APPLY"

# Two processes of one thread each, for two cores. What starts Prefect's servers is one group, in one process: schedules
# would meet each other's servers.
test: lint  ## lint, and all tests but the slow ones
	@OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest -m "not slow" --numprocesses 2 --dist loadgroup

test-slow: $(INSTALLED_DEV)  ## tests that take minutes: the README typed whole, kills, long fuzzing
	@"$(BIN)/python" -m pytest -m slow

fuzz: $(INSTALLED_DEV)  ## damaged images, archives, settings, tables, bundles, lists and uploads by the thousand; some 10 minutes
	@OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.fuzz

lint: $(INSTALLED_DEV)  ## style and types
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/mypy"

converter: $(INSTALLED_TFLITE)  ## what export.tflite needs, in .venv-tflite; run, flow and schedule make it, too

lock: $(INSTALLED_DEV)  ## requirements*.txt from requirements*.in
	@"$(BIN)/python" .ci/lock.py

clean:  ## caches of the tools; data, models, reports and the environment stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find darkroom serving deploy stages flows tests -name __pycache__ -prune -exec rm -rf {} +

define refuse_settings
@test -z "$$IMAGES$$SET$$PRESET" || { echo "error: IMAGES, PRESET and SET are for 'make run'; this takes params.yaml as it is" >&2; exit 1; }
endef

# The body of a rule that makes an environment in a folder.
define make_environment
@for candidate in $(PYTHON); do \
  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo "error: Darkroom needs Python 3.11 or newer, and there is none as: $(PYTHON)." >&2; \
  echo "Install it (on Debian or Ubuntu: apt-get install python3 python3-venv), or name it: make run PYTHON=/path/to/python" >&2; \
  exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
  echo "error: $$python can't make environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; \
  exit 1; \
fi; \
echo "making $(1) with $$python"; \
"$$python" -m venv "$(1)"
endef

# And one that installs a lock into it. pip's own configuration decides where packages come from. It prints nothing for minutes,
# so dots show that it works.
define install
@if ! "$(2)/bin/python" .ci/installed.py $(1); then \
  echo "installing $(1) into $(2) (some minutes the first time)"; \
  "$(2)/bin/python" .ci/install.py $(1) & pip=$$!; \
  trap 'kill $$pip' INT TERM; \
  while kill -0 $$pip 2>/dev/null; do printf .; sleep 1; done; echo; \
  wait $$pip || exit 1; \
fi
@echo "$(call hash,$(1))" > "$@"
endef

$(BIN)/python:
	$(call make_environment,$(VENV))

$(INSTALLED): | $(BIN)/python
	$(call install,requirements.txt,$(VENV))

$(INSTALLED_DEV): | $(INSTALLED)
	$(call install,requirements-dev.txt,$(VENV))

$(VENV_TFLITE)/bin/python:
	$(call make_environment,$(VENV_TFLITE))

$(INSTALLED_TFLITE): | $(VENV_TFLITE)/bin/python
	$(call install,requirements-tflite.txt,$(VENV_TFLITE))
