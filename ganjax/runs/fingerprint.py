"""Fingerprints of a GAN and its data: a run is resumed only with those that it began with.

A GAN holds functions (losses, schedules, optimisers, networks) that cannot be written to a file. So each of
them is traced on shapes, and its jaxpr is hashed: primitives, their parameters, shapes and constants. Names
of functions and layers and addresses of objects have no influence.

The same function may have another jaxpr under other versions of JAX, Keras or ganjax. So hashes are compared
only if versions, backend and settings of JAX are equal. Settings of the GAN are always compared.

Not in a fingerprint: values of weights, trained or frozen, because a resumed run has those of its checkpoint;
and `GAN.transform`, which must not change values.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from jax.extend import core

from ganjax import stateless
from ganjax.datasets.batches import Source
from ganjax.gan import GAN
from ganjax.labelled import ANY, labelled
from ganjax.losses import evaluate
from ganjax.sampling import sample_latent
from ganjax.stateless.variables import seeds
from ganjax.system.environment import versions

JAX_SETTINGS = ("jax_enable_x64", "jax_default_prng_impl", "jax_threefry_partitionable")
# Parameters of primitives that say how a program is called or where it runs, not what it computes.
IGNORED = {"name", "sharding", "in_shardings", "out_shardings", "in_layouts", "out_layouts", "donated_invars"}
IGNORED |= {"ctx_mesh", "keep_unused", "inline", "compiler_options_kvs", "backend", "devices", "srcs"}


def gan_fingerprint(gan: GAN, batch: int, source: Source | None = None) -> dict[str, Any]:
    """What is equal for equal GANs, as JSON values: see the module's docstring.

    Args:
        gan: the GAN.
        batch: real samples per update of D.
        source: where batches come from. It is needed to hash losses that alone see labels: no network says
            what shape these have.

    Returns:
        "made_with": versions and settings of JAX; "functions": a SHA-256 for each function of the GAN, by the
        name of its attribute; "settings": the other attributes.

    Cost: traces both networks with their gradients, and the penalties: 1 s of CPU time for `cartoon`.
    """
    G, D = gan.generator, gan.discriminator
    G_weights, D_weights = _weights(G), _weights(D)
    samples, latents = (stateless.filled(spec, batch) for spec in (gan.sample_spec, gan.latent_spec))
    packs = stateless.filled(stateless.split_inputs(stateless.input_spec(D))[0], batch // gan.packing)
    G_labels, D_labels = (
        () if spec is None else (stateless.filled(spec, batch),)
        for spec in (gan.generator_labels, gan.discriminator_labels)
    )
    key = jax.eval_shape(lambda: jax.random.key(0))
    G_key, D_key = ((key,) if seeds(model) else () for model in (G, D))
    step, value = jax.ShapeDtypeStruct((), jnp.int32), _floats()
    labels = _labels(gan, batch, source)
    functions = {
        "generator": _hash(_network(G, G_labels), *G_weights, latents, *G_labels, *G_key),
        "discriminator": _hash(_network(D, D_labels), *D_weights, packs, *D_labels, *D_key),
        "loss": _hash(_losses(gan), *_seen_by_losses(gan, samples, packs, labels, latents, key, step)),
        "penalties": _hash(_penalties(gan), *D_weights, packs, packs, key, step, *D_labels),
        "generator_optimizer": _hash(_optimizer(gan.generator_optimizer), G_weights[0], value),
        "discriminator_optimizer": _hash(_optimizer(gan.discriminator_optimizer), D_weights[0], value),
        "latent": _hash(lambda key: sample_latent(gan, key, batch), key),
        "augment": _augment(gan, key, samples, batch // gan.packing),
        "generator_penalties": "none",
    }
    if gan.generator_penalties:
        arguments = (*G_weights, latents, key, step, *G_labels)
        functions["generator_penalties"] = _hash(_generator_penalties(gan), *arguments)
    settings = {
        "packing": gan.packing,
        "ema_decay": float(gan.ema_decay),
        "update": gan.update,
        "discriminator_updates": gan.discriminator_updates,
        "unrolling": gan.unrolling,
        "outputs": list(gan.outputs),
        "ema_warmup": gan.ema_warmup,
        "loss_scale": None if gan.loss_scale is None else dataclasses.asdict(gan.loss_scale),
    }
    made_with = {name: version for name, version in versions().items() if name != "python"}
    made_with |= {"backend": jax.default_backend()} | {
        name: getattr(jax.config, name) for name in JAX_SETTINGS
    }
    return {"made_with": made_with, "functions": functions, "settings": settings}


def data_fingerprint(source: Source, batch: int, *, arrays: bool) -> str:
    """SHA-256 of how batches are drawn and, with `arrays`, of the samples that they are drawn from."""

    shapes, key = jax.eval_shape(lambda: (source, jax.random.key(0)))
    digest = hashlib.sha256(_hash(_first_batch(batch), shapes, key).encode())
    for leaf in jax.tree.leaves(source) if arrays else ():
        _add_array(digest, leaf)
    return digest.hexdigest()


def _first_batch(batch: int) -> Callable[[Source, Any], Any]:
    def function(source: Source, key: jax.Array) -> Any:
        plan = source.plan(key, 0, 1, batch)
        return source.fetch(jax.tree.map(lambda x: x[0], plan), batch)

    return function


def difference(mine: Mapping[str, Any], its: Any) -> str | None:
    """What differs between two fingerprints, in words; None if nothing is known to differ.

    Args:
        mine: of this GAN and its data.
        its: what a run recorded, which may be anything: runs of an older ganjax recorded nothing.
    """
    if not isinstance(its, Mapping):
        return None
    settings, functions = _mapping(its, "settings"), _mapping(its, "functions")
    changed = [
        f"its {name} is {settings[name]!r}, not {value!r}"
        for name, value in mine["settings"].items()
        if settings.get(name, value) != value
    ]
    names = [name for name, value in mine["functions"].items() if functions.get(name, value) != value]
    if names and mine["made_with"] == its.get("made_with"):
        if "discriminator" in names and "penalties" in names:
            names.remove("penalties")  # these are hashed with their gradients through the discriminator
        changed += [f"its {name} is not that of this GAN" for name in names if name != "data"]
        changed += ["its data are not these"] if "data" in names else []
    return "; ".join(changed) or None


def _mapping(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}


# What is traced.


def _network(model: keras.Model, labels: tuple[Any, ...]) -> Callable[..., Any]:
    """A training pass with its gradients, regularizers and constraints."""

    def function(params: Any, statistics: Any, x: Any, *rest: Any) -> Any:
        inputs = (x, *rest) if labels else (x, None, *rest)

        def forward(params: Any, x: Any) -> Any:
            y, after = stateless.call_with_losses(model, params, statistics, x, *inputs[1:], training=True)
            return (y, after.losses, stateless.regularization(model, params)), after.statistics

        outputs, pullback, after = jax.vjp(forward, params, x, has_aux=True)
        return outputs, after, pullback(outputs), stateless.constrained(model, params)

    return function


def _labels(gan: GAN, batch: int, source: Source | None) -> Any:
    """Shapes of the labels of a batch; None where there are none, `ANY` where they are not known."""
    if gan.label_spec is ANY and source is not None:
        key = jax.eval_shape(lambda: jax.random.key(0))
        real = jax.eval_shape(_first_batch(batch * gan.discriminator_updates), source, key)
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), labelled(real).labels
        )
    return gan.label_spec if gan.label_spec in (None, ANY) else stateless.filled(gan.label_spec, batch)


def _seen_by_losses(
    gan: GAN, samples: Any, packs: Any, labels: Any, latents: Any, key: Any, step: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Shapes of real logits, of fake ones, and of what else the losses ask for."""
    n = jax.tree.leaves(packs)[0].shape[0]
    logits, D_outputs = (
        stateless.filled(x, n) for x in gan.divide_scored(stateless.output_spec(gan.discriminator))
    )
    _, G_outputs = gan.divide_generated(stateless.output_spec(gan.generator))
    count = jax.tree.leaves(samples)[0].shape[0]
    offered = {
        "real": packs,
        "fake": packs,
        "real_unaugmented": samples,
        "fake_unaugmented": samples,
        "labels": labels,
        "latents": latents,
        "key": key,
        "step": step,
        "real_outputs": D_outputs,
        "fake_outputs": D_outputs,
        "generator_outputs": stateless.filled(G_outputs, count),
    }
    if labels is ANY:
        offered = {}
    return logits, logits, {name: offered[name] for name in sorted(gan.losses_ask_for) if name in offered}


