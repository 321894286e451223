"""Every number that can be set has a range; the message for a value outside names flag and range."""

import dataclasses
import math
import re
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import pytest

from ganjax.cli.explore import Explore
from ganjax.cli.sample import Sample
from ganjax.experiments import EXPERIMENTS, Cartoon, OriginalToy, Ring
from ganjax.experiments.ranges import Range, check_settings, range_of
from ganjax.system.errors import UserError

FORMS = {**EXPERIMENTS, "sample": Sample, "explore": Explore}


def numbers_of(form):
    """Names and annotations of the fields that hold numbers, or one of several."""
    for name, kind in get_type_hints(form, include_extras=True).items():
        if name in {field.name for field in dataclasses.fields(form)}:
            plain = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
            if plain in (int, float) or get_origin(plain) is Literal:
                yield name, kind


NUMBERS = [
    pytest.param(form, field, kind, id=f"{name} {field}")
    for name, form in FORMS.items()
    for field, kind in numbers_of(form)
    if get_origin(kind) is not Literal
]


def filled(form, **settings):
    """The form with these settings, and what it needs beside them."""
    if form in (Sample, Explore):
        return form(**{"run": "run"} | settings)
    return form(**{"batch": pack_of(form)} | settings)


def pack_of(form):
    """How many samples of a batch make a pack, where they do."""
    return getattr(form, "packing", 1)


def around(allowed, whole):
    """Numbers on both sides of both ends: those that belong to the range, and those that do not."""
    least, most, ends = allowed.least, allowed.most, allowed.ends
    if whole:
        assert ends == "[]"
        return [least, least + 1, most - 1, most], [least - 1, most + 1, -(10**30), 10**30, least + 0.5]
    lower, upper = math.nextafter(least, math.inf), math.nextafter(most, -math.inf)
    inside = [lower, upper, *([least] if ends[0] == "[" else []), *([most] if ends[1] == "]" else [])]
    outside = [least - 1, math.nextafter(least, -math.inf), math.nextafter(most, math.inf), most + 1]
    outside += [*([least] if ends[0] == "(" else []), *([most] if ends[1] == ")" else [])]
    return inside, [*outside, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize(("form", "field", "kind"), NUMBERS)
def test_a_number_is_held_to_its_range(form, field, kind):
    allowed = range_of(kind)
    assert allowed is not None, f"{form.__name__}.{field} has no range"
    inside, outside = around(allowed, get_args(kind)[0] is int)
    for value in inside:
        if field == "batch" and value % pack_of(form):
            continue  # whole packs are asked for beside the range
        assert getattr(filled(form, **{field: value}), field) == value
    for value in [*outside, "x", None]:
        with pytest.raises(UserError) as caught:
            filled(form, **{field: value})
        flag = f"--{field.replace('_', '-')}"
        assert str(caught.value).startswith(f"{flag} must be a ")
        assert str(caught.value).endswith(f" in {allowed}, got {value!r}")


def test_numbers_of_every_form_were_found():
    assert {form.values[0] for form in NUMBERS} == set(FORMS.values())
    assert {name for name, _ in numbers_of(Cartoon)} >= {"seed", "size", "penalty", "discriminator_width"}


def test_a_choice_is_held_to_its_values():
    for size in (32, 64, 128):
        assert Cartoon(size=size).size == size
    for size in (0, 48, 63, 256, "64", None):
        with pytest.raises(UserError, match=r"^--size must be one of 32, 64, 128, got "):
            Cartoon(size=size)


@pytest.mark.parametrize("rate", [1e-9, 0.5, 10, 1000])
def test_learning_rates_that_diverge_can_be_tried(rate):
    assert Ring(learning_rate=rate).learning_rate == rate


def test_the_original_toy_counts_its_pairs_in_32_bits():
    assert OriginalToy(batch=46_340).batch ** 2 < 2**31 < 46_341**2
    with pytest.raises(UserError, match="46340"):
        OriginalToy(batch=46_341)


def test_more_pictures_in_a_batch_than_there_are_is_refused():
    assert Cartoon(images=16, batch=16).batch == 16
    with pytest.raises(UserError, match="--batch 17 is more than --images 16"):
        Cartoon(images=16, batch=17)
    assert Cartoon(images=1, batch=17, data="folder").batch == 17  # how many these are is not known yet


@pytest.mark.parametrize(
    ("allowed", "shown", "inside", "outside"),
    [
        (Range(0, 1), "[0, 1]", [0, 0.5, 1], [-1e-9, 1 + 1e-9]),
        (Range(0, 1, "[)"), "[0, 1)", [0, 0.5], [-1e-9, 1]),
        (Range(0, 1, "(]"), "(0, 1]", [0.5, 1], [0, 1.5]),
    ],
)
def test_a_range_is_shown_as_in_mathematics(allowed, shown, inside, outside):
    assert str(allowed) == shown
    assert all(value in allowed for value in inside)
    assert not any(value in allowed for value in [*outside, math.nan, math.inf, -math.inf])


def test_a_number_that_may_be_left_out_has_a_range_too():
    @dataclasses.dataclass
    class Optional:
        steps: Annotated[int | None, Range(1, 5)] = None
        rate: Annotated[float | None, Range(0, 1, "(]")] = None

    for settings in (Optional(), Optional(steps=5, rate=1), Optional(steps=1, rate=0.5)):
        check_settings(settings)
    with pytest.raises(UserError, match=re.escape("--steps must be a whole number in [1, 5], got 0")):
        check_settings(Optional(steps=0))
    with pytest.raises(UserError, match=re.escape("--rate must be a number in (0, 1], got nan")):
        check_settings(Optional(rate=math.nan))


def test_fields_without_a_range_are_let_be():
    @dataclasses.dataclass
    class Free:
        count: int = 3
        name: str | None = None

    check_settings(Free(count=-5))
