import math

import numpy as np
import pytest
import toy_tables_by_hand as by_hand
from PIL import Image

from benchmarks.toy_tables import picture, published, report
from benchmarks.toy_tables.plan import OURS, PERFECT
from benchmarks.toy_tables.published import Figure

NOTHING = dict.fromkeys(report.MEASURES)
PACGAN2 = [by_hand.run(0, 0, 8.0, energy_p=0.01), by_hand.run(0, 1, 7.0)]


def test_mean_and_standard_error():
    assert report.mean([7.0, 8.0]) == Figure(7.5, 0.5)
    assert report.mean([7.0]) == Figure(7.0)


def test_a_summary_in_the_units_of_the_table():
    summary = report.summary(PACGAN2)
    assert summary.figures["captured"] == Figure(7.5, 0.5)
    assert summary.figures["high_quality"] == Figure(95.0, 0.0)
    assert (summary.passes, summary.tested, summary.diverged) == (1, 2, 0)
    assert summary.seconds.mean == 30


def test_missing_measures_are_not_counted():
    summary = report.summary([by_hand.run(0, 0, 8.0) | NOTHING, by_hand.run(0, 1, 6.0, energy_p=None)])
    assert summary.figures["captured"] == Figure(6.0)
    assert summary.tested == 1


def test_published_figures_are_below_their_recipe_and_those_of_others_at_the_end():
    groups = [by_hand.group("pacgan2"), by_hand.group(OURS, published=None)]
    text = report.table(by_hand.found(groups, [*PACGAN2, by_hand.run(1, 0, 8.0)]), "ring")
    rows = text.splitlines()[2:]
    assert rows[0] == (
        "| pacgan2 | 1 000 | 7.5 ± 0.5 | 95.00 ± 0.00 | 0.2500 ± 0.0000 | 0.900 ± 0.000 | 1 of 2 | 30 ± 0 "
        "| 1.2 |"
    )
    assert rows[1].startswith(
        "| *PacGAN2, published (Lin et al. 2018)* |  | *7.9 ± 0.1* | *95.6 ± 2* | *0.07* |"
    )
    assert rows[2].startswith("| ours |")
    assert [row.split(",")[0] for row in rows[3:]] == ["| *ALI", "| *VEEGAN"]


def test_a_landscape_without_modes_has_only_the_energy_test():
    groups = [by_hand.group(PERFECT, "spiral", settings={}, published=None)]
    text = report.table(by_hand.found(groups, [by_hand.run(0, 0, 8.0) | NOTHING]), "spiral")
    assert text.splitlines()[2] == "| perfect sampler |  | – | – | – | – | 1 of 1 |  |  |"


def test_which_figures_reproduce():
    rows = report.comparisons(by_hand.found([by_hand.group("pacgan2")], PACGAN2))
    captured, quality, divergence = rows
    assert captured.apart == pytest.approx((7.9 - 7.5) / math.hypot(0.5, 0.1))
    assert captured.reproduces
    assert quality.apart == pytest.approx((95.6 - 95) / 2)
    assert divergence.apart == math.inf  # neither has an error, and they differ
    assert not divergence.reproduces


def test_a_report_compares_with_published_figures():
    text = report.report(by_hand.found([by_hand.group("pacgan2")], PACGAN2), "table.png")
    assert "2 of 3 figures reproduce." in text
    assert "fewer steps" not in text
    assert "Every published recipe is trained for its published number of steps." in text
    assert "| pacgan2 | ring | modes | 7.5 ± 0.5 | 7.9 ± 0.1 | 0.8 | yes |" in text
    assert "| pacgan2 | ring | reverse KL | 0.2500 ± 0.0000 | 0.07 | more than any error | no |" in text
    assert "![Samples of each recipe](table.png)" in text
    assert "This command took 1.5 minutes for 2 runs" in text
    assert "took 1.2 minutes of process time" in text


def test_a_fraction_of_the_steps():
    groups = [by_hand.group("pacgan2", published=40_000), by_hand.group(OURS, published=None)]
    runs = [*PACGAN2, by_hand.run(1, 0, 8.0)]
    text = report.report(by_hand.found(groups, runs, made=2, settings={"steps": "1/40"}), None)
    assert "**Published recipes are trained for 1/40 of their published steps.** Our own is" in text
    assert "| pacgan2 | 1 000 (1/40) |" in text
    assert "pacgan2 had fewer steps than published" in text
    assert "; 1 more were made earlier" in text


