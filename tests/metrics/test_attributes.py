"""Scores of labels against values computed by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganjax.metrics import (
    distinct_combinations,
    entropies,
    missing_values,
    share_confident,
    share_produced,
    total_variation,
)

COUNTS = (4, 2, 3)


def drawn(seed, n, counts=COUNTS, hidden=0.1):
    random = np.random.default_rng(seed)
    labels = np.stack([random.integers(count, size=n) for count in counts], axis=1)
    return np.where(random.random(labels.shape) < hidden, -1, labels)


def column(*values):
    return np.array(values)[:, None]


def test_every_value_of_the_data_itself_is_produced():
    real = drawn(0, 200)
    assert share_produced(real, real, COUNTS) == 1
    assert share_produced(real, drawn(1, 200), COUNTS, at_least=0.25) == 1
    assert missing_values(real, real, COUNTS) == []


def test_half_of_the_values_missing_halves_the_share():
    real = drawn(0, 400, (4, 4))
    fake = np.where(real >= 0, real // 2 * 2, -1)  # even ones only
    assert share_produced(real, fake, (4, 4)) == 0.5
    assert missing_values(real, fake, (4, 4)) == [(0, 1), (0, 3), (1, 1), (1, 3)]


def test_one_repeated_face_has_one_value_of_each_attribute():
    real = drawn(0, 400)
    fake = np.repeat([[1, 0, 2]], 400, axis=0)
    assert share_produced(real, fake, COUNTS) == pytest.approx(3 / sum(COUNTS))
    assert distinct_combinations(fake) == 1
    np.testing.assert_array_equal(entropies(fake, COUNTS), 0)


def test_only_values_that_are_common_in_the_data_count():
    real = column(*[0] * 97, *[1] * 2, 2)
    assert share_produced(real, column(0, 0), [4]) == 0.5  # 0 and 1: 2 is in 1 % of the data, 3 in none
    assert share_produced(real, column(0, 1), [4]) == 1
    assert share_produced(real, column(0, 1), [4], common=0.01) == pytest.approx(2 / 3)
    assert share_produced(real, column(0, 3), [4]) == 0.5  # a value that is not in the data does not count


def test_the_stricter_criterion_needs_a_part_of_the_frequency():
    real = column(*[0] * 60, *[1] * 40)
    fake = column(*[0] * 91, *[1] * 9)
    assert share_produced(real, fake, [2]) == 1
    assert share_produced(real, fake, [2], at_least=0.25) == 0.5  # 9 % is less than a quarter of 40 %
    assert share_produced(real, fake, [2], at_least=0.2) == 1


def test_a_missing_label_counts_as_no_value_but_its_face_counts():
    real = column(*[0] * 50, *[1] * 50)
    fake = column(*[-1] * 90, *[0] * 9, 1)
    assert share_produced(real, fake, [2]) == 1
    assert share_produced(real, fake, [2], at_least=0.1) == 0.5
    # Common means 2 % of all faces, including those to which the attribute does not apply.
    hidden = column(*[-1] * 98, 0, 1)
    assert missing_values(hidden, column(-1), [2], common=0.01) == [(0, 0), (0, 1)]
    with pytest.raises(ValueError, match="no value is as common as"):
        share_produced(hidden, fake, [2])


@given(seed=st.integers(0, 2**31), n=st.integers(1, 60), hidden=st.sampled_from([0, 0.3, 1]))
def test_entropies_and_variation_are_those_of_the_histograms(seed, n, hidden):
    real, fake = drawn(seed, n, hidden=hidden), drawn(seed + 1, n + 5)
    entropy, variation = entropies(real, COUNTS), total_variation(real, fake, COUNTS)
    assert entropy.shape == variation.shape == (3,)
    for i, count in enumerate(COUNTS):
        a, b = (np.array([(x[:, i] == v).sum() for v in range(count)], float) for x in (real, fake))
        if a.sum():
            share = a[a > 0] / a.sum()
            assert entropy[i] == pytest.approx(-(share * np.log2(share)).sum(), abs=1e-12)
        else:
            assert entropy[i] == 0
        expected = np.abs(a / a.sum() - b / b.sum()).sum() / 2 if a.sum() and b.sum() else a.any() != b.any()
        assert variation[i] == pytest.approx(float(expected))
    order = np.random.default_rng(seed).permutation(n)
    np.testing.assert_array_equal(entropies(real[order], COUNTS), entropy)
    np.testing.assert_array_equal(total_variation(fake, real[order], COUNTS), variation)
    assert distinct_combinations(real[order]) == len({tuple(row) for row in real.tolist()})


def test_entropy_is_in_bits():
    np.testing.assert_allclose(entropies(column(0, 1, 2, 3, -1), [4]), [2])
    np.testing.assert_allclose(entropies(column(0, 0, 0, 1), [4]), [0.8112781], atol=1e-6)


def test_variation_of_equal_and_of_disjoint_sets():
    np.testing.assert_array_equal(total_variation(drawn(0, 9), drawn(0, 9), COUNTS), 0)
    np.testing.assert_array_equal(total_variation(column(0, 0), column(1, 2), [3]), 1)
    np.testing.assert_array_equal(total_variation(column(0, 1), column(0, 0), [3]), 0.5)
    np.testing.assert_array_equal(total_variation(column(-1), column(-1), [3]), 0)
    np.testing.assert_array_equal(total_variation(column(-1), column(0), [3]), 1)


def test_a_face_is_confident_if_every_attribute_that_applies_is():
    confidences = np.array([[0.9, 0.8], [0.9, 0.4], [0.4, 0.9], [0.2, 0.1]], np.float32)
    applies = np.array([[True, True], [True, False], [True, True], [False, False]])
    assert share_confident(confidences, 0.5) == 0.25
    assert share_confident(confidences, 0.5, applies) == 0.75
    assert share_confident(confidences, 0) == 1


def test_wrong_arguments_are_refused_in_one_line():
    labels = drawn(0, 9)
    for call, message in [
        (
            lambda: entropies(labels.astype(float), COUNTS),
            r"^labels must be whole numbers of shape \(n, attrib",
        ),
        (lambda: entropies(labels[0], COUNTS), "^labels must be whole numbers of shape"),
        (lambda: entropies(labels[:0], COUNTS), "^labels must hold at least 1 samples, got 0$"),
        (lambda: entropies(labels, COUNTS[:2]), r"^labels has 3 attributes, but counts has shape \(2,\)$"),
        (lambda: entropies(labels, (4, 0, 3)), "^counts must be positive whole numbers"),
        (lambda: entropies([[0, 2, 0]], COUNTS), r"^labels\[0, 1\] is 2, outside -1\.\.1$"),
        (
            lambda: total_variation(labels, [[0, 0, -2]], COUNTS),
            r"^fake_labels\[0, 2\] is -2, outside -1\.\.2$",
        ),
        (lambda: share_produced(labels, labels, COUNTS, common=0), r"^common must be in \(0, 1\]"),
        (lambda: share_produced(labels, labels, COUNTS, at_least=-1), "at_least >= 0, got 0.02 and -1$"),
        (
            lambda: share_confident(np.zeros(3), 0.5),
            r"^confidences must be floats of shape \(n, attributes\)",
        ),
        (
            lambda: share_confident(np.full((3, 2), 1.1), 0.5),
            r"^confidences and threshold must be in \[0, 1\]$",
        ),
        (lambda: share_confident(np.full((3, 2), np.nan), 0.5), "^confidences and threshold must be in"),
        (lambda: share_confident(np.zeros((3, 2)), 2), "^confidences and threshold must be in"),
        (
            lambda: share_confident(np.zeros((3, 2)), 0.5, np.ones((3, 2))),
            r"^applies must be bool of shape \(3, 2",
        ),
    ]:
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
