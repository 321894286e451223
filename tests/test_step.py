"""train_step as a pure function: what it computes, how often, and in which company."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import BATCH, QUICK, game
from jax import export
from keras import layers
from objectives_by_hand import EQUATIONS

import ganjax
from ganjax.step import METRICS

step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


def everything() -> tuple[keras.Model, keras.Model]:
    """A pair with every kind of statistics: moving averages, singular vectors, dropout's seeds."""
    generator = by_hand.batch_normalized.generator()
    spectral = layers.SpectralNormalization(layers.Dense(4, "relu"))
    discriminator = keras.Sequential([keras.Input((2,)), spectral, layers.Dropout(0.3), layers.Dense(1)])
    return generator, discriminator


@pytest.fixture(scope="module")
def gan():
    return ganjax.GAN(*everything(), penalties=(ganjax.R1(0.5),))


@pytest.fixture(scope="module")
def state(gan):
    return ganjax.init_state(gan, jax.random.key(5))


@pytest.fixture(scope="module")
def batches(gan):
    return 1 + jax.random.normal(jax.random.key(6), (4, BATCH, *gan.sample_shape))


@pytest.fixture(scope="module")
def played(gan, state, batches):
    """The state after four single steps, and their metrics."""
    history = []
    for real in batches:
        state, metrics = step(gan, state, real)
        history.append(metrics)
    return state, history


def bits(state):
    return ganjax.state_to_arrays(state)


def assert_same_bits(a, b):
    a, b = bits(a), bits(b)
    for path in a:
        np.testing.assert_array_equal(a[path], b[path], err_msg=path)


def assert_close(a, b, rtol=1e-4, atol=1e-5):
    a, b = bits(a), bits(b)
    for path in a:
        np.testing.assert_allclose(a[path], b[path], rtol=rtol, atol=atol, err_msg=path)


# What it computes.


@pytest.mark.parametrize("name", EQUATIONS)
def test_linear_game_in_closed_form(name, key):
    """The original 1-D game, D(x) = w x + b, G(z) = a z + c: float64 NumPy, gradients by the chain rule."""

    def line():
        return keras.Sequential([keras.Input((1,)), layers.Dense(1)])

    rate = 0.25
    loss, sgd = getattr(ganjax.losses, name), optax.sgd(rate)
    gan = ganjax.GAN(
        line(),
        line(),
        loss,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
        latent=ganjax.Normal(1.0, 10.0),
    )
    state = ganjax.init_state(gan, key)
    real = 10 + jax.random.normal(key, (BATCH, 1))
    (update_key,) = jax.random.split(jax.random.fold_in(state.key, 0), 1)
    latent_key, _ = jax.random.split(update_key)
    z = np.asarray(ganjax.sample_latent(gan, latent_key, BATCH), np.float64)
    x = np.asarray(real, np.float64)
    a, c = (np.asarray(p, np.float64).item() for p in state.generator.params)
    w, b = (np.asarray(p, np.float64).item() for p in state.discriminator.params)

    fake = a * z + c
    r, f = w * x + b, w * fake + b
    discriminator, generator = EQUATIONS[name]
    D_terms, in_r, in_f = discriminator(r, f)
    G_terms, in_f_of_G = generator(f, r)
    D_gradient = [np.mean(in_r * x + in_f * fake), np.mean(in_r + in_f)]
    G_gradient = [np.mean(in_f_of_G * w * z), np.mean(in_f_of_G * w)]  # nothing comes through r

    new, metrics = step(gan, state, real)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
    close([p.item() for p in new.discriminator.params], np.array([w, b]) - rate * np.array(D_gradient))
    close([p.item() for p in new.generator.params], np.array([a, c]) - rate * np.array(G_gradient))
    expected = {
        "discriminator_loss": np.mean(D_terms),
        "generator_loss": np.mean(G_terms),
        "penalty": 0.0,
        "real_logits": np.mean(r),
        "fake_logits": np.mean(f),
        "real_accuracy": np.mean(r > 0),
        "fake_accuracy": np.mean(f < 0),
        "discriminator_gradient_norm": np.linalg.norm(D_gradient),
        "generator_gradient_norm": np.linalg.norm(G_gradient),
        "finite": 1.0,
    }
    for metric, value in expected.items():
        close(metrics[metric], value, err_msg=metric)


