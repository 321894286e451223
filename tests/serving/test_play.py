"""The page in a real browser: what a person does, and what it shows."""

import numpy as np
import pytest
from PIL import Image
from test_server import served


@pytest.fixture(scope="module")
def address(generator):
    with served(generator) as running:
        yield running.address


def opened(visit, address, **options):
    """The page, once all of it has been drawn."""
    seen = visit(address, **options)
    seen.page.wait_for_function(
        "() => [...document.images].every(image => image.src && image.naturalWidth == 8)"
    )
    return seen


def shown(seen):
    """Pixels of the face, once it is another than `before`."""
    return seen.page.evaluate(
        """async () => {
            await drawing;
            const face = document.getElementById("face"), canvas = document.createElement("canvas");
            canvas.width = canvas.height = 8;
            canvas.getContext("2d").drawImage(face, 0, 0);
            return [...canvas.getContext("2d").getImageData(0, 0, 8, 8).data];
        }"""
    )


def settled(seen):
    seen.page.wait_for_function("() => !walking && !drawing && place.to === null")
    return shown(seen)


def test_sliders_new_faces_and_walks(visit, address):
    seen = opened(visit, address)
    page = seen.page
    assert page.locator("input[type=range]").count() == 9
    first = settled(seen)
    page.get_by_label("Direction 1").focus()
    page.keyboard.press("End")
    moved = settled(seen)
    assert moved != first
    page.get_by_role("button", name="Back to the middle").click()
    assert settled(seen) == first
    page.get_by_label("Truncation", exact=True).press("Home")
    average = settled(seen)
    assert average != first
    page.get_by_role("button", name="New face").click()
    assert settled(seen) == average  # under full truncation all faces are one
    page.get_by_label("Truncation", exact=True).press("End")
    second = settled(seen)
    assert second != first
    page.get_by_role("button", name="Walk to nearby face 3").press("Enter")
    assert settled(seen) not in (first, second)
    assert seen.complaints == []
    assert all(asked.startswith((address, "blob:")) for asked in seen.asked)


def test_the_face_can_be_saved(visit, address, generator, tmp_path):
    seen = opened(visit, address)
    for name in ("picture", "latents"):
        with seen.page.expect_download() as kept:
            seen.page.get_by_role("button", name=f"Save {name}").click()
        kept.value.save_as(tmp_path / kept.value.suggested_filename)
    with np.load(tmp_path / "face.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["latents"], generator.draw_latents(1, 1))
    picture = np.asarray(Image.open(tmp_path / "face.png"))
    assert picture.shape == (8, 8, 3)


def test_a_server_that_has_stopped_is_reported(visit, generator):
    with served(generator) as running:
        seen = opened(visit, running.address)
    seen.page.route("**/*", lambda route: route.abort())
    seen.page.get_by_label("Truncation", exact=True).press("Home")
    seen.page.get_by_text("The generator does not answer").wait_for()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_is_accessible(visit, address, width, dark):
    seen = opened(visit, address, width=width, dark=dark, for_axe=True)
    assert seen.violations() == []
    assert seen.overflow() <= 0
