"""A run's folder with everything that a page can show, written without training."""

import json

import numpy as np
from PIL import Image

MANIFEST = {
    "schema": 2,
    "experiment": "cartoon",
    "settings": {"seed": 3, "steps": 40, "batch": 16, "data": None, "learning_rate": 0.001, "flip": True},
    "latent": {"mean": 0.0, "scale": 1.0},
    "key": [0, 3],
    "data": {"name": "avatars", "count": 512, "sha256": "a" * 64},
    "command": "ganjax train cartoon --seed 3 --steps 40",
    "steps": 40,
    "steps_done": 40,
    "selected_step": 40,
    "status": "finished",
    "scores": {"mean_radius": 0.97},
    "digests": {"0": "b" * 64, "1": "c" * 64},
    "state_sha256": "d" * 64,
    "environment": {"processor": "a secret processor"},
    "sessions": [{"host": "a secret host", "started": "2026-01-01", "seconds": {"data": 1.234}}],
}
EVALUATION = {
    "schema": 1,
    "run": "runs/cartoon-3",
    "n": 1000,
    "seed": 1,
    "seconds": 98.7,
    "note": "Compared with fresh faces.",
    "classifier": {"accuracy": {"hair": 0.991}},
    "scores": [
        {
            "name": "frechet_distance_parts",
            "label": "Frechet distance",
            "value": 12.34,
            "floor": 0.56,
            "better": "lower",
            "about": "How far samples are from real pictures.",
            "features": "128 features of the avatar classifier",
        },
        {"name": "precision", "label": "precision", "value": None, "floor": None, "better": "higher"},
    ],
    "attributes": [
        {
            "name": "hair",
            "entropy": 2.5,
            "entropy_real": 3.25,
            "values": [{"name": "long", "share": 0.125, "share_real": 0.25}],
        }
    ],
    "neighbours": "evaluation/neighbours.png",
}
COLUMNS = (
    *("generator_loss", "discriminator_loss"),
    *("fake_logits", "real_logits"),
    *("fake_accuracy", "real_accuracy"),
)


def make(folder, *, manifest=MANIFEST, evaluation=EVALUATION, steps=(0, 20, 40), size=(24, 16)):
    """Write all files of a run that pages show; returns its folder."""
    draw = np.random.default_rng(0)
    for name in ("samples", "evaluation"):
        (folder / name).mkdir(parents=True)
    names = [f"samples/step_{step:07d}.png" for step in steps]
    for name in [*names, "samples/final.png", "walks.png", "evaluation/neighbours.png"]:
        pixels = draw.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    rows = [[10 * (i + 1), *draw.uniform(size=6).round(4)] for i in range(4)]
    lines = [",".join(("step", *COLUMNS)), *(",".join(map(str, row)) for row in rows)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if evaluation:
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return folder
