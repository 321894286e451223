"""train_step is pure, and goes where pure functions go: scan, vmap, grad, export, a mesh."""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import by_hand
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from by_hand import BATCH, QUICK, make_gan
from jax import export
from step_gan import assert_close, assert_same_bits, everything, step

import ganjax
from ganjax.step import METRICS

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
    fresh(equal, state, batches[0])  # an equal description is the same GAN
    assert fresh._cache_size() == compiled


def test_donated_steps_give_the_same_bits(gan, state, batches):
    compiled = functools.partial(
        jax.jit, ganjax.train_step, static_argnums=0, compiler_options=by_hand.SAME_BITS
    )
    kept, keeping = state, compiled()
    given, donating = jax.tree.map(jnp.copy, state), compiled(donate_argnums=1)
    for real in batches:
        kept, _ = keeping(gan, kept, real)
        given, _ = donating(gan, given, real)
    assert_same_bits(given, kept)


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
    gan = make_gan(by_hand.sequential, discriminator_optimizer=optax.sgd(0.1))
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


def test_transform_wraps_both_networks(gan, state, batches):
    def doubled(forward):
        def function(*arguments):
            y, statistics = forward(*arguments)
            return 2 * y, statistics

        return function

    plain = make_gan(by_hand.sequential, ema_decay=0.0)
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


MESH = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import ganjax
from by_hand import BATCH
from step_gan import everything

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
    places = [here.parents[1], here.parent, here]
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([*map(str, places), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run([sys.executable, "-c", MESH], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "same\n"
