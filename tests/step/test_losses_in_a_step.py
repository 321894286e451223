"""Losses that ask for more than logits, what they report, and terms of G that need derivatives of G."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from keras import layers
from small_gans import BATCH, REAL, D, G, assert_moved, call, dense, sgd, stepped

import ganjax
from ganjax import Labelled, losses
from ganjax.losses import Loss
from ganjax.training.chunks import compile_chunk, metric_names


def reporting(name, power):
    return Loss(lambda r, f: (jnp.mean(f), {name: jnp.mean(r**power)}), losses.hinge.generator)


def test_a_loss_is_given_what_it_names():
    seen = {}

    def of_discriminator(real, fake, *, labels, step, key, real_unaugmented, latents):
        seen["D"] = labels, step, key, real_unaugmented, latents
        return jnp.mean(fake) - jnp.mean(real)

    def of_generator(fake, real, generator_outputs, fake_outputs, fake_unaugmented, **rest):
        seen["G"] = generator_outputs, fake_outputs, fake_unaugmented, rest
        return -jnp.mean(fake)

    gan = sgd(
        G(lambda h: {"samples": dense(2, h), "more": dense(5, h)}),
        D(lambda h: (dense(1, h), h)),
        loss=Loss(of_discriminator, of_generator),
        augment=lambda key, x: x + 1,
    )
    labels = np.arange(BATCH, dtype=np.int32)
    state = ganjax.init_state(gan, jax.random.key(0))
    ganjax.train_step(gan, state, Labelled(REAL, labels))
    drawn = ganjax.draws.draw(gan, state.key, state.step, BATCH).discriminator[0]
    seen_labels, step, key, real, z = seen["D"]
    np.testing.assert_array_equal(seen_labels, labels)
    assert seen_labels.dtype == jnp.int32
    assert step == 0
    assert key == jax.random.split(drawn.loss_key, 3)[0]
    np.testing.assert_array_equal(real, REAL)
    np.testing.assert_array_equal(z, drawn.latents)
    outputs, (hidden,), fake, rest = seen["G"]
    assert rest == {}
    assert outputs["more"].shape == (BATCH, 5)
    assert hidden.shape == (BATCH, 4)
    assert fake.shape == (BATCH, 2)


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_gradients_pass_through_samples_and_outputs(update):
    """G's through what it and D return; D's only through what D returns."""

    def of_discriminator(real, fake, real_outputs, fake_outputs):
        (real_features,), (fake_features,) = real_outputs, fake_outputs
        value = jnp.mean(fake) - jnp.mean(real) + jnp.mean(real_features * fake_features)
        return value, {"product": jnp.mean(real_features)}

    def of_generator(fake, real, fake_outputs, fake_unaugmented, generator_outputs, **_):
        (extra,) = generator_outputs
        distance = jnp.mean((fake_unaugmented - 0.5) ** 2) + jnp.mean(jnp.sin(extra))
        return jnp.mean(fake_outputs[0] ** 2) + distance - jnp.mean(fake), {"distance": distance}

    gan = sgd(
        G(lambda h: (dense(2, h), dense(3, h))),
        D(lambda h: [dense(1, h), h]),
        loss=Loss(of_discriminator, of_generator),
        augment=lambda key, x: 2 * x,
        update=update,
    )
    state, draws, after, metrics = stepped(gan, REAL)
    z, own = draws.discriminator[0].latents, draws.generator

    def D_loss(params, fake):
        real_logits, real_features = call(gan.discriminator, state.discriminator, params, 2 * REAL)
        fake_logits, fake_features = call(gan.discriminator, state.discriminator, params, 2 * fake)
        return of_discriminator(real_logits, fake_logits, (real_features,), (fake_features,))[0]

    def G_loss(params, D_params, z):
        fake, extra = call(gan.generator, state.generator, params, z)
        logits, features = call(gan.discriminator, state.discriminator, D_params, 2 * fake)
        return of_generator(logits, None, (features,), fake, (extra,))

    fake, _ = call(gan.generator, state.generator, state.generator.params, z)
    D_gradient = jax.grad(D_loss)(state.discriminator.params, fake)
    assert_moved(state.discriminator, after.discriminator, D_gradient)
    against = (state if update == "simultaneous" else after).discriminator.params
    z = z if own is None else own.latents
    G_gradient, rows = jax.grad(G_loss, has_aux=True)(state.generator.params, against, z)
    assert_moved(state.generator, after.generator, G_gradient)
    np.testing.assert_allclose(metrics["distance"], rows["distance"], rtol=1e-6)
    assert metrics.keys() == {*ganjax.step.METRICS, "distance", "product"}


def test_rows_of_a_loss_are_columns_of_a_chunk():
    own = Loss(lambda real, fake: (jnp.mean(fake), {"spread": jnp.std(real)}), losses.wasserstein.generator)
    source = ganjax.datasets.batches.Resident(REAL)
    for generator in (
        G(),
        keras.Sequential([G(), layers.Reshape((1, 2)), layers.Conv1D(2, 1), layers.Flatten()]),
    ):
        gan = sgd(generator, D(), loss=own)
        state = ganjax.init_state(gan, jax.random.key(0))
        expected = [ganjax.train_step(gan, state, source.fetch(jnp.arange(BATCH), BATCH))[1]["spread"]]
        chunk = compile_chunk(gan, BATCH, 3)
        _, rows = chunk(state, ganjax.datasets.batches.Whole(REAL), jax.random.key(1), 2)
        assert rows.keys() == {*ganjax.step.METRICS, "spread"}
        np.testing.assert_allclose(rows["spread"][:1], expected, rtol=1e-6)


def test_no_step_is_traced_to_name_what_stock_losses_report():
    assert metric_names(sgd(G(), D()), None, None) == ganjax.step.METRICS


def test_a_new_key_at_every_update():
    gan = sgd(G(), D(), loss=losses.with_label_noise(0.5), discriminator_updates=2, update="alternating")
    draws = ganjax.draws.draw(gan, jax.random.key(0), jnp.int32(3), BATCH)
    keys = [each.loss_key for each in (*draws.discriminator, draws.generator)]
    split = np.concatenate([jax.random.key_data(jax.random.split(key, 3)) for key in keys])
    assert len(np.unique(split, axis=0)) == 9
    assert (
        ganjax.draws.draw(sgd(G(), D()), jax.random.key(0), jnp.int32(3), BATCH).discriminator[0].loss_key
        is None
    )


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        (Loss(lambda r, f, classes: r, lambda f, r: f), TypeError, "discriminator's loss asks for 'classes'"),
        (Loss(None, lambda f, r: f), TypeError, "discriminator's loss must be a function"),
        (
            Loss(losses.hinge.discriminator, lambda f, *, latents: f),
            TypeError,
            r"generator's loss must take fake_logits and real_logits first.*arguments are \(f, latents\)",
        ),
        (
            Loss(losses.hinge.discriminator, lambda fake_logits, labels: fake_logits),
            TypeError,
            r"generator's loss must take fake_logits and real_logits first",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f),) * 3, losses.hinge.generator),
            TypeError,
            "a loss must return one number, or",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"step": jnp.mean(r)}), losses.hinge.generator),
            ValueError,
            "two values are reported as 'step'",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"a,b": jnp.mean(r)}), losses.hinge.generator),
            ValueError,
            "a loss reports 'a,b': names are letters, digits",
        ),
        (
            losses.combine(dict.fromkeys([reporting("mean", 0), reporting("mean", 1)], 1.0)),
            ValueError,
            "two values are reported as 'mean'",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"penalty": jnp.mean(r)}), losses.hinge.generator),
            ValueError,
            "two values are reported as 'penalty'",
        ),
        (
            Loss(lambda r, f: (jnp.mean(f), {"each": r}), losses.hinge.generator),
            ValueError,
            r"'each', which a loss reports, must be one number, .* has shape \(4, 1\)",
        ),
        (
            Loss(*[lambda x, y: (jnp.mean(x), {"same": jnp.mean(y)})] * 2),
            ValueError,
            "two values are reported as 'same'",
        ),
        (Loss(lambda r, f: f, lambda f, r: f), ValueError, r"a loss's value must be one number.*\(4, 1\)"),
    ],
)
def test_losses_that_cannot_be_used(loss, kind, message):
    with pytest.raises(kind, match=message) as error:
        stepped(sgd(G(), D(), loss=loss), REAL)
    assert "\n" not in str(error.value).split("\n----")[0]


@pytest.mark.parametrize("labels", [np.int32([0, 1, 2]), np.float32(1.0), [0, 1, 2, 3]])
def test_labels_of_losses_alone_are_as_many_as_samples(labels):
    loss = Loss(lambda r, f, labels: jnp.mean(f), losses.hinge.generator)
    with pytest.raises(ValueError, match="labels must be arrays of 4 labels each"):
        stepped(sgd(G(), D(), loss=loss), Labelled(REAL, labels))


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
def test_a_penalty_of_the_generator(update):
    def steepness(generator, z, *, key, step):
        _, pull = jax.vjp(generator, z)
        (slope,) = pull(jax.random.normal(key, (BATCH, 2)))
        return jnp.mean(slope**2) * (step + 2).astype(jnp.float32)

    gan = sgd(G(), D(), generator_penalties=(steepness,), loss=losses.wasserstein, update=update)
    state, draws, after, metrics = stepped(gan, REAL)
    drawn = draws.generator or draws.discriminator[0]
    key = jax.random.fold_in(jax.random.split(drawn.loss_key, 3)[2], 0)
    against = (after if update == "alternating" else state).discriminator.params

    def total(params):
        make = lambda z: call(gan.generator, state.generator, params, z)  # noqa: E731
        penalty = steepness(make, drawn.latents, key=key, step=jnp.int32(0))
        fake = call(gan.discriminator, state.discriminator, against, make(drawn.latents))
        return penalty - jnp.mean(fake), penalty

    gradient, penalty = jax.grad(total, has_aux=True)(state.generator.params)
    assert_moved(state.generator, after.generator, gradient)
    np.testing.assert_allclose(metrics["generator_penalty"], penalty, rtol=1e-5)