def test_metrics_are_a_fixed_dict_of_float32_scalars(played):
    _, history = played
    for metrics in history:
        assert metrics.keys() == set(METRICS)
        assert all(value.dtype == jnp.float32 and value.shape == () for value in metrics.values())
        assert float(metrics["finite"]) == 1
        assert float(metrics["penalty"]) > 0


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_finite_flag_falls(gan, state, batches, bad):
    real = batches[0].at[0, 0].set(bad)
    _, metrics = step(gan, state, real)
    assert float(metrics["finite"]) == 0


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_key_stays_and_step_counts(update, key):
    gan = game(by_hand.sequential, update=update)
    first = ganjax.init_state(gan, key)
    second, _ = step(gan, first, jnp.ones((BATCH, 2)))
    third, _ = step(gan, second, jnp.ones((BATCH, 2)))
    assert [int(s.step) for s in (first, second, third)] == [0, 1, 2]
    assert jnp.all(jax.random.key_data(first.key) == jax.random.key_data(third.key))


def test_steps_draw_other_latents(key):
    """With frozen networks only the latents differ between steps."""
    frozen = optax.set_to_zero()
    gan = game(by_hand.sequential, generator_optimizer=frozen, discriminator_optimizer=frozen)
    first = ganjax.init_state(gan, key)
    second, one = step(gan, first, jnp.ones((BATCH, 2)))
    _, two = step(gan, second, jnp.ones((BATCH, 2)))
    assert_same_bits(first.generator, second.generator)
    assert float(one["real_logits"]) == float(two["real_logits"])
    assert float(one["fake_logits"]) != float(two["fake_logits"])


def test_average_without_decay_is_the_generator(key):
    gan = game(by_hand.batch_normalized, ema_decay=0.0)
    state, _ = step(gan, ganjax.init_state(gan, key), jnp.ones((BATCH, 2)))
    for a, b in zip(state.ema.params, state.generator.params, strict=True):
        np.testing.assert_array_equal(a, b)


# How often.


class Counting(layers.Layer):
    calls = 0

    def call(self, x):
        type(self).calls += 1
        return x


class CountingG(Counting):
    calls = 0


class CountingD(Counting):
    calls = 0


@pytest.mark.parametrize(
    ("update", "n", "G_calls", "D_calls"),
    [("simultaneous", 1, 1, 2), ("alternating", 1, 2, 4), ("simultaneous", 3, 3, 6)],
)
def test_forward_passes(update, n, G_calls, D_calls, key):
    """Simultaneous: G once, D(real) and D(fake) once each; every further update of D once more each."""
    generator = keras.Sequential([keras.Input((3,)), CountingG(), layers.Dense(2)])
    discriminator = keras.Sequential([keras.Input((2,)), CountingD(), layers.Dense(1)])
    # Without a transform: the default one traces a function that is called twice only once.
    gan = ganjax.GAN(generator, discriminator, update=update, discriminator_updates=n, transform=None)
    state = ganjax.init_state(gan, key)
    CountingG.calls = CountingD.calls = 0
    jax.eval_shape(functools.partial(ganjax.train_step, gan), state, jnp.ones((n * BATCH, 2)))
    assert (CountingG.calls, CountingD.calls) == (G_calls, D_calls)


def test_products_of_the_simultaneous_step(key):
    """The compiler is left with no product that the mathematics does not need.

    For two dense layers each: G forward 2; D on both batches joined 2; gradients of D's kernels 2, of its
    hidden layer 1 and of its input 1, which serves both losses; gradients of G's kernels 2 and of its hidden
    layer 1.
    """
    gan = game(by_hand.sequential)
    state = ganjax.init_state(gan, key)
    lowered = jax.jit(ganjax.train_step, static_argnums=0).lower(gan, state, jnp.ones((BATCH, 2)))
    assert lowered.as_text().count("stablehlo.dot_general") == 2 + 2 + 4 + 3


# Optimisers.


def moved(old, new):
    return jnp.sqrt(sum(jnp.sum((a - b) ** 2) for a, b in zip(new.params, old.params, strict=True)))


