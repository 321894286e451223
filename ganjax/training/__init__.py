"""Running an experiment: compiled chunks of steps, a progress bar, and the run folder that is written."""

from ganjax.runs.checkpointer import CheckpointPolicy
from ganjax.runs.run_folder import RunFolder
from ganjax.runs.saved_models import load_models
from ganjax.training.experiment import Experiment
from ganjax.training.loop import fit
from ganjax.training.population import Diverged, fit_population
from ganjax.training.session import Outcome

__all__ = [
    "CheckpointPolicy",
    "Diverged",
    "Experiment",
    "Outcome",
    "RunFolder",
    "fit",
    "fit_population",
    "load_models",
]