def test_fractions_of_several_recipes():
    groups = [by_hand.group("pacgan2", published=100_000), by_hand.group("lsgan", published=1000)]
    text = report.report(by_hand.found(groups, [*PACGAN2, by_hand.run(1, 0, 8.0)]), None)
    assert "trained for a part of their published steps: pacgan2 1/100, lsgan all.**\n" in text


@pytest.mark.parametrize(
    ("steps", "said"), [("1000", " So is our own."), ("quick", " Our own is trained for all its steps.")]
)
def test_steps_of_our_own_recipe(steps, said):
    groups = [by_hand.group("pacgan2", published=100_000), by_hand.group(OURS, published=None)]
    runs, settings = [*PACGAN2, by_hand.run(1, 0, 8.0)], {"steps": steps}
    text = report.report(by_hand.found(groups, runs, settings=settings), None)
    assert f"trained for 1/100 of their published steps.**{said}\n" in text
    alone = report.report(by_hand.found(groups[:1], PACGAN2, settings=settings), None)
    assert "trained for 1/100 of their published steps.**\n" in alone


@pytest.mark.parametrize(("seeds", "said"), [(1, "1 seed (0), 2500"), (10, "10 seeds (0 to 9), 2500")])
def test_seeds(seeds, said):
    found = by_hand.found([by_hand.group("pacgan2")], PACGAN2, settings={"seeds": seeds})
    assert f"\n{said} samples each; " in report.report(found, None)


def test_fractions_of_steps():
    said = [report._fraction(part) for part in (1, 1 / 40, 3 / 40_000)]
    assert said == ["all", "1/40", "1/13333"]


def test_a_sweep_is_not_compared_with_published_figures():
    groups = [by_hand.group("pacgan2", title="batch 50")]
    found = by_hand.found(groups, PACGAN2, settings={"vary": [["batch", "50"]]})
    text = report.report(found, None)
    assert "# Values of a recipe's settings" in text
    assert "| batch 50 |" in text
    assert "*" not in report.table(found, "ring")
    assert "Comparison with published" not in text


def test_failed_groups_and_diverged_runs():
    runs = [by_hand.run(0, 0, 8.0, diverged_at=7), by_hand.run(0, 1, 8.0)]
    text = report.report(by_hand.found([by_hand.group("wgan")], runs, notes=["wgan on cube: no"]), None)
    assert "| wgan (1 of 2 diverged) |" in text
    assert "- wgan on cube: no" in text


def test_published_figures_are_those_of_the_paper():
    (row,) = published.of("grid", "pacgan4")
    assert row.figures() == {
        "captured": Figure(24.8, 0.2),
        "high_quality": Figure(93.6, 0.6),
        "reverse_kl": Figure(0.04),
    }
    assert not list(published.of("spiral", "pacgan4"))


def test_a_full_picture_is_small_and_shows_both_colours(tmp_path):
    random = np.random.default_rng(0)
    titles, columns = [f"recipe-{i}" for i in range(10)], {"ring": 1.5, "grid": 5.0}

    def run(dim):
        samples = random.normal(size=(2500, dim)).astype(np.float32)
        return {
            "samples": samples,
            "surface": random.normal(size=(120, 120)).astype(np.float32).cumsum(axis=1),
        }

    runs = {(title, landscape): run(2) for title in [PERFECT, *titles[:9]] for landscape in columns}
    runs["recipe-3", "ring"] = {"samples": np.full((9, 10), np.nan, np.float32)}
    path = picture.draw(tmp_path / "table.png", titles, columns, runs)
    assert path.stat().st_size < 300_000
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    blue, orange = (np.abs(pixels - colour).sum(axis=2).min() for colour in ([0, 114, 178], [230, 159, 0]))
    assert max(blue, orange) < 120


def test_each_panel_has_its_own_scale():
    logits = np.linspace(-500, 1500, 10_000).reshape(100, 100)
    steps = picture._steps(logits)
    assert np.unique(steps).tolist() == ((np.arange(8) + 0.5) / 8).tolist()
    assert np.all(picture._steps(np.ones((4, 4))) == 4.5 / 8)
    assert np.isnan(picture._steps(np.full((4, 4), np.nan))).all()
