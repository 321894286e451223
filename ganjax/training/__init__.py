"""Running an experiment: compiled chunks, a progress bar, and the folder a run leaves behind."""

from ganjax.training.experiment import Experiment
from ganjax.training.keeper import Keeping
from ganjax.training.loop import Outcome, fit
from ganjax.training.run_folder import RunFolder

__all__ = ["Experiment", "Keeping", "Outcome", "RunFolder", "fit"]
