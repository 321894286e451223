"""The facts about named sets are well formed, and right if that can be checked here."""

import re

import pytest

from ganjax.datasets import avatars
from ganjax.datasets.catalogue import CATALOGUE
from ganjax.datasets.downloads import check_address

SETS = pytest.mark.parametrize("each", CATALOGUE.values(), ids=lambda each: each.name)


@SETS
def test_an_entry_is_well_formed(each):
    assert CATALOGUE[each.name] is each
    assert re.fullmatch(r"[a-z0-9_]+", each.name)
    assert each.about
    assert each.source.startswith("https://")
    if each.url:
        check_address(each.url)
        assert each.url.rsplit("/", 1)[1].startswith(each.name)
        assert each.count > 0
    if each.sha256:
        assert re.fullmatch(r"[0-9a-f]{64}", each.sha256)


def test_labels_of_the_avatars():
    assert CATALOGUE["avatars"].labels == tuple(avatars.ATTRIBUTES)


def test_cartoon_sets_have_their_published_number_of_attributes():
    """Ten for shapes, four for colours, four for proportions."""
    assert len(set(CATALOGUE["cartoonset10k"].labels)) == 10 + 4 + 4
    assert CATALOGUE["cartoonset100k"].labels == CATALOGUE["cartoonset10k"].labels