def test_schedules_of_each_network(key):
    """A step of gradient descent is as long as its rate times the gradient."""
    falling = optax.sgd(optax.linear_schedule(0.3, 0.0, 3))
    rising = optax.sgd(optax.linear_schedule(0.0, 0.2, 2))
    gan = game(by_hand.sequential, generator_optimizer=falling, discriminator_optimizer=rising)
    state = ganjax.init_state(gan, key)
    for G_rate, D_rate in ((0.3, 0.0), (0.2, 0.1), (0.1, 0.2), (0.0, 0.2)):
        new, metrics = step(gan, state, jnp.ones((BATCH, 2)))
        G, D = moved(state.generator, new.generator), moved(state.discriminator, new.discriminator)
        np.testing.assert_allclose(G, G_rate * metrics["generator_gradient_norm"], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(D, D_rate * metrics["discriminator_gradient_norm"], rtol=1e-4, atol=1e-7)
        state = new


def test_optimizers_of_several_parts(key):
    """Clipping makes a step of a known length; adamw sees the weights it decays."""
    clipped = optax.chain(optax.clip_by_global_norm(1e-3), optax.sgd(1.0))
    adam, adamw = optax.adam(1e-2), optax.adamw(1e-2, weight_decay=0.5)
    real, news = jnp.ones((BATCH, 2)), []
    for D_optimizer in (adam, adamw):
        gan = game(by_hand.sequential, generator_optimizer=clipped, discriminator_optimizer=D_optimizer)
        state = ganjax.init_state(gan, key)
        new, _ = step(gan, state, real)
        np.testing.assert_allclose(moved(state.generator, new.generator), 1e-3, rtol=1e-3)
        news.append(new.discriminator.params)
    for old, plain, decayed in zip(state.discriminator.params, *news, strict=True):
        np.testing.assert_allclose(plain - decayed, 1e-2 * 0.5 * old, rtol=1e-3, atol=1e-7)


# Purity.


def test_same_inputs_same_bits(gan, state, batches, played):
    again = state
    for real, metrics in zip(batches, played[1], strict=True):
        again, metrics_again = step(gan, again, real)
        assert all(metrics[name] == metrics_again[name] for name in METRICS)
    assert_same_bits(again, played[0])


def test_no_effects(gan, state, batches):
    jaxpr = jax.make_jaxpr(ganjax.train_step, static_argnums=0)(gan, state, batches[0])
    assert not jaxpr.effects


def test_models_are_untouched(key):
    models = everything()
    before = [[np.array(v.value) for v in model.variables] for model in models]
    gan = ganjax.GAN(*models, update="alternating", penalties=(ganjax.WGANGP(),))
    state = ganjax.init_state(gan, key)
    state, _ = step(gan, state, jnp.ones((BATCH, 2)))
    ganjax.generate(gan, state, key, 3)
    ganjax.discriminate(gan, state, jnp.ones((BATCH, 2)))
    for model, values in zip(models, before, strict=True):
        for variable, value in zip(model.variables, values, strict=True):
            np.testing.assert_array_equal(variable.value, value)


def test_values_of_the_models_play_no_part(gan, state, batches, played):
    models = everything()
    for model in models:
        for variable in model.variables:
            variable.assign(jnp.full_like(variable.value, 3))
    other = ganjax.GAN(*models, penalties=gan.penalties)
    new, _ = step(other, state, batches[0])
    assert_same_bits(new, step(gan, state, batches[0])[0])


def test_second_call_does_not_recompile(gan, state, batches):
    fresh = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1, compiler_options=QUICK)
    state = jax.tree.map(jnp.copy, state)
    state, _ = fresh(gan, state, batches[0])
    compiled = fresh._cache_size()  # of this function in the whole process: other tests compile it too
    for real in batches:
        old, (state, _) = state, fresh(gan, state, real)
    assert fresh._cache_size() == compiled
    assert old.generator.params[0].is_deleted()  # donated, whole
    equal = ganjax.GAN(
        gan.generator, gan.discriminator, penalties=(ganjax.R1(0.5),), latent=ganjax.Normal(0.0, 1.0)
    )
    fresh(equal, state, batches[0])  # an equal description is the same game
    assert fresh._cache_size() == compiled


def test_donated_steps_give_the_same_bits(gan, state, batches, played):
    donating = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1, compiler_options=QUICK)
    state = jax.tree.map(jnp.copy, state)
    for real in batches:
        state, _ = donating(gan, state, real)
    assert_same_bits(state, played[0])


