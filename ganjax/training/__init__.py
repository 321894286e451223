"""Running an experiment: compiled chunks, a progress bar, and the folder a run leaves behind."""

from ganjax.training.experiment import Experiment
from ganjax.training.keeper import Keeping
from ganjax.training.loop import fit
from ganjax.training.population import Diverged, fit_population
from ganjax.training.run_folder import RunFolder
from ganjax.training.session import Outcome

__all__ = ["Diverged", "Experiment", "Keeping", "Outcome", "RunFolder", "fit", "fit_population"]
