r"""Objectives of generator and discriminator: pairs of pure functions of logits.

A loss may also see samples, labels and whatever else the networks return: see `Loss`.

D's output is a logit $l$, and $\mathrm{sigmoid}(l)$ the probability it gives to "real". Every function takes
float arrays of logits of any shape (one per image or a patch of them), returns the float32 mean over all of
them, and is finite, with finite gradients, wherever the mathematics is: logits of 1e4 are safe.

Below $r = D(x)$ for real $x$, $f = D(G(z))$, and
$\mathrm{softplus}(l) = \log(1 + \exp(l)) = -\log \mathrm{sigmoid}(-l)$.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.nn import relu, softplus

Rows = dict[str, jax.Array]
"""What a loss reports besides its value: scalars by name."""


OFFERED = frozenset(
    (
        "real", "fake", "real_unaugmented", "fake_unaugmented", "labels", "latents", "key", "step",
        "real_outputs", "fake_outputs", "generator_outputs",
    )
)  # fmt: skip
"""What a loss may ask for, by naming it as an argument."""


RESERVED = ("step", "finite", "loss_scale", "skipped_updates")
"""Reported with every step, or the number of a row: no loss may report anything under these names."""
_ROW_NAME = re.compile(r"[\w./:-]([\w ./:-]*[\w./:-])?")  # a column of metrics.csv


class Loss(NamedTuple):
    """What each of the two networks minimises.

    A function of logits that names further arguments is given them:

    - `real`, `fake`: the samples as D saw them, and `real_unaugmented`, `fake_unaugmented`: as they were
      before `GAN.augment` and packing;
    - `labels`, `latents`: as the networks get them;
    - `real_outputs`, `fake_outputs`: what D returned besides logits (a dict or a tuple), and
      `generator_outputs`: what G returned besides samples;
    - `key`: a PRNG key, another for each of the two functions, and for each update;
    - `step`: int32, updates done so far.

    Derivatives pass through samples and outputs to the network that minimises the function, and to no other.
    A loss may return `(value, {"name": scalar})`: these are reported with the metrics of the step.

    Attributes:
        discriminator: `(real_logits, fake_logits, ...) -> scalar`.
        generator: `(fake_logits, real_logits, ...) -> scalar`; most ignore `real_logits`.
    """

    discriminator: Callable[..., Any]
    generator: Callable[..., Any]


def asked_for(function: Callable[..., Any]) -> frozenset[str]:
    """The names from `OFFERED` among a loss's arguments after the logits."""
    return frozenset(list(inspect.signature(function).parameters)[2:]) & OFFERED


def evaluate(function: Callable[..., Any], *logits: jax.Array, **offered: Any) -> tuple[jax.Array, Rows]:
    """`(value, rows)` of a loss: it is given those of `offered` that it names."""
    chosen = {name: offered[name] for name in asked_for(function)}
    result = function(*logits, **chosen)
    value, rows = result if isinstance(result, tuple) and len(result) == 2 else (result, {})
    if isinstance(value, (tuple, list, dict, type(None))) or not isinstance(rows, dict):
        form = str(jax.tree.map(lambda _: "...", result))
        raise TypeError(f'a loss must return one number, or (number, {{"name": number}}), got {form}')
    if wrong := [name for name in rows if not isinstance(name, str) or not _ROW_NAME.fullmatch(name)]:
        raise ValueError(f"a loss reports {wrong[0]!r}: names are letters, digits, and _ - . / : or blanks")
    rows = {name: as_scalar(row, f"{name!r}, which a loss reports,") for name, row in rows.items()}
    return as_scalar(value, "a loss's value"), rows


def as_scalar(value: Any, name: str) -> jax.Array:
    """`value`, float32.

    Raises:
        ValueError: it is not one number.
    """
    if jnp.shape(value) != ():
        raise ValueError(f"{name} must be one number, such as a mean, but has shape {jnp.shape(value)}")
    return jnp.asarray(value, jnp.float32)


def joined(*reports: Rows) -> Rows:
    """All that a step reports.

    Raises:
        ValueError: two values have one name.
    """
    names = [*RESERVED, *(name for rows in reports for name in rows)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"two values are reported as {twice[0]!r}: what a loss reports needs a name of its own"
        )
    return {name: value for rows in reports for name, value in rows.items()}