def test_every_buffer_of_the_state_is_used_again(gan, state, batches):
    """Donation leaves no copy: the compiled program writes every part of the next state over the last one."""
    lowered = jax.jit(ganjax.train_step, static_argnums=0, donate_argnums=1).lower(gan, state, batches[0])
    compiled = lowered.compile(compiler_options=QUICK)
    assert aliased(compiled) == set(range(len(jax.tree.leaves(state))))


def aliased(compiled):
    """Numbers of the arguments whose memory the outputs of the same numbers take over."""
    header = compiled.as_text().split("\n", 1)[0]
    pairs = re.findall(r"\{(\d+)\}: \((\d+), \{\}", header)
    assert all(output == argument for output, argument in pairs)
    return {int(argument) for _, argument in pairs}


def test_a_step_moves_nothing_between_host_and_device(gan, state, batches):
    state, real = jax.tree.map(jnp.copy, state), batches[0]
    with jax.transfer_guard("disallow"):
        with pytest.raises(jax.errors.JaxRuntimeError, match="host-to-device transfer"):
            step(gan, state, np.asarray(real))  # so the guard sees what it should
        _, metrics = step(gan, state, real)
    assert float(metrics["finite"]) == 1
    assert "callback" not in step.lower(gan, state, real).as_text()


# In company.


def test_scan_equals_single_steps(gan, state, batches, played):
    """The same operations, which the compiler may fuse otherwise: equal up to rounding."""
    scan = jax.jit(lambda state: jax.lax.scan(functools.partial(ganjax.train_step, gan), state, batches))
    scanned, metrics = scan(state)
    assert_close(scanned, played[0])
    for name in METRICS:
        single = np.stack([m[name] for m in played[1]])
        np.testing.assert_allclose(metrics[name], single, rtol=1e-4, atol=1e-5, err_msg=name)


def test_population_equals_single_steps(gan, batches):
    keys = jax.random.split(jax.random.key(8), 2)
    singles = [ganjax.init_state(gan, key) for key in keys]
    population = jax.tree.map(lambda *leaves: jnp.stack(leaves), *singles)
    together = jax.jit(jax.vmap(functools.partial(ganjax.train_step, gan)), compiler_options=QUICK)
    population, metrics = together(population, batches[:2])
    for i, single in enumerate(singles):
        new, single_metrics = step(gan, single, batches[i])
        assert_close(jax.tree.map(lambda x, i=i: x[i], population), new)
        for name in METRICS:
            np.testing.assert_allclose(metrics[name][i], single_metrics[name], rtol=1e-4, atol=1e-5)


def test_differentiable(key):
    """How D after the step depends on the data: gradients pass through whole steps."""
    gan = game(by_hand.sequential, discriminator_optimizer=optax.sgd(0.1))
    state = ganjax.init_state(gan, key)

    def kernel(shift):
        new, _ = ganjax.train_step(gan, state, jnp.ones((BATCH, 2)) + shift)
        return new.discriminator.params[0][0, 0]

    slope = jax.jit(jax.grad(kernel), compiler_options=QUICK)(0.1)
    kernel = jax.jit(kernel, compiler_options=QUICK)
    difference = (kernel(0.11) - kernel(0.09)) / 0.02
    assert slope != 0
    np.testing.assert_allclose(slope, difference, rtol=0.05, atol=1e-4)


def test_export_round_trip(gan, state, batches):
    leaves, structure = jax.tree.flatten(state)

    def flat_step(leaves, real):
        state, metrics = ganjax.train_step(gan, jax.tree.unflatten(structure, leaves), real)
        return jax.tree.leaves(state), metrics

    exported = export.export(jax.jit(flat_step))(leaves, batches[0])
    written = exported.serialize()
    new_leaves, metrics = export.deserialize(written).call(leaves, batches[0])
    expected, expected_metrics = step(gan, state, batches[0])
    assert_close(jax.tree.unflatten(structure, new_leaves), expected)
    assert metrics.keys() == expected_metrics.keys()


def test_tree_round_trip_goes_on_with_the_same_bits(gan, state, batches):
    leaves, structure = jax.tree.flatten(state)
    rebuilt = jax.tree.unflatten(structure, leaves)
    mapped = jax.tree.map(lambda x: x, state)
    expected, _ = step(gan, state, batches[0])
    assert type(rebuilt) is ganjax.GANState
    assert_same_bits(step(gan, rebuilt, batches[0])[0], expected)
    assert_same_bits(step(gan, mapped, batches[0])[0], expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, jnp.bfloat16])