def _losses(gan: GAN) -> Callable[..., Any]:
    def function(real: jax.Array, fake: jax.Array, offered: dict[str, Any]) -> Any:
        def of(loss: Callable[..., Any]) -> Callable[..., Any]:
            return lambda *logits: evaluate(loss, *logits, **offered)

        if "labels" in gan.losses_ask_for - offered.keys():  # of which no shape is known
            return None
        both = jax.value_and_grad(of(gan.loss.discriminator), argnums=(0, 1), has_aux=True)(real, fake)
        return both, jax.value_and_grad(of(gan.loss.generator), has_aux=True)(fake, real)

    return function


def _penalties(gan: GAN) -> Callable[..., Any]:
    def function(
        params: Any, statistics: Any, real: Any, fake: Any, key: Any, step: Any, labels: Any = None
    ) -> Any:
        def discriminator(x: Any) -> jax.Array:
            y, _ = stateless.call(gan.discriminator, params, statistics, x, labels, training=True)
            return gan.divide_scored(y)[0].astype(jnp.float32)

        return [term(discriminator, real, fake, key=key, step=step) for term in gan.penalties]

    return function


def _generator_penalties(gan: GAN) -> Callable[..., Any]:
    def function(params: Any, statistics: Any, latents: Any, key: Any, step: Any, labels: Any = None) -> Any:
        def generator(latents: Any) -> Any:
            y, _ = stateless.call(gan.generator, params, statistics, latents, labels, training=True)
            return gan.divide_generated(y)[0]

        return [term(generator, latents, key=key, step=step) for term in gan.generator_penalties]

    return function


