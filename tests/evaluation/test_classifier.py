import dataclasses

import faces
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from ganjax.datasets import avatars
from ganjax.datasets.avatars import LABEL_NAMES
from ganjax.evaluation import classifier as module
from ganjax.evaluation.classifier import HEADS


def test_it_recognises_large_parts_of_unseen_faces(classifier):
    """The tiny one does better on large parts and colours than always naming the most frequent value."""
    assert classifier.accuracy.keys() == LABEL_NAMES.keys()
    labels = faces.faces(1, 200).labels
    modes = {name: np.bincount(values).max() / len(values) for name, values in labels.items()}
    better = [
        classifier.accuracy[name] > modes[name] + 0.1
        for name in ("skin_color", "hair", "hat_color", "hair_color")
    ]
    assert all(better), (classifier.accuracy, modes)


def test_heads_cover_the_logits_without_overlap():
    covered = [i for head in HEADS.values() for i in range(head.start, head.stop)]
    assert covered == list(range(sum(map(len, LABEL_NAMES.values()))))
    assert all(head.stop - head.start == len(LABEL_NAMES[name]) for name, head in HEADS.items())


def test_the_same_recipe_gives_the_same_classifier():
    recipe = dataclasses.replace(faces.RECIPE, faces=64, steps=6)
    once, again = module.train(recipe), module.train(recipe)
    assert again.accuracy == once.accuracy
    for a, b in zip(again.model.weights, once.model.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("size", [16, 48])
def test_the_error_names_a_size_that_does_not_fit(size):
    with pytest.raises(ValueError, match=f"multiple of 32 pixels, not {size}"):
        module.build(size, 8, 8)


def test_no_pixel_is_lost():
    """Larger pictures are cut into patches, and every pixel stays in its patch."""
    pictures = keras.layers.Input((64, 64, 3))
    patches = keras.Model(pictures, module._gathered(pictures, 32, "patches"))
    images = np.arange(64 * 64 * 3, dtype=np.float32).reshape(1, 64, 64, 3)
    found = np.asarray(patches(images))
    assert found.shape == (1, 32, 32, 12)
    np.testing.assert_array_equal(found[0, 5, 9], images[0, 10:12, 18:20].reshape(-1))


def test_what_is_not_visible_has_no_gradient_and_no_loss(key):
    n = len(HEADS)
    logits = jax.random.normal(key, (4, HEADS["clothing_color"].stop))
    targets = jnp.zeros((4, n), jnp.int32)
    visible = jnp.ones((4, n), bool).at[0, 1].set(False)
    gradient = jax.jit(jax.grad(module.cross_entropy))(logits, targets, visible)
    hair = HEADS["hair"]
    assert not np.asarray(gradient[0, hair]).any()
    assert np.asarray(gradient[1, hair]).all()
    probabilities = jax.nn.softmax(logits[1:, hair], axis=1)[:, 0]
    alone = jnp.zeros((4, n), bool).at[1:, 1].set(True)
    value = jax.jit(module.cross_entropy)(logits, targets, alone)
    np.testing.assert_allclose(value, -np.log(probabilities).mean(), rtol=1e-5)


def test_augmented_faces_are_the_same_faces(key):
    images = jnp.asarray(faces.faces(1, 8).images, jnp.float32) / 127.5 - 1
    augment = jax.jit(module.augment)
    seen = augment(key, images)
    assert (seen.shape, seen.dtype) == (images.shape, jnp.float32)
    assert 0.005 < float(jnp.abs(seen - images).mean()) < 0.2
    np.testing.assert_array_equal(seen, augment(key, images))
    assert not np.array_equal(seen, augment(jax.random.key(1), images))


def test_blur_keeps_what_is_constant_and_spreads_a_point():
    point = jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(16.0)
    expected = np.outer([1, 2, 1], [1, 2, 1])
    np.testing.assert_allclose(module._blurred(point)[0, 1:4, 1:4, 0], expected)
    flat = jnp.full((1, 5, 5, 1), 0.5)
    np.testing.assert_allclose(module._blurred(flat), flat)


def test_every_face_is_learnt_from_equally_often(key):
    recipe = dataclasses.replace(faces.RECIPE, faces=24, steps=12, batch=6)
    order = module._order(key, recipe)
    assert order.shape == (12, 6)
    assert np.array_equal(np.bincount(order.reshape(-1)), np.full(24, 3))


def test_reading_is_the_same_whatever_the_batch(classifier):
    images = faces.faces(1, 10).images
    features, logits = module.read(classifier.model, images, batch=4)
    others = module.read(classifier.model, images, batch=256)
    np.testing.assert_allclose(features, others[0], atol=1e-4)
    np.testing.assert_allclose(logits, others[1], atol=1e-4)
    floats = module.read(classifier.model, images.astype(np.float32) / np.float32(127.5) - 1)
    np.testing.assert_allclose(logits, floats[1], atol=1e-4)
    assert features.dtype == logits.dtype == np.float32


# Every rule needs its cases: a hat with a beard and without, a bald head, a hijab, a visor.
CASES = [
    {"hair": "turban", "facial_hair": "beard_light"},
    {"hair": "hat", "facial_hair": "none"},
    {"hair": "none", "facial_hair": "none"},
    {"hair": "none", "facial_hair": "moustache_fancy"},
    {"hair": "hijab", "facial_hair": "none", "accessory": "none"},
    {"accessory": "kurt"},
    {"accessory": "sunglasses"},
    {"hair": "bob"},
]
LABELS = avatars.choose_parts(7, len(CASES))
for row, case in enumerate(CASES):
    for attribute, name in case.items():
        LABELS[attribute][row] = LABEL_NAMES[attribute].index(name)


def picture(row, **changed):
    label = {name: int(values[row]) for name, values in LABELS.items()} | changed
    return avatars._face(label, 32).astype(np.int32)


@pytest.mark.parametrize("attribute", LABEL_NAMES)
def test_an_attribute_is_visible_where_another_value_gives_another_picture(attribute):
    visible = module.visible_attributes(LABELS)[attribute]
    assert visible.dtype == bool
    for row in range(len(CASES)):
        values = range(len(LABEL_NAMES[attribute]))
        pictures = np.stack([picture(row, **{attribute: value}) for value in values])
        differs = (np.abs(pictures - pictures[:1]).max(axis=3) > 4).sum(axis=(1, 2))
        assert (differs.max() > 1) == visible[row], (row, differs)  # 1: an edge of clothes below a hijab


def test_visibility_is_known_of_every_attribute_on_every_face():
    visible = module.visible_attributes(LABELS)
    assert visible.keys() == LABEL_NAMES.keys()
    assert {len(each) for each in visible.values()} == {len(CASES)}