def check_arguments(loss: Loss) -> None:
    """Raise TypeError if one of the two functions asks for something that no step can give it."""
    for name, function in loss._asdict().items():
        if not callable(function):
            raise TypeError(f"the {name}'s loss must be a function of logits, got {function!r}")
        parameters = list(inspect.signature(function).parameters.values())
        pair = ("real_logits", "fake_logits") if name == "discriminator" else ("fake_logits", "real_logits")
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        is_taken = any(p.name in OFFERED - {pair[i][:4]} for i, p in enumerate(positional[:2]))
        if is_taken or (len(positional) < 2 and not any(p.kind is p.VAR_POSITIONAL for p in parameters)):
            raise TypeError(
                f"the {name}'s loss must take {pair[0]} and {pair[1]} first, then what else it asks for, "
                f"but its arguments are ({', '.join(p.name for p in parameters)})"
            )
        for parameter in parameters[2:]:
            needed = parameter.default is parameter.empty and parameter.kind.name[:3] != "VAR"
            if needed and parameter.name not in OFFERED:
                raise TypeError(
                    f"the {name}'s loss asks for {parameter.name!r}, which is none of "
                    f"{', '.join(sorted(OFFERED))}"
                )


def discriminator_loss(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    r"""Binary cross-entropy of real against 1 and fake against 0, the two halves averaged.

    $$\tfrac12 E[\mathrm{softplus}(-r)] + \tfrac12 E[\mathrm{softplus}(f)]$$

    It is $\log 2$ where every logit is 0. Goodfellow et al. 2014, eq. 1.
    """
    return (jnp.mean(softplus(-real_logits)) + jnp.mean(softplus(fake_logits))) / 2


def generator_loss(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    r"""Binary cross-entropy of fake against 1: the non-saturating loss.

    $$E[\mathrm{softplus}(-f)]$$

    Goodfellow et al. 2014, section 3.
    """
    return jnp.mean(softplus(-fake_logits))


def _minimax_generator(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    return -jnp.mean(softplus(fake_logits))


def _zero_sum_generator(fake_logits: jax.Array, real_logits: jax.Array) -> jax.Array:
    return -discriminator_loss(real_logits, fake_logits)


def _least_squares_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return (jnp.mean((real_logits - 1) ** 2) + jnp.mean(fake_logits**2)) / 2


def _least_squares_generator(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    return jnp.mean((fake_logits - 1) ** 2) / 2


def _hinge_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.mean(relu(1 - real_logits)) + jnp.mean(relu(1 + fake_logits))


def _wasserstein_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.mean(fake_logits) - jnp.mean(real_logits)


def _linear_generator(fake_logits: jax.Array, real_logits: jax.Array | None = None) -> jax.Array:
    return -jnp.mean(fake_logits)


def _relativistic_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.mean(softplus(fake_logits - real_logits))


def _l1(fake_logits, real_logits, *, fake_unaugmented, real_unaugmented):
    pairs = zip(*map(jax.tree.leaves, (fake_unaugmented, real_unaugmented)), strict=True)
    distances = [jnp.mean(jnp.abs(fake - real)) for fake, real in pairs]
    return sum(distances[1:], distances[0])


def _nothing(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    return jnp.zeros((), jnp.float32)


def _relativistic_generator(fake_logits: jax.Array, real_logits: jax.Array) -> jax.Array:
    return jnp.mean(softplus(real_logits - fake_logits))


binary_cross_entropy = Loss(discriminator_loss, generator_loss)
"""Non-saturating GAN: the pair above (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661)."""

minimax = Loss(discriminator_loss, _minimax_generator)
r"""Saturating GAN. D as above, G minimises $E[\log(1 - \mathrm{sigmoid}(f))] = -E[\mathrm{softplus}(f)]$
(Goodfellow et al. 2014, eq. 1, https://arxiv.org/abs/1406.2661)."""

zero_sum = Loss(discriminator_loss, _zero_sum_generator)
r"""D as above, and G the negative of all of it: beside `minimax`, $E[\mathrm{softplus}(-r)]$ matters where D
is unrolled (Metz et al. 2017, eq. 1, https://arxiv.org/abs/1611.02163)."""

least_squares = Loss(_least_squares_discriminator, _least_squares_generator)
r"""LSGAN. D: $\tfrac12 E[(r - 1)^2] + \tfrac12 E[f^2]$, G: $\tfrac12 E[(f - 1)^2]$
(Mao et al. 2017, eq. 9, https://arxiv.org/abs/1611.04076)."""

hinge = Loss(_hinge_discriminator, _linear_generator)
r"""Hinge. D: $E[\max(0, 1 - r)] + E[\max(0, 1 + f)]$, G: $-E[f]$
(Lim and Ye 2017, https://arxiv.org/abs/1705.02894; Miyato et al. 2018, eqs. 16, 17)."""

wasserstein = Loss(_wasserstein_discriminator, _linear_generator)
"""Wasserstein. D: $E[f] - E[r]$, G: $-E[f]$; D must be kept Lipschitz, by `WGANGP` for instance
(Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875)."""

relativistic_pairing = Loss(_relativistic_discriminator, _relativistic_generator)
r"""RpGAN. D: $E[\mathrm{softplus}(-(r - f))]$, G: $E[\mathrm{softplus}(-(f - r))]$, real and fake paired
one to one (Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734; Huang et al. 2024, eq. 2)."""

l1 = Loss(_nothing, _l1)
r"""A term for G alone: $E|G(\cdot) - x|$, each sample beside the real one that it is paired with, for
`combine` (Isola et al. 2017, eq. 3, https://arxiv.org/abs/1611.07004)."""


# Losses made of losses and numbers.


def combine(weights: Mapping[Loss, float]) -> Loss:
    """The weighted sum of losses: `combine({binary_cross_entropy: 1, l1: 100})`.

    Args:
        weights: the losses and their weights.

    Returns:
        A loss that asks for whatever its parts ask for, and reports what they report.

    Raises:
        TypeError: `weights` is no mapping of losses, or is empty.
        ValueError: in a step, two parts report values under one name.
    """
    if not isinstance(weights, Mapping) or not weights:
        raise TypeError(f"combine takes losses and their weights, such as {{hinge: 1.0}}, got {weights!r}")
    for loss in weights:
        if not isinstance(loss, Loss):
            raise TypeError(f"combine takes losses and their weights, such as {{hinge: 1.0}}, got {loss!r}")
    numbers = tuple(x if isinstance(x, Tracer) else float(x) for x in weights.values())
    return Loss(*(_WeightedSum(functions, numbers) for functions in zip(*weights, strict=True)))


@dataclass(frozen=True)
class _WeightedSum:
    functions: tuple[Callable[..., Any], ...]
    weights: tuple[float, ...]

    @property
    def __signature__(self) -> inspect.Signature:
        names = sorted(frozenset().union(*map(asked_for, self.functions)))
        first = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in ("a", "b")]
        return inspect.Signature(
            [*first, *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names)]
        )

    def __call__(self, *logits: jax.Array, **offered: Any) -> tuple[jax.Array, Rows]:
        evaluated = [evaluate(function, *logits, **offered) for function in self.functions]
        value = sum(
            (weight * value for weight, (value, _) in zip(self.weights, evaluated, strict=True)),
            jnp.zeros((), jnp.float32),
        )
        return value, joined(*(rows for _, rows in evaluated))


def with_label_smoothing(real: float = 0.9, fake: float = 0.0) -> Loss:
    r"""Binary cross-entropy against other targets than 1 and 0, for D alone.

    $$\tfrac12 E[\mathrm{softplus}(r) - t_r r] + \tfrac12 E[\mathrm{softplus}(f) - t_f f]$$

    Salimans et al. 2016, section 3.4, https://arxiv.org/abs/1606.03498.

    Args:
        real, fake: the targets $t_r$ and $t_f$, in [0, 1].

    Raises:
        ValueError: a target is not.
    """
    for name, target in (("real", real), ("fake", fake)):
        if not isinstance(target, Tracer) and not 0 <= target <= 1:
            raise ValueError(f"the target of {name} samples must be in [0, 1], got {target}")
    return Loss(_Smoothed(real, fake), generator_loss)


@dataclass(frozen=True)
class _Smoothed:
    real: float
    fake: float

    def __call__(self, real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        return _cross_entropy(real_logits, self.real, fake_logits, self.fake)


def with_label_noise(amount: float = 0.05) -> Loss:
    r"""Binary cross-entropy with targets $1 - u_i$ and $u_j$, for D alone; $u \sim U(0, \text{amount})$.

    Every logit has a target of its own, drawn anew in each update.

    Args:
        amount: in [0, 1].

    Raises:
        ValueError: it is not.
    """
    if not isinstance(amount, Tracer) and not 0 <= amount <= 1:
        raise ValueError(f"the amount of label noise must be in [0, 1], got {amount}")
    return Loss(_Noisy(amount), generator_loss)


@dataclass(frozen=True)
class _Noisy:
    amount: float

    def __call__(self, real_logits: jax.Array, fake_logits: jax.Array, *, key: jax.Array) -> jax.Array:
        keys = jax.random.split(key)
        real, fake = (
            self.amount * jax.random.uniform(each, x.shape, x.dtype)
            for each, x in zip(keys, (real_logits, fake_logits), strict=True)
        )
        return _cross_entropy(real_logits, 1 - real, fake_logits, fake)


def _cross_entropy(real_logits: jax.Array, real: Any, fake_logits: jax.Array, fake: Any) -> jax.Array:
    """Of logits against targets, the two halves averaged."""
    of_real = jnp.mean(softplus(real_logits) - real * real_logits)
    return (of_real + jnp.mean(softplus(fake_logits) - fake * fake_logits)) / 2
