"""A small network that recognises the parts of a cartoon face, and how it is trained.

It is used to score generators trained on the avatars: by the parts that their faces have, and by how far
these faces are from real ones in the network's features. It is trained on freshly rendered faces. They have
seeds of their own, so the network never sees the pictures that a run was trained on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from keras import layers

from ganjax import stateless
from ganjax.datasets.avatars import HATS, LABEL_NAMES, render_avatars
from ganjax.datasets.images import ImageSet
from ganjax.system.keras_settings import default_keras_settings

HAT_NAMES = tuple(hat.name for hat in HATS)
GRID = 32  # every picture is cut into GRID x GRID patches, whatever its size

_ENDS = np.cumsum([len(names) for names in LABEL_NAMES.values()])
HEADS = dict(zip(LABEL_NAMES, map(slice, [0, *_ENDS[:-1].tolist()], _ENDS.tolist()), strict=True))
"""Attribute -> the slice of the logits that holds its values."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Everything that a classifier depends on except the machine.

    Attributes:
        size: height and width of the pictures, a multiple of 32.
        faces: number of training faces; a quarter as many are held out.
        steps: number of weight updates.
        batch: faces per update.
        width: channels of the first convolution; doubled at each halving of the side.
        features: size of the last layer before the heads.
        learning_rate: the highest of AdamW: warm-up over a twentieth of the steps, then a cosine to zero.
        seed: of the PRNG key for initial weights, order and augmentation.
        training_seed, held_out_seed: of the faces (see `datasets.avatars`). Runs are trained on seed 0.
        version: increased whenever a change of this file changes the trained classifier.
    """

    size: int = 64
    faces: int = 16_384
    steps: int = 1536
    batch: int = 64
    width: int = 32
    features: int = 128
    learning_rate: float = 3e-3
    seed: int = 0
    training_seed: int = 1000
    held_out_seed: int = 1001
    version: int = 1


class Trained(NamedTuple):
    """A classifier, and for each attribute the share of held-out faces on which it is right.

    Only faces on which the attribute can be seen count.
    """

    model: keras.Model
    accuracy: dict[str, float]


@default_keras_settings()
def build(size: int, width: int, features: int) -> keras.Model:
    """The Keras model: pictures `(batch, size, size, 3)` in [-1, 1] to `[features, logits]`.

    Patches become channels, so pictures of every size cost about the same and no pixel is lost. `HEADS` says
    which logits belong to which attribute.

    Raises:
        ValueError: `size` is not a multiple of 32.
    """
    if size < GRID or size % GRID:
        raise ValueError(f"the classifier is for pictures of a multiple of {GRID} pixels, not {size}")
    pictures = layers.Input((size, size, 3), name="picture")
    x = _gathered(pictures, GRID, "patches")
    x = _normalized(layers.Conv2D(width, 3, padding="same", use_bias=False, name="convolution_32")(x), "32")
    for side in (16, 8, 4):
        channels = width * GRID // max(side, 8)
        x = _gathered(x, side, f"gather_{side}")
        x = layers.Dense(channels, use_bias=False, name=f"mix_{side}")(x)
        x = _normalized(x, f"mix_{side}")
        if side > 4:
            h = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"convolution_{side}")(x)
            x = layers.Add(name=f"residual_{side}")([x, _normalized(h, str(side))])
    x = layers.Dense(features, use_bias=False, name="describe")(layers.Flatten(name="flat")(x))
    x = _normalized(x, "features")
    return keras.Model(pictures, [x, layers.Dense(int(_ENDS[-1]), name="heads")(x)], name="avatar_classifier")


def train(recipe: Recipe, progress: bool = False) -> Trained:
    """Train the classifier that `recipe` describes: on one machine always the same one.

    Args:
        recipe: its data, sizes and training.
        progress: show a progress bar for rendering and training (on a terminal only).
    """
    from tqdm import tqdm

    real = render_avatars(recipe.training_seed, recipe.faces, recipe.size, progress)
    model = stateless.without_values(lambda: build(recipe.size, recipe.width, recipe.features))
    init_key, order_key, step_key = jax.random.split(jax.random.key(recipe.seed), 3)
    params, statistics = stateless.initial_weights(model, init_key)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, max(1, recipe.steps // 20), recipe.steps
    )
    optimizer = optax.adamw(schedule, weight_decay=1e-2)

    def loss(params, statistics, images, targets, visible):
        (_, logits), new_statistics = stateless.call(model, params, statistics, images, training=True)
        return cross_entropy(logits, targets, visible), new_statistics

    @jax.jit
    def step(params, statistics, opt_state, pixels, targets, visible, key):
        images = augment(key, pixels.astype(jnp.float32) / 127.5 - 1)
        gradients, new_statistics = jax.grad(loss, has_aux=True)(params, statistics, images, targets, visible)
        with stateless.standard_promotion():
            updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), new_statistics, opt_state

    opt_state = optimizer.init(params)
    targets, visible = _columns(real.labels), _columns(visible_attributes(real.labels))
    order = _order(order_key, recipe)
    disable = None if progress else True
    for i, rows in enumerate(tqdm(order, desc="training the classifier", disable=disable, leave=False)):
        key = jax.random.fold_in(step_key, i)
        params, statistics, opt_state = step(
            params, statistics, opt_state, real.images[rows], targets[rows], visible[rows], key
        )
    stateless.assign(model, params, statistics)
    held_out = render_avatars(recipe.held_out_seed, max(1, recipe.faces // 4), recipe.size, progress)
    return Trained(model, accuracy(model, held_out))


def cross_entropy(logits: jax.Array, targets: jax.Array, visible: jax.Array) -> jax.Array:
    """Sum over the attributes of the mean cross-entropy, in nats, on the faces where each is visible.

    Args:
        logits: float32 (batch, values of all attributes).
        targets: int32 (batch, attributes), in the order of `HEADS`.
        visible: bool (batch, attributes).
    """
    total = jnp.float32(0)
    for column, head in enumerate(HEADS.values()):
        each = optax.softmax_cross_entropy_with_integer_labels(logits[:, head], targets[:, column])
        weights = visible[:, column].astype(jnp.float32)
        total += jnp.sum(each * weights) / jnp.maximum(jnp.sum(weights), 1.0)
    return total


def augment(key: jax.Array, images: jax.Array) -> jax.Array:
    """Shift, blur and add noise to the faces, as generated faces may be a little shifted, blurred or noisy.

    Args:
        key: PRNG key.
        images: float32 (batch, size, size, 3) in [-1, 1].

    Returns:
        The same shape. Each picture is shifted by up to a 64th of its size, mixed with its copy blurred by
        [1 2 1] / 4, and has noise with a standard deviation of up to 0.05 added.
    """
    n, size = images.shape[:2]
    most = size // 64
    shift_key, blur_key, level_key, noise_key = jax.random.split(key, 4)
    padded = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    corners = jax.random.randint(shift_key, (n, 2), 0, 2 * most + 1)
    shifted = jax.vmap(lambda x, c: jax.lax.dynamic_slice(x, (c[0], c[1], 0), (size, size, 3)))(
        padded, corners
    )
    amount = jax.random.uniform(blur_key, (n, 1, 1, 1)) ** 2  # mostly small: a nose differs little from skin
    blurred = shifted + amount * (_blurred(shifted) - shifted)
    level = 0.05 * jax.random.uniform(level_key, (n, 1, 1, 1))
    # All pictures of a batch share one noise pattern: one for each would take as long as the update itself.
    return blurred + level * jax.random.normal(noise_key, (1, *images.shape[1:]))


def _blurred(images: jax.Array) -> jax.Array:
    size = images.shape[1]
    for axis in (1, 2):
        widths = [(1, 1) if i == axis else (0, 0) for i in range(4)]
        padded = jnp.pad(images, widths, mode="edge")
        before, here, after = (jax.lax.slice_in_dim(padded, i, i + size, axis=axis) for i in range(3))
        images = (before + 2 * here + after) / 4
    return images


def read(model: keras.Model, images: np.ndarray, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (n, features), and logits float32 (n, values of all attributes).

    Args:
        model: see `build`.
        images: (n, size, size, 3), uint8 or floats in [-1, 1].
        batch: pictures per call of the model.
    """
    params = [variable.value for variable in model.trainable_variables]
    statistics = [variable.value for variable in model.non_trainable_variables]
    parts = []
    for start in range(0, len(images), batch):
        block = np.asarray(images[start : start + batch])
        # The last batch is filled up, so that all have one shape and only one is compiled.
        filled = np.concatenate([block, np.repeat(block[-1:], batch - len(block), axis=0)])
        parts.append([np.asarray(part)[: len(block)] for part in _forward(model, params, statistics, filled)])
    features, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return features, logits


