"""Up to rounding, members equal their single runs, whatever the other members and groups are."""

import functools
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import population_gans
import pytest
import small_runs
from population_gans import BATCH, STEPS, VALUES, alone, close, column, family, keys, plain, same_bits

import ganjax
from ganjax import populations
from ganjax.datasets import batches, toy
from ganjax.populations import layout

SEEDS = (5, 0, 3)
FORMS = {"at once": 3, "two at a time": 2, "one by one": 1}


def trained(seeds=SEEDS, values=VALUES, **options):
    options = {"data": toy.ring, "steps": STEPS, "batch": BATCH, "group": 3} | options
    return populations.train(family, keys(*seeds), values, **options)


@functools.cache
def in_form(form):
    return trained(group=FORMS[form])


@functools.cache
def single(i):
    return alone(family(**column(i)), SEEDS[i], batches.Sampled(toy.ring))


def of_member(population, i):
    return jax.tree.map(lambda x: x[i], population.state)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("i", [0, 1])
def test_a_member_is_its_single_run_but_for_rounding(form, i):
    population, (states, metrics) = in_form(form), single(i)
    gan, state = population.member(i)
    close(state, states[-1])
    assert same_bits(state.key, states[0].key)
    for name, values in metrics.items():
        np.testing.assert_allclose(population.metrics[name][i], values, rtol=2e-3, atol=2e-4, err_msg=name)
    assert isinstance(gan, ganjax.GAN)
    assert gan.latent == ganjax.Normal(scale=VALUES["scale"][i])
    assert population.group == FORMS[form]


def test_hyperparameters_tell_members_of_one_seed_apart():
    population = trained((5, 5, 5))
    close(of_member(population, 0), single(0)[0][-1])
    first, *others = (population.metrics["generator_gradient_norm"][i] for i in range(3))
    assert all(abs(first[0] - other[0]) > 1e-4 for other in others)  # by what they see, not how they step


def test_bits_do_not_depend_on_who_the_others_are():
    other = trained((5, 7, 1), {name: [value[0], *value[:2]] for name, value in VALUES.items()})
    assert same_bits(of_member(other, 0), of_member(in_form("at once"), 0))


def test_other_keys_and_values_run_the_same_program():
    in_form("two at a time")
    population_gans.traced.clear()
    trained((8, 9, 11), {name: value[::-1] for name, value in VALUES.items()}, group=2)
    assert not any(population_gans.traced)  # the GAN is made, but never within a trace
    first = populations.generate(in_form("two at a time"), 5)
    population_gans.traced.clear()
    again = populations.generate(in_form("two at a time"), 5)
    assert not population_gans.traced
    assert same_bits(first, again)


@pytest.mark.parametrize("ema", [True, False])
def test_samples_are_those_of_each_member(ema):
    population = in_form("at once")
    samples = populations.generate(population, 7, ema=ema)
    assert (samples.shape, samples.dtype) == ((3, 7, 2), jnp.float32)
    for i, seed in enumerate(SEEDS):
        score_key = jax.random.split(jax.random.key(seed), 4)[3]
        close(samples[i], ganjax.generate(*population.member(i), score_key, 7, ema=ema))


def test_rows_of_metrics_can_be_fewer_and_are_watched():
    seen = []
    population = trained(log_every=4, watch=lambda step, rows: seen.append((step, rows["finite"].shape)))
    assert population.metrics["step"].tolist() == [4]
    np.testing.assert_array_equal(
        population.metrics["generator_loss"][:, 0], in_form("at once").metrics["generator_loss"][:, 3]
    )
    assert in_form("at once").metrics["step"].tolist() == list(range(1, STEPS + 1))
    assert seen[-1][0] == STEPS
    assert sum(shape[0] for _, shape in seen) == STEPS
    assert {shape[1] for _, shape in seen} == {3}


def test_a_game_without_hyperparameters_and_data_that_are_kept():
    gan = family(**column(0))
    source = batches.Resident(toy.ring(jax.random.key(1), 20))
    population = populations.train(gan, keys(5, 6), data=source, steps=STEPS, batch=BATCH, group=1)
    close(of_member(population, 0), alone(gan, 5, source)[0][-1])
    assert population.member(1)[0] is gan
    assert len(population) == 2


