"""Pages in a real browser: accessible, on a narrow screen and in dark mode, loading nothing."""

import re

import pytest

from ganjax.viewing import save_comparison, save_report

from . import run_by_hand

OPEN_ALL = "document.querySelectorAll('details').forEach(details => { details.open = true; })"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    base = tmp_path_factory.mktemp("pages")
    first = run_by_hand.make(base / "a-run-with-a-name-that-is-rather-long", size=(530, 530))
    second = run_by_hand.make(base / "second", evaluation=None)
    page, _ = save_comparison([first, second], base)
    return {"report": save_report(first).as_uri(), "comparison": page.as_uri()}


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_axe_finds_nothing_and_nothing_overflows(name, dark, width, pages, visit):
    seen = visit(pages[name], width=width, dark=dark, for_axe=True)
    seen.page.evaluate(OPEN_ALL)
    assert seen.violations() == []
    assert seen.overflow() <= 0
    paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper)[:3])) < 128) == dark


@pytest.mark.parametrize("name", ["report", "comparison"])
def test_the_page_loads_nothing_and_logs_nothing(name, pages, visit):
    seen = visit(pages[name])
    seen.page.wait_for_load_state("networkidle")
    assert seen.asked == [pages[name]]
    assert seen.complaints == []
    assert seen.page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


def test_the_policy_blocks_scripts_and_pictures_from_elsewhere(pages, visit):
    """Even if escaping had a bug, no foreign script would run and no foreign file be loaded."""
    seen = visit(pages["report"])
    seen.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.intruded = true";
            const image = document.createElement("img");
            image.src = "https://example.invalid/a.png";
            document.body.append(script, image);
        }"""
    )
    seen.page.wait_for_timeout(50)
    assert seen.page.evaluate("window.intruded") is None
    assert len(seen.complaints) == 2
    assert all("Content Security Policy" in said for said in seen.complaints)


def test_keys_move_the_slider(pages, visit):
    page = visit(pages["report"]).page
    slider = page.get_by_role("slider", name="Step")
    assert shown(page) == ["step 0"]
    slider.focus()
    for key, step in (("ArrowRight", 20), ("End", 40), ("ArrowLeft", 20), ("Home", 0)):
        page.keyboard.press(key)
        assert shown(page) == [f"step {step}"]
        assert slider.get_attribute("aria-valuetext") == f"step {step}"
        assert page.locator("output").text_content() == str(step)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_play_shows_one_picture_after_the_other(motion, pages, visit):
    page = visit(pages["report"], reduced_motion=motion).page
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # from here on time passes in `run_for` alone, however slow the machine is
    button = page.get_by_role("button", name="Play")
    button.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Pause").is_visible()
    page.clock.run_for(400)
    assert shown(page) == (["step 0"] if motion == "reduce" else ["step 40"])
    page.clock.run_for(3000)
    assert shown(page) == ["step 40"]
    assert button.is_visible()  # it has stopped by itself; the next press starts from the first picture
    page.keyboard.press("Enter")
    assert shown(page) == ["step 0"]
    page.keyboard.press("Enter")
    page.clock.run_for(5000)
    assert shown(page) == ["step 0"]


def test_without_scripts_all_pictures_are_there(pages, visit):
    page = visit(pages["report"], java_script_enabled=False).page
    assert page.locator(".frames img:visible").count() == 3
    assert page.get_by_role("slider").count() == 0


def test_the_tab_key_reaches_everything(pages, visit):
    page = visit(pages["report"]).page
    page.evaluate(OPEN_ALL)
    wanted = page.locator("a, button:visible, input, summary, [tabindex='0']").count()
    result = set()
    for _ in range(wanted + 1):
        page.keyboard.press("Tab")
        result.add(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    assert len(result) >= wanted


def shown(page):
    """The steps whose pictures are visible."""
    steps = page.locator(".frames li").all()
    return [step.locator(".step").text_content() for step in steps if step.is_visible()]
