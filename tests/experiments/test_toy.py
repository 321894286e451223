"""The course's toy GAN finds the mean of the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optimizer_moves import moves

from ganjax import discriminate, generate, init_state
from ganjax.experiments import OriginalToy
from ganjax.system.progress import Clock
from ganjax.training.chunked_run import ChunkPlan, run_chunks
from ganjax.training.chunks import compile_chunk


class Shared(OriginalToy):
    """The experiment of another seed, with the GAN of the first, so that it is compiled once."""

    gan = OriginalToy().gan


@pytest.fixture(scope="module")
def chunk():
    return compile_chunk(Shared.gan, OriginalToy().batch, 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_means_meet(chunk, seed):
    """The steps of `fit` without what it writes: |generated mean - real mean| < 0.5 for every seed."""
    experiment = Shared(seed=seed, picture_every=0)
    init_key, data_key, _, score_key = jax.random.split(jax.random.key(seed), 4)
    source, _ = experiment.load(False)
    state = jax.jit(init_state, static_argnums=0)(experiment.gan, init_key)
    chunk_plan = ChunkPlan(0, experiment.steps, (experiment.select_every,), capacity=1)
    least, best = np.inf, None
    for result in run_chunks(chunk, state, source, data_key, chunk_plan, Clock()):
        distance = experiment.distance(result.state, source, score_key)
        if distance < least:
            least, best = distance, jax.tree.map(jnp.copy, result.state)
    scores = experiment.score(best, source, score_key)
    assert abs(scores["generated_mean"] - scores["real_mean"]) < 0.5
    assert scores["real_mean"] == pytest.approx(10, abs=0.1)
    assert scores["real_std"] == pytest.approx(1, abs=0.05)


def test_distance_is_how_far_the_ranks_are_from_even(key):
    experiment = OriginalToy(batch=200)
    state = init_state(experiment.gan, key)
    source, _ = experiment.load(False)
    fake = np.asarray(discriminate(experiment.gan, state, generate(experiment.gan, state, key, 200))).ravel()
    real = np.asarray(discriminate(experiment.gan, state, source.array)).ravel()
    expected = abs(np.mean(fake[:, None] > real[None, :]) - 0.5)
    assert experiment.distance(state, source, key) == pytest.approx(expected, abs=1e-6)


def test_the_course_is_followed():
    experiment = OriginalToy()
    gan = experiment.gan
    assert gan.generator.count_params() == gan.discriminator.count_params() == 2  # one Dense(1) each
    latents = gan.latent(jax.random.key(0), (50_000, 1))
    assert float(latents.std()) == pytest.approx(10, rel=0.02)
    assert float(latents.mean()) == pytest.approx(0, abs=0.2)
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        # Adam by hand, after gradients 1 and 0: m = .5 * .5, v = .8 * .2, corrected by 1 - .5^2 and 1 - .8^2.
        expected = -0.5 * (0.25 / 0.75) / np.sqrt(0.16 / 0.36)
        assert moves(optimizer, [1.0, 0.0])[-1] == pytest.approx(expected, rel=1e-5)


def test_the_real_values_follow_from_the_seed():
    one, again, other = (OriginalToy(seed=s, batch=100).load(False)[0].array for s in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
