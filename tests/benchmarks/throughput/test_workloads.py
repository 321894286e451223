from functools import partial

import jax
import numpy as np
import pytest

from benchmarks.throughput.gan import EPSILON, make_gan
from benchmarks.throughput.workloads import KERAS_POLICIES, QUICK, WORKLOADS
from ganjax.stateless import without_values


@pytest.mark.parametrize("name", WORKLOADS)
def test_networks_and_data_of_a_workload_fit(name):
    workload = WORKLOADS[name]
    settings = ("learning_rate", "beta_1", "beta_2", "latent_scale", "ema_decay")
    spec = {setting: getattr(workload, setting) for setting in settings} | {"epsilon": EPSILON}
    networks = without_values(lambda: workload.networks("float32"))
    gan = make_gan(spec, *networks)  # raises an error for networks that do not fit
    real = workload.real(jax.random.key(0), 3)
    assert real.shape == (3, *gan.sample_shape)
    assert real.dtype == np.float32
    if len(gan.sample_shape) == 3:
        assert 0.3 < float(np.abs(real).max()) <= 1  # pixels


def test_names_say_the_size():
    sizes = {"ring-16": 2, "dcgan-32": 32, "dcgan-64": 64, "dcgan-64-wide": 64, "dcgan-128": 128}
    for name, size in sizes.items():
        _, discriminator = without_values(partial(WORKLOADS[name].networks, "float32"))
        assert discriminator.input_shape[1] == size
    assert [WORKLOADS[f"ring-16-x{n}"].seeds for n in (1, 4, 16, 64)] == [1, 4, 16, 64]
    assert not any(WORKLOADS[name].large for name in QUICK)


@pytest.mark.parametrize("precision", KERAS_POLICIES)
def test_networks_compute_in_the_given_precision(precision):
    import keras

    for model in WORKLOADS["ring-16"].networks(precision):
        computes = {layer.compute_dtype for layer in model.layers}
        assert computes == {"bfloat16" if precision == "bfloat16" else "float32"}
        assert {variable.dtype for variable in model.variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
