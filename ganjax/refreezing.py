"""Going on after other layers were frozen: a state's arrays at the places where the new GAN has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import optax

from ganjax import stateless
from ganjax.gan import GAN
from ganjax.state import AveragedWeights, GANState, NetworkState
from ganjax.stateless import Weights
from ganjax.stateless.rebuilding import first_sentence
from ganjax.stateless.variables import Snapshot


def refreeze(gan: GAN, state: GANState, new_gan: GAN) -> GANState:
    """The state with which training goes on after `trainable` of some layers was changed.

        encoder.trainable = False
        new_gan = dataclasses.replace(gan)
        state = ganjax.refreeze(gan, state, new_gan)

    Every array stays with its variable: weights, statistics and averages, and what an optimiser keeps for a
    weight that is trained before and after. For a weight that was frozen, an optimiser starts as it does at
    the first step; what it kept for a weight that is frozen now is dropped. Its counts go on, and so do step
    and key. Traceable; over a population with `jax.vmap(lambda state: refreeze(gan, state, new_gan))`.

    Args:
        gan: the GAN that has been trained; it may be unusable by now, as its models have changed.
        state: its state. The new one shares its arrays.
        new_gan: a GAN of the same two Keras models, made after the change, whose optimisers keep the same
            arrays for a weight (learning rates may differ).

    Raises:
        ValueError: the models or what the optimisers keep are others, an optimiser does not tell which array
            is of which weight, or a model of `new_gan` was changed after it was made.
    """
    new_gan.check_models()
    networks = []
    for role, before, after in zip(
        ("generator", "discriminator"), gan.snapshots, new_gan.snapshots, strict=True
    ):
        if before.model is not after.model or set(_ids(before)) != set(_ids(after)):
            raise ValueError(
                f"refreeze needs a new GAN of the same Keras models, but its {role} {after.model.name!r} is "
                f"not the one that was trained, or has other variables"
            )
        optimizers = [getattr(each, f"{role}_optimizer") for each in (gan, new_gan)]
        networks.append(_network(role, getattr(state, role), before, after, optimizers))
    G, D = networks
    ema = AveragedWeights(*_moved(state.ema, *(each.snapshots[0] for each in (gan, new_gan))))
    return dataclasses.replace(state, generator=G, discriminator=D, ema=ema)


def _network(
    role: str,
    network: NetworkState,
    before: Snapshot,
    after: Snapshot,
    optimizers: Sequence[optax.GradientTransformation],
) -> NetworkState:
    params, statistics = _moved(network, before, after)
    with stateless.standard_promotion():
        fresh = optimizers[1].init(params)
        try:
            old = _by_weight(optimizers[0], network.optimizer, before.trained, network.params)
            new = _by_weight(optimizers[1], fresh, after.trained, params)
        except Exception as error:
            raise ValueError(
                f"{role}_optimizer does not tell which array is of which weight ({first_sentence(error)}): "
                "start its state anew, with optimizer.init(params)"
            ) from error
        described = [jax.tree.structure(jax.eval_shape(each.init, params[:1])) for each in optimizers]
    kept: dict[int | None, list[jax.Array]] = {}
    for owner, leaf in old:
        kept.setdefault(owner, []).append(leaf)
    stay = {None, *map(id, before.trained)} & {None, *map(id, after.trained)}
    at = {owner: iter(kept.get(owner, [])) for owner in stay}
    leaves = [next(at[owner], None) if owner in stay else leaf for owner, leaf in new]

    def like(a: Any, b: Any) -> bool:
        return a is not None and (a.shape, a.dtype) == (b.shape, b.dtype)

    if described[0] != described[1] or not all(map(like, leaves, [leaf for _, leaf in new])):
        raise ValueError(
            f"the new {role}_optimizer does not keep the same arrays as the one before: refreeze needs the "
            "same transformations, in which only numbers may differ"
        )
    optimizer = jax.tree.unflatten(jax.tree.structure(fresh), leaves)
    return dataclasses.replace(network, params=params, statistics=statistics, optimizer=optimizer)


def _ids(snapshot: Snapshot) -> list[int]:
    return [id(v) for v in (*snapshot.trained, *snapshot.others)]


def _moved(weights: Any, before: Snapshot, after: Snapshot) -> tuple[Weights, Weights]:
    """`params` and `statistics` with every array at the new place of its variable."""
    values = dict(zip(_ids(before), [*weights.params, *weights.statistics], strict=True))
    moved = [values[key] for key in _ids(after)]
    count = len(after.trained)
    return moved[:count], moved[count:]


def _by_weight(
    optimizer: optax.GradientTransformation, memory: Any, trained: Sequence[Any], params: Weights
) -> list[tuple[int | None, jax.Array]]:
    """Each leaf of the optimiser's state with the `id` of the variable that it is kept for; None for a count.

    The state is described once more for weights in a dict, whose names then stand in the paths of its leaves.
    """
    names = [f"{i:09}" for i in range(len(params))]  # in the order of the list
    owners = dict(zip(names, map(id, trained), strict=True))
    described = jax.eval_shape(optimizer.init, dict(zip(names, params, strict=True)))
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(described)]
    found = [[owners[e.key] for e in path if getattr(e, "key", None) in owners] for path in paths]
    return list(zip([f[0] if f else None for f in found], jax.tree.leaves(memory), strict=True))
