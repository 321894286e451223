"""What optax lacks for a GAN: Adam as Keras computes it, loss scaling for float16, counts of real updates."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

# Adam.


def keras_adam(
    learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> optax.GradientTransformation:
    r"""Adam with the arithmetic and the defaults of `keras.optimizers.Adam`.

    $$m \leftarrow m + (1 - \beta_1) (g - m), \quad v \leftarrow v + (1 - \beta_2) (g^2 - v), \quad
    \theta \leftarrow \theta - \eta \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \frac{m}{\sqrt{v} + \epsilon}$$

    This is the order of operations that Kingma and Ba propose for efficiency (2015, the end of section 2,
    https://arxiv.org/abs/1412.6980). `optax.adam` adds its $\epsilon$ to the bias-corrected $\sqrt{v}$
    instead. The two differ where gradients are tiny, above all in the first steps.

    Its state is an `optax.ScaleByAdamState`: `count` (int32), `mu` and `nu` (each like the weights).

    Args:
        learning_rate: $\eta$: a number >= 0, a traced number, or an optax schedule (a function of the number
            of updates done before, from 0).
        beta_1, beta_2: decays in [0, 1) of the two averages.
        epsilon: $\epsilon$, a number >= 0.

    Raises:
        ValueError: a number is out of its range.
    """
    if not callable(learning_rate):
        _check("learning_rate", learning_rate, "a schedule or a finite number >= 0", 0)
    _check("beta_1", beta_1, "a number in [0, 1)", 0, 1)
    _check("beta_2", beta_2, "a number in [0, 1)", 0, 1)
    _check("epsilon", epsilon, "a finite number >= 0", 0)

    def init(params: Any) -> optax.ScaleByAdamState:
        mu, nu = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        return optax.ScaleByAdamState(jnp.zeros((), jnp.int32), mu, nu)

    def update(gradient: Any, state: Any, params: Any = None) -> tuple[Any, optax.ScaleByAdamState]:
        rate = learning_rate(state.count) if callable(learning_rate) else learning_rate
        count = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda g, m: m + (g.astype(m.dtype) - m) * (1 - beta_1), gradient, state.mu)
        nu = jax.tree.map(
            lambda g, v: v + (jnp.square(g.astype(v.dtype)) - v) * (1 - beta_2), gradient, state.nu
        )

        def change(m: jax.Array, v: jax.Array) -> jax.Array:
            lr, b1, b2, t = (jnp.asarray(x).astype(m.dtype) for x in (rate, beta_1, beta_2, count))
            alpha = lr * jnp.sqrt(1 - jnp.power(b2, t)) / (1 - jnp.power(b1, t))
            return -(m * alpha / (jnp.sqrt(v) + epsilon))

        return jax.tree.map(change, mu, nu), optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


# Loss scaling.


class LossScaleState(NamedTuple):
    """The state of a `LossScale`.

    Attributes:
        scale: float32 scalar, what the loss is multiplied by.
        good_steps: int32 scalar, finite updates in a row since the scale was last changed.
        skipped: int32 scalar, updates left out so far, as a gradient was not finite.
    """

    scale: jax.Array
    good_steps: jax.Array
    skipped: jax.Array


@dataclasses.dataclass(frozen=True)
class LossScale:
    """Dynamic loss scaling, for networks of the precision policy `mixed_float16`.

    In float16 a gradient below 6e-8 is 0. So the loss is multiplied by a scale before it is differentiated,
    and the gradient divided by it afterwards, in float32. An update whose gradient is not finite is left
    out, and the scale divided by `factor` (never below 1); after `period` finite updates in a row it is
    multiplied by `factor`.

    Micikevicius et al. 2018, section 3.2, https://arxiv.org/abs/1710.03740.

    Attributes:
        initial: the first scale, a number >= 1.
        period: finite updates in a row before the scale grows, at least 1.
        factor: what the scale is multiplied or divided by, > 1.

    Raises:
        ValueError: a number is out of its range.
    """

    initial: float = 2.0**15
    period: int = 2000
    factor: float = 2.0

    def __post_init__(self) -> None:
        _check("initial", self.initial, "a finite number >= 1", 1)
        if not isinstance(self.period, int) or self.period < 1:
            raise ValueError(f"period must be a whole number of at least 1, got {self.period!r}")
        _check("factor", self.factor, "a finite number > 1", math.nextafter(1, 2))

    def init(self) -> LossScaleState:
        """The state before the first update."""
        return LossScaleState(
            jnp.asarray(self.initial, jnp.float32), jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)
        )

    def after(self, state: LossScaleState, finite: jax.Array) -> LossScaleState:
        """The state after an update.

        Args:
            state: the state before it.
            finite: bool scalar, whether every number of its gradient was finite.
        """
        factor = jnp.asarray(self.factor, jnp.float32)
        good_steps = jnp.where(finite, state.good_steps + 1, 0)
        grown = state.scale * factor
        grows = (good_steps >= self.period) & jnp.isfinite(grown)
        kept_or_grown = jnp.where(grows, grown, state.scale)
        return LossScaleState(
            jnp.where(finite, kept_or_grown, jnp.maximum(state.scale / factor, 1)),
            jnp.where(grows, 0, good_steps),
            state.skipped + jnp.where(finite, 0, 1),
        )


def scaled(state: LossScaleState | None, tree: Any) -> Any:
    """`tree`, a loss or what it is differentiated by, times the scale, if there is one."""
    return tree if state is None else jax.tree.map(lambda x: x * state.scale, tree)


def unscaled(state: LossScaleState | None, gradient: Any) -> Any:
    """`gradient` divided by the scale, if there is one."""
    return gradient if state is None else jax.tree.map(lambda g: g / state.scale.astype(g.dtype), gradient)


def _check(name: str, value: Any, wanted: str, least: float, below: float = math.inf) -> None:
    """Raise ValueError unless `value` is a number in [least, below), or traced."""
    if isinstance(value, Tracer) and value.shape == ():
        return  # a hyperparameter within `jit` or `vmap`, which has no value yet
    number = value.item() if isinstance(value, jax.Array) and value.shape == () else value
    if not (isinstance(number, numbers.Real) and least <= float(number) < below):
        raise ValueError(f"{name} must be {wanted}, got {value!r}")


# Real updates: `optax.MultiSteps` gathers the gradients of several steps for one.


def updates_done(memory: optax.OptState, step: jax.Array) -> jax.Array:
    """How often an optimiser has changed the weights.

    Args:
        memory: its state.
        step: int32 scalar, how often it was given a gradient.

    Returns:
        int32 scalar: `step`, unless `memory` is of `optax.MultiSteps`, which counts its updates itself.
    """
    return jnp.asarray(memory.gradient_step) if isinstance(memory, optax.MultiStepsState) else step


def has_updated(before: optax.OptState, after: optax.OptState) -> jax.Array | bool:
    """Whether an optimiser has changed the weights between these two states of it, one gradient apart.

    Returns:
        True, or for `optax.MultiSteps` a bool scalar: False where it only gathered a gradient, or skipped it.
    """
    if isinstance(before, optax.MultiStepsState) and isinstance(after, optax.MultiStepsState):
        return jnp.asarray(after.gradient_step != before.gradient_step)
    return True
