"""Series of latents: those of the original notebook, interpolations, steps along directions, neighbours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.viewing import latents


def test_constant_latents_are_those_of_the_original_notebook():
    series, rows, columns = latents.constant_latents((1, 1, 100))
    assert series.shape == (8, 1, 1, 100)
    assert series.dtype == np.float32
    values = [1, 0.8, 0.6, 0.4, -0.4, -0.6, -0.8, -1]
    for latent, value in zip(series, values, strict=True):
        np.testing.assert_array_equal(latent, np.full((1, 1, 100), value, np.float32))
    assert columns == ["1", "0.8", "0.6", "0.4", "-0.4", "-0.6", "-0.8", "-1"]
    assert len(rows) == 1


def test_ten_more_coordinates_are_flipped_at_a_time():
    series, rows, columns = latents.flipped_latents((100,))
    assert series.shape == (11, 100)
    assert series.dtype == np.float32
    for i, latent in enumerate(series):
        np.testing.assert_array_equal(latent, [-1] * 10 * i + [1] * (100 - 10 * i))
    assert columns == [str(10 * i) for i in range(11)]
    assert len(rows) == 1


@pytest.mark.parametrize("size", [1, 5, 10, 13, 128])
def test_flipping_ends_with_all_of_any_size(size):
    series, _, columns = latents.flipped_latents((size,))
    assert (series[0] == 1).all()
    assert (series[-1] == -1).all()
    assert columns[-1] == str(size)
    steps = np.diff([int(column) for column in columns])
    assert (steps > 0).all()
    assert (steps <= 10).all()


def test_the_first_35_are_fixed_and_the_others_drawn_again():
    random = np.random.default_rng(0)
    starts = random.normal(size=(3, 1, 1, 100)).astype(np.float32)
    others = random.normal(size=(12, 1, 1, 100)).astype(np.float32)
    before = others.copy()
    series, rows, _ = latents.held_latents(starts, others)
    assert series.shape == (12, 1, 1, 100)
    for i, latent in enumerate(series):
        np.testing.assert_array_equal(latent[0, 0, :35], starts[i // 4, 0, 0, :35])
        np.testing.assert_array_equal(latent[0, 0, 35:], before[i, 0, 0, 35:])
    assert len(rows) == 3
    assert "first 35" in rows[0]
    np.testing.assert_array_equal(others, before)


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(2, 120), columns=st.integers(2, 9))
def test_a_walk_on_the_sphere_has_exact_ends_and_even_steps(seed, size, columns):
    random = np.random.default_rng(seed)
    starts, ends = random.normal(size=(2, 3, size)).astype(np.float32)
    walk, rows, labels = latents.interpolated_latents(starts, ends, columns)
    assert walk.dtype == np.float32
    walk = walk.reshape(3, columns, size)
    np.testing.assert_allclose(walk[:, 0], starts, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(walk[:, -1], ends, rtol=1e-5, atol=1e-5)
    assert (len(rows), len(labels)) == (3, columns)

    # Between two latents of one length the walk keeps that length, and turns by the same angle each time.
    ends *= np.linalg.norm(starts, axis=1, keepdims=True) / np.linalg.norm(ends, axis=1, keepdims=True)
    walk = latents.interpolated_latents(starts, ends, columns)[0].reshape(3, columns, size).astype(float)
    lengths = np.linalg.norm(walk, axis=2)
    np.testing.assert_allclose(lengths, lengths[:, :1].repeat(columns, 1), rtol=1e-4)
    cosines = (walk[:, 1:] * walk[:, :-1]).sum(axis=2) / (lengths[:, 1:] * lengths[:, :-1])
    np.testing.assert_allclose(cosines, cosines[:, :1].repeat(columns - 1, 1), atol=1e-4)


@pytest.mark.parametrize("end", [1.0, 2.0, -1.0])
def test_a_walk_between_parallel_latents_is_finite(end):
    start = np.ones((1, 4), np.float32)
    walk = latents.interpolated_latents(start, end * start, 5)[0]
    assert np.isfinite(walk).all()
    np.testing.assert_allclose(walk[[0, -1]], np.concatenate([start, end * start]), rtol=1e-3)


def test_a_walk_from_or_to_zero_is_finite():
    some, zero = np.ones((1, 4), np.float32), np.zeros((1, 4), np.float32)
    for a, b in ((some, zero), (zero, some), (zero, zero)):
        walk = latents.slerp(a, b, [0, 0.5, 1])
        np.testing.assert_allclose(walk[[0, -1]], np.concatenate([a, b]), atol=1e-6)
        assert np.isfinite(walk).all()


def test_a_closed_walk_meets_each_face_once():
    faces = np.random.default_rng(0).normal(size=(3, 1, 1, 10)).astype(np.float32)
    walk = latents.closed_walk(faces, 5)
    assert walk.shape == (15, 1, 1, 10)
    np.testing.assert_allclose(walk[::5], faces, atol=1e-6)
    last_part = latents.slerp(faces[2:], faces[:1], np.arange(5) / 5)
    np.testing.assert_array_equal(walk[10:], last_part)


def test_steps_along_directions():
    directions = np.eye(3, 5, k=1, dtype=np.float32)
    start = np.arange(5, dtype=np.float32)
    series, rows, columns = latents.direction_latents(start, directions, scale=2.0)
    assert (len(rows), len(columns)) == (3, 7)
    assert columns == ["-3σ", "-2σ", "-1σ", "0", "+1σ", "+2σ", "+3σ"]
    steps = (series - start).reshape(3, 7, 5)
    for i in range(3):
        np.testing.assert_array_equal(steps[i, :, i + 1], 2.0 * np.arange(-3, 4))
        assert np.count_nonzero(steps[i]) == 6


def test_each_face_is_shown_with_every_truncation():
    faces = np.arange(6, dtype=np.float32).reshape(2, 3)
    series, rows, columns = latents.truncated_latents(faces)
    assert (len(rows), columns[0], columns[-1]) == (2, "0", "1")
    np.testing.assert_array_equal(series.reshape(2, len(columns), 3)[:, -1], faces)


def test_nearby_faces_have_the_same_distribution_and_the_given_angle():
    random = np.random.default_rng(0)
    face, others = 1 + 2 * random.normal(size=20_000), 1 + 2 * random.normal(size=(3, 20_000))
    found = latents.nearby(face, others, 0.7, mean=1.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.mean(axis=1), 1, atol=0.06)
    np.testing.assert_allclose(found.std(axis=1), 2, atol=0.06)
    for one in found.astype(float) - 1:
        cosine = one @ (face - 1) / np.linalg.norm(one) / np.linalg.norm(face - 1)
        assert abs(np.arccos(cosine) - 0.7) < 0.03
    np.testing.assert_allclose(latents.nearby(face, others, 0.0, 1.0), [face] * 3, rtol=1e-5, atol=1e-5)
