"""Maxout (Goodfellow et al. 2013, "Maxout networks", https://arxiv.org/abs/1302.4389)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("ganjax")
class Maxout(keras.layers.Layer):
    """h_i(x) = max_j (x W_ij + b_ij) over `pieces` affine functions (equation in section 3).

    `(..., d)` to `(..., units)`, by one product with a kernel `(d, pieces * units)` whose columns are ordered
    by piece first. To load a file with this layer, import `ganjax.networks.maxout` first.

    Args:
        units: size of the output, the range of i.
        pieces: the range of j, at least 1; 1 gives a dense layer without activation.
        kernel_initializer, bias_initializer: Keras initializers of the kernel and of its biases.

    Raises:
        ValueError: units or pieces are not whole numbers of at least 1.
    """

    samplewise = True  # see ganjax/discriminator_pass.py

    def __init__(
        self,
        units: int,
        pieces: int,
        *,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("units", units), ("pieces", pieces)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Maxout needs {name} to be a whole number of at least 1, got {value!r}")
        self.units, self.pieces = units, pieces
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        outputs = self.pieces * self.units
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], outputs), initializer=self.kernel_initializer
        )
        self.bias = self.add_weight(name="bias", shape=(outputs,), initializer=self.bias_initializer)

    def call(self, x: Any) -> Any:
        bias = ops.reshape(self.bias, (1,) * (len(x.shape) - 1) + (-1,))
        affine = ops.add(ops.matmul(x, self.kernel), bias)
        apart = ops.reshape(affine, (*ops.shape(affine)[:-1], self.pieces, self.units))
        return ops.max(apart, axis=-2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