@partial(jax.jit, static_argnums=0)
def _forward(model: keras.Model, params: list, statistics: list, pictures: jax.Array) -> list[jax.Array]:
    scaled = pictures.astype(jnp.float32) / 127.5 - 1 if pictures.dtype == jnp.uint8 else pictures
    return stateless.call(model, params, statistics, scaled, training=False)[0]  # type: ignore[return-value]


def accuracy(model: keras.Model, faces: ImageSet) -> dict[str, float]:
    """Attribute -> share of `faces` whose value is recognised, among those where the attribute is visible."""
    _, logits = read(model, faces.images)
    visible = visible_attributes(faces.labels)
    right = {
        attribute: np.argmax(logits[:, head], axis=1) == faces.labels[attribute]
        for attribute, head in HEADS.items()
    }
    return {attribute: float(right[attribute][visible[attribute]].mean()) for attribute in HEADS}


def visible_attributes(labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """On which faces each attribute can be seen: on the others every value of it gives the same picture.

    Args:
        labels: attribute -> integer (n,), indices into `LABEL_NAMES`; all attributes of the avatars.

    Returns:
        Attribute -> bool (n,).
    """
    hatted = _is_one_of(labels, "hair", *HAT_NAMES)
    bald = _is_one_of(labels, "hair", "none")
    bearded = ~_is_one_of(labels, "facial_hair", "none")
    veiled = _is_one_of(labels, "hair", "hijab")
    visible = {attribute: np.ones(len(values), bool) for attribute, values in labels.items()}
    visible["hair_color"] = ~(hatted | bald) | bearded  # a beard has the hair's colour
    visible["hat_color"] = hatted
    visible["eyes"] = ~_is_one_of(labels, "accessory", "kurt")  # eyes can be seen through all other glasses
    visible["clothing"] = visible["clothing_color"] = ~veiled
    return visible


def _is_one_of(labels: Mapping[str, np.ndarray], attribute: str, *names: str) -> np.ndarray:
    return np.isin(labels[attribute], [LABEL_NAMES[attribute].index(name) for name in names])


def _order(key: jax.Array, recipe: Recipe) -> np.ndarray:
    """Indices of the faces in each step's batch, int (steps, batch): one permutation after another."""
    count = recipe.steps * recipe.batch
    epochs = -(-count // recipe.faces)
    orders = [jax.random.permutation(jax.random.fold_in(key, i), recipe.faces) for i in range(epochs)]
    return np.concatenate(orders)[:count].reshape(recipe.steps, recipe.batch)


def _columns(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack([labels[attribute] for attribute in HEADS], axis=1)


def _gathered(x: keras.KerasTensor, side: int, name: str) -> keras.KerasTensor:
    """Patches as channels: `(k side, k side, c)` to `(side, side, k k c)`."""
    k, c = x.shape[1] // side, x.shape[-1]
    if k == 1:
        return x
    x = layers.Reshape((side, k, side, k * c), name=f"{name}_split")(x)
    x = layers.Permute((1, 3, 2, 4), name=f"{name}_turn")(x)
    return layers.Reshape((side, side, k * k * c), name=name)(x)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.95, name=f"normalization_{name}")(x)
    return layers.LeakyReLU(0.1, name=f"activation_{name}")(x)
