"""Every pair of objectives in NumPy.

`EQUATIONS[name]` is `(discriminator, generator)`: `discriminator(r, f)` gives, logit by logit, the terms
whose mean is the loss and their derivatives in r and in f; `generator(f, r)` the terms and their derivative
in f.
"""

import numpy as np


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return np.exp(-softplus(-x))


def cross_entropy(r, f):
    return (softplus(-r) + softplus(f)) / 2, -sigmoid(-r) / 2, sigmoid(f) / 2


EQUATIONS = {
    "binary_cross_entropy": (cross_entropy, lambda f, r: (softplus(-f), -sigmoid(-f))),
    "minimax": (cross_entropy, lambda f, r: (-softplus(f), -sigmoid(f))),
    "zero_sum": (cross_entropy, lambda f, r: (-(softplus(-r) + softplus(f)) / 2, -sigmoid(f) / 2)),
    "least_squares": (
        lambda r, f: (((r - 1) ** 2 + f**2) / 2, r - 1, f),
        lambda f, r: ((f - 1) ** 2 / 2, f - 1),
    ),
    "hinge": (
        lambda r, f: (
            np.maximum(0, 1 - r) + np.maximum(0, 1 + f),
            -(1.0 * (r < 1)),
            1.0 * (f > -1),
        ),
        lambda f, r: (-f, -np.ones_like(f)),
    ),
    "wasserstein": (
        lambda r, f: (f - r, -np.ones_like(r), np.ones_like(f)),
        lambda f, r: (-f, -np.ones_like(f)),
    ),
    "relativistic_pairing": (
        lambda r, f: (softplus(f - r), -sigmoid(f - r), sigmoid(f - r)),
        lambda f, r: (softplus(r - f), -sigmoid(r - f)),
    ),
}
