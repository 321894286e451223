"""Running an experiment: compiled chunks, a progress bar, and the folder a run leaves behind."""

from ganjax.training.loop import Experiment, Outcome, fit
from ganjax.training.run_folder import RunFolder

__all__ = ["Experiment", "Outcome", "RunFolder", "fit"]