def _augment(gan: GAN, key: Any, samples: Any, packs: int) -> str:
    augment: Any = gan.augment
    if augment is None:
        return "none"
    if not hasattr(augment, "init"):
        return _hash(augment, key, samples)
    logits, _ = gan.divide_scored(stateless.output_spec(gan.discriminator))

    def function(key: Any, x: Any, logits: Any) -> Any:
        start = augment.init()
        return start, augment(key, x, start), augment.update(start, logits)

    return _hash(function, key, samples, stateless.filled(logits, packs))


def _optimizer(optimizer: optax.GradientTransformation) -> Callable[..., Any]:
    """Initial state and one update: settings may be in either."""

    def function(params: Any, value: jax.Array) -> Any:
        with stateless.standard_promotion():
            memory = optimizer.init(params)
            update = optax.with_extra_args_support(optimizer).update
            return memory, update(params, memory, params, value=value, grad=params)

    return function


def _weights(model: keras.Model) -> tuple[list[Any], list[Any]]:
    def shapes(variables: list[Any]) -> list[Any]:
        return [jax.ShapeDtypeStruct(v.shape, jnp.dtype(v.dtype)) for v in variables]

    return shapes(model.trainable_variables), shapes(model.non_trainable_variables)


def _floats(*shape: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, jnp.float32)


# How a jaxpr is hashed.


def _hash(function: Callable[..., Any], *arguments: Any) -> str:
    digest = hashlib.sha256()
    # The precision of products is a setting of the machine, and a run may be resumed with another one.
    with jax.default_matmul_precision("default"):
        _add(digest, jax.make_jaxpr(function)(*arguments))
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    """Add a jaxpr, or a parameter of a primitive."""
    if isinstance(value, core.ClosedJaxpr):
        _add_jaxpr(digest, value.jaxpr, value.consts)
    elif isinstance(value, core.Jaxpr):
        _add_jaxpr(digest, value, [])
    elif value is None or isinstance(value, bool | int | float | complex | str | bytes):
        digest.update(f"{value!r};".encode())
    elif isinstance(value, jax.Array | np.ndarray | np.generic):
        _add_array(digest, value)
    elif isinstance(value, tuple | list):
        digest.update(f"{len(value)}(".encode())
        for item in value:
            _add(digest, item)
    elif isinstance(value, Mapping):
        _add(digest, [(str(name), value[name]) for name in sorted(value, key=str)])
    elif isinstance(value, enum.Enum):
        digest.update(f"{value.name};".encode())
    elif isinstance(value, np.dtype) or hasattr(value, "dtype"):
        digest.update(f"{getattr(value, 'dtype', value)}{getattr(value, 'shape', '')};".encode())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _add(digest, [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)])
    else:  # a function or an object of JAX: what it computes is in the jaxpr, and its name may differ
        digest.update(b"object;")


def _add_jaxpr(digest: Any, jaxpr: core.Jaxpr, consts: Any) -> None:
    numbers: dict[Any, int] = {}

    def write(variable: Any) -> None:
        digest.update(f"{numbers.setdefault(variable, len(numbers))}:".encode())
        _add(digest, variable.aval)

    def read(atom: Any) -> None:
        if isinstance(atom, core.Literal):
            _add(digest, atom.val)
            _add(digest, atom.aval)
        else:
            digest.update(f"{numbers[atom]},".encode())

    for variable in [*jaxpr.constvars, *jaxpr.invars]:
        write(variable)
    for const in consts:
        _add(digest, const)
    for equation in jaxpr.eqns:
        digest.update(f"\n{equation.primitive.name} ".encode())
        for atom in equation.invars:
            read(atom)
        for variable in equation.outvars:
            write(variable)
        for name in sorted(equation.params.keys() - IGNORED):
            digest.update(f"{name}=".encode())
            _add(digest, equation.params[name])
    digest.update(b"\n->")
    for atom in jaxpr.outvars:
        read(atom)


def _add_array(digest: Any, array: Any) -> None:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    content = np.ascontiguousarray(array)
    digest.update(f"{content.dtype}{content.shape}".encode())
    digest.update(content.reshape(-1).view(np.uint8))
