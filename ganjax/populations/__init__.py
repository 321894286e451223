"""Many GANs at once: seeds, or values of a hyperparameter, trained and judged as one compiled program.

    def GAN(learning_rate):
        return ganjax.GAN(*networks, generator_optimizer=optax.adam(learning_rate), ...)

    population = populations.train(GAN, keys, {"learning_rate": rates}, data=toy.ring, steps=2000, batch=256)
    samples = populations.generate(population, 2500)             # (members, 2500, 2)
    rows = populations.sweep(GAN, {"learning_rate": [3e-4, 1e-3]}, range(4), data=..., steps=..., batch=...,
                             score=score)                        # tidy: a dict for each value and seed

A member is the run that `ganjax train --seed` makes of its seed and its values, but for rounding.
"""

from ganjax.populations.members import GANFamily
from ganjax.populations.population import Population, generate, train
from ganjax.populations.sweep import Row, sweep, write_csv

__all__ = ["GANFamily", "Population", "Row", "generate", "sweep", "train", "write_csv"]
