import numpy as np
from PIL import Image

from ganjax.evaluation.evaluate import _nearest_few, save_neighbours


def test_the_nearest_stand_beside_their_sample(tmp_path):
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (40, 16, 16, 3), np.uint8)
    samples = random.integers(0, 256, (20, 16, 16, 3), np.uint8)
    samples[7] = training[31]
    save_neighbours(tmp_path / "evaluation" / "neighbours.png", samples, training)
    with Image.open(tmp_path / "evaluation" / "neighbours.png") as image:
        sheet = np.asarray(image.convert("RGB"))
    cell = 16 * 8 + 2
    assert sheet.shape[0] > 12 * cell
    copy = samples[7].repeat(8, axis=0).repeat(8, axis=1)
    top = sheet.shape[0] - 12 * cell  # the first row: below the column labels
    left = sheet.shape[1] - 4 * cell
    for column in range(2):  # the sample, and the training picture it copies
        at = left + column * cell
        np.testing.assert_array_equal(sheet[top : top + 128, at : at + 128], copy)


def test_neighbours_are_in_the_order_of_their_distance():
    training = np.full((2000, 4, 4, 3), 255, np.uint8)
    training[[1500, 3, 700]] = np.array([0, 10, 20], np.uint8)[:, None, None, None]
    assert _nearest_few(np.zeros((4, 4, 3), np.uint8), training).tolist() == [1500, 3, 700]
