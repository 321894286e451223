import jax
import numpy as np
import pytest

from benchmarks.throughput.gan import EPSILON, make_gan
from benchmarks.throughput.workloads import KERAS_POLICIES, QUICK, WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_networks_and_data_of_a_workload_fit(name):
    workload = WORKLOADS[name]
    settings = ("learning_rate", "beta_1", "beta_2", "latent_scale", "ema_decay")
    spec = {setting: getattr(workload, setting) for setting in settings} | {"epsilon": EPSILON}
    gan = make_gan(spec, *workload.networks("float32"))  # refuses a pair that does not fit
    real = workload.real(jax.random.key(0), 3)
    assert real.shape == (3, *gan.sample_shape)
    assert real.dtype == np.float32
    if len(gan.sample_shape) == 3:
        assert 0.3 < float(np.abs(real).max()) <= 1  # pixels


def test_named_by_the_size_of_what_they_train():
    sizes = {name: WORKLOADS[name].networks("float32")[1].input_shape[1] for name in WORKLOADS}
    assert [sizes[name] for name in ("ring-16", "dcgan-32", "dcgan-64", "dcgan-64-wide", "dcgan-128")] == [
        *(2, 32, 64, 64, 128)
    ]
    assert [WORKLOADS[f"ring-16-x{n}"].seeds for n in (1, 4, 16, 64)] == [1, 4, 16, 64]
    assert not any(WORKLOADS[name].large for name in QUICK)


@pytest.mark.parametrize("precision", KERAS_POLICIES)
def test_networks_compute_in_the_precision_asked_for(precision):
    import keras

    for model in WORKLOADS["ring-16"].networks(precision):
        computes = {layer.compute_dtype for layer in model.layers}
        assert computes == {"bfloat16" if precision == "bfloat16" else "float32"}
        assert {variable.dtype for variable in model.variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
