"""Other layers frozen: every array stays with its variable, and training goes on as if by hand."""

import contextlib
import dataclasses

import by_hand
import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytest
from by_hand import QUICK
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import ganjax
from ganjax import stateless

NAMES = ("first", "norm", "middle", "last")
step = jax.jit(ganjax.train_step, static_argnums=0, compiler_options=QUICK)


def network(inputs, outputs):
    return keras.Sequential(
        [
            keras.Input((inputs,)),
            layers.Dense(4, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(3, "tanh", name="middle"),
            layers.Dropout(0.1),
            layers.Dense(outputs, name="last"),
        ]
    )


@contextlib.contextmanager
def frozen(model, names):
    """The model with only these of its layers frozen."""
    for layer in model.layers:
        layer.trainable = layer.name not in names
    try:
        yield
    finally:
        for layer in model.layers:
            layer.trainable = True


def by_path(gan, weights):
    """The arrays of a network by the path of their variable."""
    model = gan.generator
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    return dict(zip([v.path for v in variables], [*weights.params, *weights.statistics], strict=True))


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def numbered(tree):
    """Another value in every array of floating point."""
    leaves, structure = jax.tree.flatten(tree)
    made = [
        jnp.linspace(0.1 + i, 0.9 + i, x.size, dtype=x.dtype).reshape(x.shape)
        if jnp.issubdtype(x.dtype, jnp.floating)
        else x
        for i, x in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, made)


OPTIMIZERS = {
    "adam": optax.adam(0.1, b1=0.5),
    "keras_adam": ganjax.keras_adam(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9),
    "plain": optax.sgd(0.1),
    "adamw": optax.adamw(optax.linear_schedule(0.1, 0.0, 9)),
    "lion": optax.lion(0.1),
    "rmsprop": optax.rmsprop(0.1, momentum=0.5, centered=True),
    "adafactor": optax.adafactor(0.1, min_dim_size_to_factor=2),
    "clipped": optax.chain(
        optax.clip(0.5), optax.scale_by_adam(), optax.scale_by_schedule(lambda t: -0.1 / (t + 1))
    ),
    "injected": optax.inject_hyperparams(optax.adam)(optax.linear_schedule(0.1, 0.0, 9)),
    "several steps": optax.MultiSteps(optax.adam(0.1), 3),
    "masked": optax.masked(optax.adam(0.1), lambda params: jax.tree.map(lambda x: x.ndim > 1, params)),
    "partition": optax.partition(
        {"kernels": optax.adam(0.1), "others": optax.sgd(0.1, momentum=0.5)},
        lambda params: jax.tree.map(lambda x: "kernels" if x.ndim > 1 else "others", params),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@settings(max_examples=4)
@given(data=st.data())
def test_what_an_optimizer_keeps_stays_with_its_weight(name, data):
    """The next update of a weight trained before and after is the same bits."""
    some = st.sets(st.sampled_from(NAMES), max_size=3)
    model, kind = network(3, 2), {"generator_optimizer": OPTIMIZERS[name]}
    with frozen(model, data.draw(some)):
        gan = ganjax.GAN(model, network(2, 1), **kind)
        old = numbered(ganjax.init_state(gan, jax.random.key(0)))
        before = after_update(gan, old)
    with frozen(model, data.draw(some)):
        new_gan = dataclasses.replace(gan)
        new = ganjax.refreeze(gan, old, new_gan)
        after = after_update(new_gan, new)
        fresh = ganjax.init_state(new_gan, jax.random.key(0)).generator.optimizer
    assert jax.tree.structure(new.generator.optimizer) == jax.tree.structure(fresh)
    assert_same(before[0], after[0])
    for path in before[1].keys() & after[1].keys():
        np.testing.assert_array_equal(before[1][path], after[1][path], err_msg=path)


def after_update(gan, state):
    """All arrays of G by path, and by path the trained ones as an update of the optimiser leaves them."""
    G = state.generator
    model, optimizer = gan.generator, gan.generator_optimizer
    gradient = [jnp.sin(1 + jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape) for p in G.params]
    with stateless.standard_promotion():
        updates, _ = optimizer.update(gradient, G.optimizer, G.params)
        changed = optax.apply_updates(G.params, updates)
    return by_path(gan, G), dict(zip([v.path for v in model.trainable_variables], changed, strict=True))


def test_moments_start_anew_for_what_was_frozen(key):
    model = network(3, 2)
    with frozen(model, {"first", "norm"}):
        gan = ganjax.GAN(model, network(2, 1))
        state = numbered(ganjax.init_state(gan, key))
    new_gan = dataclasses.replace(gan)
    adam = ganjax.refreeze(gan, state, new_gan).generator.optimizer[0]
    old = state.generator.optimizer[0]
    for new_moments, moments in ((adam.mu, old.mu), (adam.nu, old.nu)):
        assert all(np.all(np.asarray(m) == 0) for m in new_moments[:4])
        for a, b in zip(new_moments[4:], moments, strict=True):
            np.testing.assert_array_equal(a, b)
    assert int(adam.count) == int(old.count)


def test_training_goes_on(key):
    """Momentum is kept: the first update is that of the GAN without frozen layers, where weights move."""
    model = by_hand.sequential.generator()
    kinds = {
        name: optax.sgd(0.1, momentum=0.9) for name in ("generator_optimizer", "discriminator_optimizer")
    }
    gan = ganjax.GAN(model, by_hand.sequential.discriminator(), **kinds)
    state = ganjax.init_state(gan, key)
    real = jax.random.normal(jax.random.key(1), (6, 2))
    for _ in range(3):
        state, _ = step(gan, state, real)
    unfrozen, _ = step(gan, state, real)

    model.layers[0].trainable = False
    with pytest.raises(ValueError, match="make the GAN again, and its state with init_state or refreeze"):
        step(gan, state, real)
    new_gan = dataclasses.replace(gan)
    assert new_gan != gan
    new = ganjax.refreeze(gan, state, new_gan)
    assert int(new.step) == 3
    assert new.key is state.key
    after, _ = step(new_gan, new, real)
    for a, b in zip(after.generator.params, unfrozen.generator.params[2:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    for a, b in zip(after.generator.statistics, state.generator.params[:2], strict=True):
        np.testing.assert_array_equal(a, b)
    after, _ = step(new_gan, after, real)
    for a, b in zip(after.generator.statistics, state.generator.params[:2], strict=True):
        np.testing.assert_array_equal(a, b)

    held = by_path(new_gan, after.generator)
    model.layers[0].trainable = True
    last_gan = dataclasses.replace(new_gan)
    last = ganjax.refreeze(new_gan, after, last_gan)
    assert_same(by_path(last_gan, last.generator), held)
    for a, b in zip(last.generator.params[2:], after.generator.params, strict=True):
        assert a is b
    moved, metrics = step(last_gan, last, real)
    assert metrics["finite"] == 1
    assert np.any(np.asarray(moved.generator.params[0]) != np.asarray(last.generator.params[0]))


def test_nothing_changed_is_the_same_state(key):
    gan = by_hand.make_gan(by_hand.patch)
    state = ganjax.init_state(gan, key)
    same = ganjax.refreeze(gan, state, dataclasses.replace(gan))
    assert jax.tree.structure(same) == jax.tree.structure(state)
    assert all(a is b for a, b in zip(jax.tree.leaves(same), jax.tree.leaves(state), strict=True))


def test_a_population_is_mapped_and_compiled_once():
    model = network(3, 2)
    gan = ganjax.GAN(model, network(2, 1))
    keys = jax.random.split(jax.random.key(0), 2)
    with jax.numpy_dtype_promotion("standard"):
        states = jax.vmap(ganjax.init_state, (None, 0))(gan, keys)
    with frozen(model, {"middle"}):
        new_gan = dataclasses.replace(gan)
        move = jax.jit(jax.vmap(lambda state: ganjax.refreeze(gan, state, new_gan)))
        moved = move(states)
        move(states)
        assert move._cache_size() == 1
        first = jax.tree.map(lambda x: x[0], states)
        assert_same(
            by_path(new_gan, jax.tree.map(lambda x: x[0], moved).generator),
            by_path(new_gan, ganjax.refreeze(gan, first, new_gan).generator),
        )


def test_the_average_stays_with_its_weights(key):
    model = network(3, 2)
    gan = ganjax.GAN(model, network(2, 1))
    state = numbered(ganjax.init_state(gan, key))
    before = by_path(gan, state.ema)
    with frozen(model, {"norm", "last"}):
        new_gan = dataclasses.replace(gan)
        assert_same(by_path(new_gan, ganjax.refreeze(gan, state, new_gan).ema), before)


def test_others_are_refused(key):
    model, D = network(3, 2), network(2, 1)
    gan = ganjax.GAN(model, D)
    state = ganjax.init_state(gan, key)
    for other, message in [
        (
            ganjax.GAN(network(3, 2), D),
            "refreeze needs a new GAN of the same Keras models, but its generator",
        ),
        (
            dataclasses.replace(gan, discriminator_optimizer=optax.sgd(0.1)),
            "new discriminator_optimizer does not",
        ),
        (
            dataclasses.replace(gan, generator_optimizer=optax.adam(0.1, mu_dtype=jnp.bfloat16)),
            "new generator_optimizer does not keep the same arrays",
        ),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            ganjax.refreeze(gan, state, other)
        assert "\n" not in str(error.value)
    other = dataclasses.replace(gan, generator_optimizer=optax.adam(0.5, b1=0.1))
    assert (
        ganjax.refreeze(gan, state, other).generator.optimizer[0].mu[0] is state.generator.optimizer[0].mu[0]
    )


def test_an_optimizer_of_named_weights_is_refused(key):
    adam = optax.masked(optax.adam(0.1), [True] * 8)
    gan = ganjax.GAN(network(3, 2), network(2, 1), generator_optimizer=adam)
    state = ganjax.init_state(gan, key)
    with pytest.raises(ValueError, match="generator_optimizer does not tell which array is of which weight"):
        ganjax.refreeze(gan, state, dataclasses.replace(gan))
