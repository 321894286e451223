import faces
import numpy as np
import pytest

from ganjax.evaluation.real import halved, is_avatars, rendered
from ganjax.system.errors import UserError

PICTURES = np.arange(100, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)


def values(images):
    return set(images[:, 0, 0, 0].tolist())


def test_halves_share_no_picture():
    real = halved(PICTURES, 1000, seed=0)
    assert len(real.reference) == len(real.held_out) == len(real.training) == 50
    assert not values(real.training) & values(real.held_out)
    assert values(real.training) | values(real.held_out) == set(range(100))
    assert values(real.reference) <= values(real.training)
    one, two = map(values, real.fresh)
    assert not one & two
    assert one | two == values(real.held_out)
    assert not real.unseen
    assert real.labels is None


def test_halves_are_drawn_from_the_seed():
    one, same, other = (halved(PICTURES, 20, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.reference, same.reference)
    assert values(one.reference) != values(other.reference)
    assert len(one.reference) == len(one.held_out) == 20


def test_an_odd_number_leaves_one_picture_out():
    real = halved(PICTURES[:33], 1000, seed=0)
    assert len(real.reference) == len(real.held_out) == 16


def test_few_pictures_are_refused():
    with pytest.raises(UserError, match="31 real pictures are too few"):
        halved(PICTURES[:31], 10, seed=0)


def test_rendered_faces_are_fresh():
    training = faces.faces(0, 40).images
    real = rendered(training, 40, progress=False)
    sets = [training, real.reference, real.held_out]
    seen = [{image.tobytes() for image in images} for images in sets]
    assert all(not a & b for i, a in enumerate(seen) for b in seen[:i])
    assert real.unseen
    assert real.labels is not None
    assert len(real.labels["hair"]) == 40


def test_which_data_are_avatars():
    own, folder = faces.Faces(), faces.Faces(data="pictures")
    assert is_avatars(own, {"name": "avatars"})
    assert is_avatars(faces.Faces(data="avatars"), {"name": "avatars"})
    assert not is_avatars(folder, {"name": "avatars"})  # a folder may be called so
    assert not is_avatars(own, {"name": "cartoon_20000"})
