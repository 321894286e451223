import jax
import keras
import numpy as np
import pytest

import ganjax
from benchmarks.throughput import work
from benchmarks.throughput.preparation import checked_latents, prepare
from benchmarks.throughput.workloads import WORKLOADS
from ganjax import networks

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras, when it saves


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("ring-16-x4")
    prepare(path, WORKLOADS["ring-16-x4"], "float32", "cpu")
    return path


def test_latents_are_those_that_the_step_draws():
    drawn = []

    def recording(key, shape):
        latents = ganjax.Normal(scale=3.0)(key, shape)
        drawn.append(np.asarray(latents))
        return latents

    generator, discriminator = networks.mlp(2, [4], 2), networks.mlp(2, [4], 1)
    gan = ganjax.GAN(generator, discriminator, latent=recording)
    state = start = ganjax.init_state(gan, jax.random.key(7))
    for _ in range(3):
        state, _ = ganjax.train_step(gan, state, np.zeros((5, 2), np.float32))
    taken = np.stack(drawn)
    plain = ganjax.GAN(generator, discriminator, latent=ganjax.Normal(scale=3.0))
    np.testing.assert_array_equal(taken, checked_latents(plain, start.key, 5)[:3])


def test_a_folder_holds_what_every_path_needs(folder):
    found = work.Work(folder)
    assert found.spec["seeds"] == 4
    assert found.batches.shape == (work.BATCHES, 64, 2)
    assert found.latents.shape == (4, work.CHECKED_STEPS, 64, 2)
    assert len(np.unique(found.latents[:, 0, 0, 0])) == 4
    for network in work.NETWORKS:
        model = keras.saving.load_model(found.model(network), compile=False)
        assert found.spec["trained"][network] == len(model.trainable_variables)
        weights = found.initial_weights(network, 0)
        for variable, value in zip(model.variables, weights, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)
        kernels = found.initial_weights(network, slice(None))[0]
        assert len(np.unique(kernels[:, 0, 0])) == 4  # each seed has weights of its own
    average = found.initial_weights(work.AVERAGE, 0)
    np.testing.assert_array_equal(average[0], found.initial_weights("generator", 0)[0])


def test_perturbed_weights_differ_by_sixteen_units_in_the_last_place(folder):
    found = work.Work(folder)
    for plain, perturbed in zip(
        found.initial_weights("generator", slice(None)),
        found.initial_weights("generator", slice(None), perturbed=True),
        strict=True,
    ):
        ulps = np.abs(perturbed.view(np.int32) - plain.view(np.int32))
        assert np.all(ulps[plain == 0] == 0)
        assert np.all((ulps[plain != 0] >= 15) & (ulps[plain != 0] <= 33))  # a unit is a share of 1 to 2


def test_arrays_by_name_are_lists_again():
    arrays = {"a": [np.arange(3), np.arange(2)], "b": []}
    found = work.named(arrays)
    assert list(found) == ["a/0", "a/1"]
    np.testing.assert_array_equal(work.listed(found, "a")[1], np.arange(2))
    assert work.listed(found, "b") == []
