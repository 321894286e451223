"""ganjax: `ganjax-step` calls the jitted `train_step` for each step, `ganjax-chunk` runs many steps in each
call.

Calls are queued without waiting for their results, as in a training loop that does not need the metrics of
every step. A population is one state with a leading axis of seeds, under `jax.vmap`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import ganjax  # chooses Keras's backend, so it comes first

# isort: split
import jax
import jax.numpy as jnp
import keras
import numpy as np

from benchmarks.throughput.gan import make_gan
from benchmarks.throughput.paths import jax_device, protocol
from benchmarks.throughput.work import (
    AVERAGE,
    BATCHES,
    CHECKED_STEPS,
    NETWORKS,
    Outcome,
    Work,
    named,
    stacked,
)
from ganjax.state import AveragedWeights
from ganjax.training.chunks import MAX_STEPS, compile_chunk


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class InTurn:
    """A `ganjax.datasets.batches.Source` of given batches, `(count, batch, *sample_shape)`, used in turn."""

    batches: jax.Array

    def plan(self, key: jax.Array, first_step: int | jax.Array, steps: int, batch: int) -> jax.Array:
        each = jnp.asarray(first_step, jnp.int32) + jnp.arange(steps, dtype=jnp.int32)
        return each % len(self.batches)

    def fetch(self, x: jax.Array, batch: int) -> jax.Array:
        return self.batches[x]


class Ganjax:
    """`protocol.Trainer` of ganjax's own step."""

    def __init__(self, work: Work, path: str, deterministic: bool):
        self.device = jax_device.describe(work.spec["device"])
        models = [
            keras.saving.load_model(work.model(name), compile=False, safe_mode=True) for name in NETWORKS
        ]
        self.gan = make_gan(work.spec, *models)
        self.seeds = work.spec["seeds"] if work.spec["population"] else None
        self.work = work
        batches = jnp.asarray(work.batches)
        self.advance = self._chunks(batches) if path == "ganjax-chunk" else self._steps(batches)
        self.state = self._initial()

    def run(self, steps: int) -> None:
        self.state, metrics = self.advance(self.state, steps)
        jax.block_until_ready((self.state, metrics))

    def check(self, perturbed: bool) -> dict[str, np.ndarray]:
        losses = []
        state = self._initial(perturbed)
        for _ in range(CHECKED_STEPS):
            state, metrics = self.advance(state, 1)
            losses.append([metrics["generator_loss"], metrics["discriminator_loss"]])
        networks = {"generator": state.generator, "discriminator": state.discriminator, AVERAGE: state.ema}
        weights = {
            name: [np.asarray(x) for x in [*network.params, *network.statistics]]
            for name, network in networks.items()
            if name in self.work.spec["trained"]
        }
        if self.seeds is None:
            return stacked([Outcome(np.asarray(losses), weights)])
        return named(weights) | {"losses": np.moveaxis(np.asarray(losses), 2, 0)}

    def device_memory(self) -> int | None:
        return jax_device.peak_memory()

    def _initial(self, perturbed: bool = False) -> ganjax.GANState:
        """The state with the saved weights, with a leading axis of seeds for a population.

        Not made by `init_state`, in which Keras imports TensorFlow if it is installed: this would take half a
        gigabyte of memory that training does not need.
        """

        def network(name: str, model: keras.Model, optimizer: Any) -> ganjax.NetworkState:
            weights = [jnp.array(x) for x in self.work.initial_weights(name, which, perturbed=perturbed)]
            count = len(model.trainable_variables)
            init = jax.vmap(optimizer.init) if self.seeds else optimizer.init
            return ganjax.NetworkState(weights[:count], weights[count:], init(weights[:count]))

        which = slice(None) if self.seeds else 0
        gan = self.gan
        generator = network("generator", gan.generator, gan.generator_optimizer)
        return ganjax.GANState(
            step=jnp.zeros((self.seeds,) if self.seeds else (), jnp.int32),
            key=jax.random.wrap_key_data(jnp.array(self.work.initial["keys"][which])),
            generator=generator,
            discriminator=network("discriminator", gan.discriminator, gan.discriminator_optimizer),
            ema=AveragedWeights(*jax.tree.map(jnp.copy, (generator.params, generator.statistics))),
        )

    def _steps(self, batches: jax.Array) -> Any:
        def step(state: ganjax.GANState, real: jax.Array) -> tuple[ganjax.GANState, Any]:
            return ganjax.train_step(self.gan, state, real)

        step = jax.jit(jax.vmap(step, (0, None)) if self.seeds else step, donate_argnums=0)
        each = list(batches)

        def advance(state: ganjax.GANState, steps: int) -> tuple[ganjax.GANState, Any]:
            first = int(np.ravel(state.step)[0])
            for i in range(first, first + steps):
                state, metrics = step(state, each[i % BATCHES])
            return state, metrics

        return advance

    def _chunks(self, batches: jax.Array) -> Any:
        batch = self.work.spec["batch"]
        chunk = compile_chunk(self.gan, batch, MAX_STEPS)
        if self.seeds:
            chunk = jax.jit(jax.vmap(chunk, (0, None, None, None)), donate_argnums=0)
        source, key = InTurn(batches), jax.random.key(0)

        def advance(state: ganjax.GANState, steps: int) -> tuple[ganjax.GANState, Any]:
            for first in range(0, steps, MAX_STEPS):
                state, metrics = chunk(state, source, key, min(MAX_STEPS, steps - first))
            return state, {name: values[..., 0] for name, values in metrics.items()}

        return advance


if __name__ == "__main__":
    protocol.serve(Ganjax, ("ganjax", "jax", "jaxlib", "keras", "optax", "numpy"))
