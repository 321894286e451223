# pyright: basic
"""What JAX, Keras and optax leave without types is given types here; a strict program needs no more."""

from collections.abc import Callable

import jax
import keras
import optax

import ganjax

Step = Callable[
    [ganjax.GAN, ganjax.GANState, jax.Array | ganjax.Labelled], tuple[ganjax.GANState, dict[str, jax.Array]]
]


def compiled(step: Step) -> Step:
    return jax.jit(step, static_argnums=0, donate_argnums=1)


def adam(rate: float) -> optax.GradientTransformation:
    return optax.adam(rate, b1=0.5)


def perceptron(inputs: int, outputs: int) -> keras.Model:
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