def test_any_floating_point_batch(gan, state, batches, dtype):
    real = np.asarray(batches[0]).round(1).astype(dtype)
    expected, _ = step(gan, state, real.astype(np.float32))
    assert_same_bits(step(gan, state, real)[0], expected)


def test_transform_wraps_both_networks(gan, state, batches):
    def doubled(forward):
        def function(*arguments):
            y, statistics = forward(*arguments)
            return 2 * y, statistics

        return function

    plain = game(by_hand.sequential, ema_decay=0.0)
    twice = ganjax.GAN(plain.generator, plain.discriminator, ema_decay=0.0, transform=doubled)
    state = ganjax.init_state(plain, jax.random.key(0))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5)
    latents, x = jnp.ones((2, 3)), jnp.ones((2, 2))
    close(ganjax.decode(twice, state, latents), 2 * ganjax.decode(plain, state, latents))
    close(ganjax.discriminate(twice, state, x), 2 * ganjax.discriminate(plain, state, x))
    _, metrics = step(plain, state, batches[0])
    _, doubled_metrics = step(twice, state, batches[0])
    close(doubled_metrics["real_logits"], 2 * metrics["real_logits"])
    assert doubled_metrics["fake_logits"] != metrics["fake_logits"]


def test_mixed_bfloat16(key):
    """Products in bfloat16; weights, logits and losses in float32."""

    def dense(*units):
        return [layers.Dense(n, dtype="mixed_bfloat16") for n in units]

    generator = keras.Sequential([keras.Input((3,)), *dense(8, 2)])
    discriminator = keras.Sequential([keras.Input((2,)), *dense(8, 1)])
    gan = ganjax.GAN(generator, discriminator, ganjax.losses.least_squares, penalties=(ganjax.R2(1.0),))
    state = ganjax.init_state(gan, key)
    real = jax.random.normal(key, (BATCH, 2))
    lowered = jax.jit(ganjax.train_step, static_argnums=0).lower(gan, state, real).as_text()
    dots = re.findall(r"stablehlo.dot_general.*->\s*tensor<[0-9x]*x(\w+)>", lowered)
    assert set(dots) == {"bf16"}
    new, metrics = step(gan, state, real)
    assert all(value.dtype == jnp.float32 for value in metrics.values())
    assert float(metrics["finite"]) == 1
    for network in (new.generator, new.discriminator, new.ema):
        assert all(p.dtype == jnp.float32 for p in network.params)
    assert ganjax.generate(gan, new, key, 2).dtype == jnp.float32
    logits = ganjax.discriminate(gan, new, real)
    assert logits.dtype == jnp.float32
    # The loss is taken of float32 logits: its mean is not rounded to bfloat16's 8 bits.
    losses = np.array([m["discriminator_loss"] for m in (metrics, step(gan, new, real)[1])])
    assert np.any(losses != losses.astype(jnp.bfloat16).astype(np.float32))


MESH = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import ganjax
from test_step import everything, BATCH

assert jax.device_count() == 2
gan = ganjax.GAN(*everything(), penalties=(ganjax.R1(0.5),))
single = sharded = ganjax.init_state(gan, jax.random.key(5))
mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
sharded = jax.device_put(sharded, NamedSharding(mesh, P()))
step = jax.jit(ganjax.train_step, static_argnums=0)
for i in range(2):
    real = jax.random.normal(jax.random.key(i), (BATCH, 2))
    single, one = step(gan, single, real)
    shards = jax.device_put(real, NamedSharding(mesh, P("batch")))
    sharded, many = step(gan, sharded, shards)
assert len(sharded.generator.params[0].devices()) == 2
a, b = ganjax.state_to_arrays(single), ganjax.state_to_arrays(sharded)
for path in a:
    np.testing.assert_allclose(a[path], b[path], rtol=1e-4, atol=1e-5, err_msg=path)
for name in one:
    np.testing.assert_allclose(one[name], many[name], rtol=1e-4, atol=1e-5, err_msg=name)
print("same")
"""


def test_mesh_of_two_devices():
    """A batch sharded over two devices gives the same step: statistics are those of the whole batch."""
    here = Path(__file__).parent
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(here.parent), str(here), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run([sys.executable, "-c", MESH], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "same\n"