def test_networks_may_be_built_within_the_function():
    def built(learning_rate):
        population_gans.networks.cache_clear()
        return family(**column(0) | {"learning_rate": learning_rate})

    rates = {"learning_rate": VALUES["learning_rate"][:1]}
    population = populations.train(built, keys(5), rates, data=toy.ring, steps=STEPS, batch=BATCH)
    close(of_member(population, 0), single(0)[0][-1])


def test_a_member_that_diverges_does_not_touch_the_others():
    population = trained(values=VALUES | {"learning_rate": [0.01, 1e38, 0.03]})
    assert population.diverged_at[1] == 2  # the first step makes weights with which nothing can be computed
    assert population.diverged_at[[0, 2]].tolist() == [0, 0]
    for i in (0, 2):
        assert same_bits(of_member(population, i), of_member(in_form("at once"), i))
    assert population.metrics["finite"][1].tolist() == [1] + [0] * (STEPS - 1)


def test_groups_shrink_until_the_program_fits_memory(monkeypatch):
    asked = []

    def memory_of(compiled):
        needs = real(compiled)
        asked.append(needs)
        return needs

    real = layout.memory_of
    monkeypatch.setattr(layout, "memory_of", memory_of)
    assert trained(group=3).group == 3
    assert asked[0] > 3 * sum(x.nbytes for x in plain(of_member(in_form("at once"), 0)))
    monkeypatch.setattr(layout, "memory_for_programs", lambda: asked[0] - 1)
    population = trained(group=3)
    assert population.group < 3
    close(population.state, in_form("one by one").state)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"keys": jnp.zeros(0, jnp.uint32)}, TypeError, "PRNG keys"),
        ({"keys": jax.random.key(0)}, TypeError, "PRNG keys"),
        ({"keys": keys(1)[:0]}, ValueError, "at least one member"),
        ({"keys": jax.random.split(jax.random.key(0, impl="rbg"), 3)}, TypeError, "other numbers"),
        ({"values": VALUES | {"scale": [1.0]}}, ValueError, "scale must be 3 numbers"),
        ({"values": VALUES | {"scale": 1.0}}, ValueError, "scale must be 3 numbers"),
        ({"values": VALUES | {"scale": ["a", "b", "c"]}}, ValueError, "scale must be 3 numbers"),
        ({"family": family(**column(0))}, ValueError, "takes no values"),
        ({"steps": 0}, ValueError, "at least 1"),
        ({"batch": 0}, ValueError, "at least 1"),
        ({"group": 0}, ValueError, "at least 1"),
        ({"log_every": 0}, ValueError, "at least 1"),
    ],
)
def test_mistakes(arguments, kind, said):
    asked = {
        "family": family,
        "keys": keys(*SEEDS),
        "values": VALUES,
        "data": toy.ring,
        "steps": 1,
        "batch": 2,
    }
    with pytest.raises(kind, match=said) as error:
        populations.train(**asked | arguments)
    assert "\n" not in str(error.value)


# Several devices, in a process of its own, which has them.

ON_TWO_DEVICES = """
import sys
import jax, numpy
from population_gans import BATCH, STEPS, VALUES, family, keys, plain
from ganjax import populations
from ganjax.datasets import toy

assert len(jax.devices()) == 2
length = {"steps": STEPS, "batch": BATCH}
population = populations.train(family, keys(5, 0, 3), VALUES, data=toy.ring, group=1, **length)
samples = populations.generate(population, 7)
assert samples.devices() == population.state.step.devices() == {jax.devices()[0]}
numpy.savez(sys.argv[1], *plain([population.state, samples]))
"""


def test_members_are_shared_out_over_devices(tmp_path):
    """Three members on two devices: one place is filled up."""
    environment = small_runs.environment(tmp_path)
    environment["PYTHONPATH"] += f"{os.pathsep}{Path(__file__).parent}"
    environment["XLA_FLAGS"] += " --xla_force_host_platform_device_count=2"
    result = small_runs.python(tmp_path, "-c", ON_TWO_DEVICES, str(tmp_path / "two.npz"), env=environment)
    assert result.returncode == 0, result.stderr
    expected = plain([in_form("one by one").state, populations.generate(in_form("one by one"), 7)])
    with np.load(tmp_path / "two.npz") as arrays:
        for name, other in zip(arrays.files, expected, strict=True):
            np.testing.assert_allclose(arrays[name], other, rtol=2e-4, atol=2e-5)
