import pytest

from benchmarks import tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1234"),
        (99.96, "100"),
        (99.94, "99.9"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.01234, "0.0123"),
        (5, "5.00"),
    ],
)
def test_digits(value, text):
    assert tables.digits(value) == text


def test_markdown():
    assert tables.markdown(["a", "n"], [["x", "1"]], ["n"]) == "| a | n |\n| --- | ---: |\n| x | 1 |"


def test_plain():
    text = tables.plain(["a", "number", "c"], [["long word", "1", ""], ["x", "22", "y"]], ["number"])
    assert text.splitlines() == ["a          number  c", "long word       1", "x              22  y"]
