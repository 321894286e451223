"""What is fuzzed, by name: every reader of files that someone else may have written."""

from . import picture_targets, run_targets

TARGETS = {target.name: target for target in (*picture_targets.TARGETS, *run_targets.TARGETS)}
