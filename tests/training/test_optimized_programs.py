"""What must hold of programs as users compile them: the other tests compile theirs without optimisation."""

import json

import small_runs

SCRIPT = """
import json, sys
from pathlib import Path
import jax
import numpy as np
import small_runs
from ganjax.export import state_to_arrays
from ganjax.training import RunFolder, fit

found = {}
for kind, steps in ((small_runs.Dots, 6), (small_runs.Tiles, 3)):
    runs = []
    for every in (1, 2, 0):
        folder = RunFolder.create(Path(sys.argv[1]) / f"{kind.name}-{every}")
        last = fit(kind(steps=steps, picture_every=every, log_every=1), folder, quiet=True).state
        runs.append([folder.read_manifest()["state_sha256"], folder.metrics_path.read_text()])
    state, _ = small_runs.replayed(kind(), steps)
    ours, theirs = state_to_arrays(last), state_to_arrays(state)
    found[kind.name] = {
        "cut": len({tuple(run) for run in runs}),
        "close": all(np.allclose(ours[k], theirs[k], rtol=2e-4, atol=1e-6) for k in ours),
    }
print(json.dumps(found))
"""


def test_where_a_run_is_cut_changes_no_bit_and_it_is_made_of_single_steps(base, tmp_path):
    environment = small_runs.environment(base)
    del environment["XLA_FLAGS"]
    # Optimising takes nearly all of the time: what the runs have in common is compiled for the first of them.
    environment |= {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    done = small_runs.python(base, "-c", SCRIPT, str(tmp_path), env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "dots": {"cut": 1, "close": True},
        "tiles": {"cut": 1, "close": True},
    }
