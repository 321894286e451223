"""Many GANs at once, for many seeds or values of a hyperparameter, in one compiled program.

    def build(learning_rate):
        return ganjax.GAN(*networks, generator_optimizer=optax.adam(learning_rate), ...)

    population = populations.train(build, keys, {"learning_rate": rates}, data=ring, steps=2000, batch=256)
    samples = populations.generate(population, 2500)             # (members, 2500, 2)
    rows = populations.sweep(build, {"learning_rate": [3e-4, 1e-3]}, range(4), data=..., steps=..., batch=...,
                             score=score)                        # a dict for each value and seed

Up to rounding, a member equals the run that `ganjax train --seed` makes with its seed and its values.
"""

from ganjax.populations.members import GANFamily
from ganjax.populations.population import Population, generate, train
from ganjax.populations.sweep import Row, sweep, write_csv

__all__ = ["GANFamily", "Population", "Row", "generate", "sweep", "train", "write_csv"]
