"""`tensorflow-graph` and `tensorflow-xla`: the same networks trained by a user's own loop with TensorFlow.

As in TensorFlow's DCGAN tutorial, a step is one `tf.function` (for XLA with `jit_compile=True`) with two
gradient tapes over one shared forward pass, one batch of latents, and two Adam optimisers of Keras. Imports
neither JAX nor ganjax. Several seeds are trained one after another: n seeds are timed as n times the steps of
one compiled step.
"""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.throughput.paths import protocol
from benchmarks.throughput.work import AVERAGE, BATCHES, CHECKED_STEPS, NETWORKS, Outcome, Work, stacked


class TensorFlow:
    """`protocol.Trainer` of Keras on TensorFlow."""

    def __init__(self, work: Work, path: str, deterministic: bool):
        self.work, self.spec = work, work.spec
        self.device = self._set_up_device(deterministic)
        self.models = [
            keras.saving.load_model(work.model(name), compile=False, safe_mode=True) for name in NETWORKS
        ]
        self.optimizers = [self._adam(model) for model in self.models]
        self.fresh = {
            name: [v.numpy() for v in adam.variables]
            for name, adam in zip(NETWORKS, self.optimizers, strict=True)
        }
        self.bce = keras.losses.BinaryCrossentropy(from_logits=True)
        self.steps_done = tf.Variable(tf.zeros((), tf.int64))
        generator = self.models[0]
        self.average = [tf.Variable(v.value) for v in self._variables(generator)]
        self.batches = [tf.constant(batch) for batch in work.batches]
        self.xla = path == "tensorflow-xla"
        self.timed = tf.function(self._step_with_random_latents, jit_compile=self.xla)
        self._restore(0)

    def run(self, steps: int) -> None:
        for i in range(steps * self.spec["seeds"]):
            losses = self.timed(self.batches[i % BATCHES])
        losses[0].numpy()

    def check(self, perturbed: bool) -> dict[str, np.ndarray]:
        step = tf.function(self._step, jit_compile=self.xla)
        return stacked([self._checked(step, seed, perturbed) for seed in range(self.spec["seeds"])])

    def _checked(self, step: Any, seed: int, perturbed: bool) -> Outcome:
        self._restore(seed, perturbed)
        losses = []
        for i in range(CHECKED_STEPS):
            both = step(self.batches[i % BATCHES], tf.constant(self.work.latents[seed, i]))
            losses.append([loss.numpy() for loss in both])
        generator, discriminator = (self._variables(model) for model in self.models)
        networks = {"generator": generator, "discriminator": discriminator}
        if self.spec["ema_decay"]:
            networks[AVERAGE] = self.average
        weights = {name: [v.numpy() for v in variables] for name, variables in networks.items()}
        return Outcome(np.asarray(losses), weights)

    def device_memory(self) -> int | None:
        if self.spec["device"] == "cpu":
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]

    def _set_up_device(self, deterministic: bool) -> str:
        keras.utils.set_random_seed(0)
        tf.config.experimental.enable_tensor_float_32_execution(self.spec["precision"] == "tf32")
        if deterministic:
            tf.config.experimental.enable_op_determinism()
        if self.spec["device"] == "cpu":
            return "cpu"
        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            raise RuntimeError("TensorFlow sees no GPU")
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")

    def _adam(self, model: keras.Model) -> keras.optimizers.Optimizer:
        names = ("learning_rate", "beta_1", "beta_2", "epsilon")
        adam = keras.optimizers.Adam(**{name: self.spec[name] for name in names})
        adam.build(model.trainable_variables)
        return adam

    @staticmethod
    def _variables(model: keras.Model) -> list[Any]:
        return [*model.trainable_variables, *model.non_trainable_variables]

    def _restore(self, seed: int, perturbed: bool = False) -> None:
        """Set all variables to the initial state of a seed."""
        for name, model, adam in zip(NETWORKS, self.models, self.optimizers, strict=True):
            values = self.work.initial_weights(name, seed, perturbed=perturbed)
            for variable, value in zip(self._variables(model), values, strict=True):
                variable.assign(value)
            for variable, value in zip(adam.variables, self.fresh[name], strict=True):
                variable.assign(value)
        for mean, variable in zip(self.average, self._variables(self.models[0]), strict=True):
            mean.assign(variable.value)
        self.steps_done.assign(0)

    def _step_with_random_latents(self, real: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = (self.spec["batch"], *self.spec["latent_shape"])
        return self._step(real, tf.random.normal(shape, stddev=self.spec["latent_scale"]))

    def _step(self, real: tf.Tensor, latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Update both networks from one shared forward pass; returns their losses."""
        G, D = self.models
        with tf.GradientTape() as G_tape, tf.GradientTape() as D_tape:
            fake = G(latents, training=True)
            real_logits = tf.cast(D(real, training=True), tf.float32)
            fake_logits = tf.cast(D(fake, training=True), tf.float32)
            G_loss = self.bce(tf.ones_like(fake_logits), fake_logits)
            on_real = self.bce(tf.ones_like(real_logits), real_logits)
            on_fake = self.bce(tf.zeros_like(fake_logits), fake_logits)
            D_loss = (on_real + on_fake) / 2
        G_gradient = G_tape.gradient(G_loss, G.trainable_variables)
        D_gradient = D_tape.gradient(D_loss, D.trainable_variables)
        G_adam, D_adam = self.optimizers
        G_adam.apply_gradients(zip(G_gradient, G.trainable_variables, strict=True))
        D_adam.apply_gradients(zip(D_gradient, D.trainable_variables, strict=True))
        self._average()
        return G_loss, D_loss

    def _average(self) -> None:
        if not self.spec["ema_decay"]:
            return
        t = tf.cast(self.steps_done, tf.float32)
        decay = tf.minimum(self.spec["ema_decay"], (1 + t) / (10 + t))
        for mean, variable in zip(self.average, self._variables(self.models[0]), strict=True):
            mean.assign(decay * mean + (1 - decay) * variable.value)
        self.steps_done.assign_add(1)


if __name__ == "__main__":
    protocol.serve(TensorFlow, ("tensorflow", "keras", "numpy"))
