"""`keras-jax`: the same networks trained by a user's own loop with Keras on JAX, without ganjax.

It follows Keras's guide "Writing a training loop from scratch in JAX": `stateless_call` for the networks,
`optimizer.stateless_apply` for Adam, and one jitted step whose state is donated. The guide has one loss and
`jax.value_and_grad`; here two losses share one forward pass through `jax.vjp`. Several seeds are trained one
after another with the same compiled step.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "jax"

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from benchmarks.throughput.paths import jax_device, protocol
from benchmarks.throughput.work import AVERAGE, BATCHES, CHECKED_STEPS, NETWORKS, Outcome, Work, stacked


class Network(NamedTuple):
    """The state of one network: arrays in the order of its variables and of its optimiser's variables."""

    trained: Any
    statistics: Any
    optimizer: Any


class State(NamedTuple):
    """The state of both networks, and the variables of the averaged generator."""

    step: jax.Array
    generator: Network
    discriminator: Network
    average: list[jax.Array]


class StockKeras:
    """`protocol.Trainer` of stock Keras on JAX."""

    def __init__(self, work: Work, path: str, deterministic: bool):
        self.device = jax_device.describe(work.spec["device"])
        self.work, self.spec = work, work.spec
        self.models = [
            keras.saving.load_model(work.model(name), compile=False, safe_mode=True) for name in NETWORKS
        ]
        self.optimizers = [self._adam(model) for model in self.models]
        self.batches = [jnp.asarray(batch) for batch in work.batches]
        self.states = [self._initial(seed) for seed in range(self.spec["seeds"])]
        self.timed = jax.jit(self._step_with_random_latents, donate_argnums=0)

    def run(self, steps: int) -> None:
        for seed, state in enumerate(self.states):
            key = jax.random.key(seed)
            for i in range(steps):
                state, losses = self.timed(state, self.batches[i % BATCHES], key)
            self.states[seed] = state
        jax.block_until_ready((self.states, losses))

    def check(self, perturbed: bool) -> dict[str, np.ndarray]:
        step = jax.jit(self._step, donate_argnums=0)
        return stacked([self._checked(step, seed, perturbed) for seed in range(self.spec["seeds"])])

    def _checked(self, step: Any, seed: int, perturbed: bool) -> Outcome:
        state, losses = self._initial(seed, perturbed), []
        for i in range(CHECKED_STEPS):
            state, both = step(state, self.batches[i % BATCHES], jnp.asarray(self.work.latents[seed, i]))
            losses.append(both)
        networks = {
            "generator": [*state.generator.trained, *state.generator.statistics],
            "discriminator": [*state.discriminator.trained, *state.discriminator.statistics],
        }
        if self.spec["ema_decay"]:
            networks[AVERAGE] = state.average
        weights = {name: [np.asarray(x) for x in arrays] for name, arrays in networks.items()}
        return Outcome(np.asarray(losses), weights)

    def device_memory(self) -> int | None:
        return jax_device.peak_memory()

    def _adam(self, model: keras.Model) -> keras.optimizers.Optimizer:
        names = ("learning_rate", "beta_1", "beta_2", "epsilon")
        adam = keras.optimizers.Adam(**{name: self.spec[name] for name in names})
        adam.build(model.trainable_variables)
        return adam

    def _initial(self, seed: int, perturbed: bool = False) -> State:
        networks: list[Network] = []
        for name, model, adam in zip(NETWORKS, self.models, self.optimizers, strict=True):
            values = [jnp.array(x) for x in self.work.initial_weights(name, seed, perturbed=perturbed)]
            count = len(model.trainable_variables)
            opt_state = [jnp.array(v.value) for v in adam.variables]
            networks.append(Network(values[:count], values[count:], opt_state))
        generator, discriminator = networks[0], networks[1]
        average = [jnp.copy(x) for x in [*generator.trained, *generator.statistics]]
        return State(jnp.zeros((), jnp.int32), generator, discriminator, average)

    def _step_with_random_latents(self, state: State, real: jax.Array, key: jax.Array) -> tuple[State, Any]:
        shape = (len(real), *self.spec["latent_shape"])
        latents = self.spec["latent_scale"] * jax.random.normal(jax.random.fold_in(key, state.step), shape)
        return self._step(state, real, latents)

    def _step(self, state: State, real: jax.Array, latents: jax.Array) -> tuple[State, Any]:
        """Update both networks from one shared forward pass."""
        (G, D), (G_adam, D_adam) = self.models, self.optimizers
        G_weights, G_statistics, G_opt_state = state.generator
        D_weights, D_statistics, D_opt_state = state.discriminator
        bce = keras.losses.BinaryCrossentropy(from_logits=True)

        def generate(weights: Any) -> Any:
            return G.stateless_call(weights, G_statistics, latents, training=True)

        def logits_of_both(weights: Any, fake: jax.Array) -> Any:
            real_logits, statistics = D.stateless_call(weights, D_statistics, real, training=True)
            fake_logits, statistics = D.stateless_call(weights, statistics, fake, training=True)
            logits = real_logits.astype(jnp.float32), fake_logits.astype(jnp.float32)
            return logits, statistics

        fake, pull_fake, G_statistics = jax.vjp(generate, G_weights, has_aux=True)
        logits, pull_logits, D_statistics = jax.vjp(logits_of_both, D_weights, fake, has_aux=True)

        def discriminator_loss(logits: Any) -> jax.Array:
            real_logits, fake_logits = logits
            return (
                bce(jnp.ones_like(real_logits), real_logits) + bce(jnp.zeros_like(fake_logits), fake_logits)
            ) / 2

        def generator_loss(logits: Any) -> jax.Array:
            return bce(jnp.ones_like(logits[1]), logits[1])

        D_loss, D_cotangents = jax.value_and_grad(discriminator_loss)(logits)
        G_loss, G_cotangents = jax.value_and_grad(generator_loss)(logits)
        D_gradient, _ = pull_logits(D_cotangents)
        _, fake_cotangent = pull_logits(G_cotangents)
        (G_gradient,) = pull_fake(fake_cotangent)
        G_weights, G_opt_state = G_adam.stateless_apply(G_opt_state, G_gradient, G_weights)
        D_weights, D_opt_state = D_adam.stateless_apply(D_opt_state, D_gradient, D_weights)
        after = State(
            state.step + 1,
            Network(G_weights, G_statistics, G_opt_state),
            Network(D_weights, D_statistics, D_opt_state),
            self._average(state, [*G_weights, *G_statistics]),
        )
        return after, (G_loss, D_loss)

    def _average(self, state: State, weights: list[jax.Array]) -> list[jax.Array]:
        if not self.spec["ema_decay"]:
            return state.average
        t = state.step.astype(jnp.float32)
        decay = jnp.minimum(self.spec["ema_decay"], (1 + t) / (10 + t))
        return [decay * old + (1 - decay) * new for old, new in zip(state.average, weights, strict=True)]


if __name__ == "__main__":
    protocol.serve(StockKeras, ("jax", "jaxlib", "keras", "numpy"))
