"""All targets by name: every function that reads files from elsewhere."""

from . import picture_targets, run_targets

TARGETS = {target.name: target for target in (*picture_targets.TARGETS, *run_targets.TARGETS)}
