"""A set of pictures knows its size and its fingerprint."""

import numpy as np

from ganjax.datasets.images import ImageSet, fingerprint


def test_length_and_size():
    s = ImageSet(np.zeros((5, 8, 8, 3), np.uint8))
    assert (len(s), s.size) == (5, 8)


def test_fingerprint_depends_on_every_pixel_and_on_the_shape():
    a = np.zeros((2, 4, 4, 3), np.uint8)
    b = a.copy()
    b[1, 3, 3, 2] = 1
    prints = {fingerprint(x) for x in (a, b, a.reshape(1, 4, 8, 3), a[:, ::-1])}
    assert len(prints) == 3  # a flipped is a again
    assert fingerprint(b) == fingerprint(np.asfortranarray(b))
    assert len(fingerprint(a)) == 64
