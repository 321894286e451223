"""The classifier of faces that scores are computed with: trained once, then loaded from the cache folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from ganjax.datasets.avatars import DRAWING, LABEL_NAMES
from ganjax.evaluation.classifier import HEADS, Recipe, read, train, visible_attributes
from ganjax.system.errors import UserError
from ganjax.system.files import atomic, cache_folder, write_keras
from ganjax.system.progress import tell

SCHEMA = 1


class Reading(NamedTuple):
    """The classifier's output on n pictures; columns in the order of `LABEL_NAMES`.

    Attributes:
        labels: int32 (n, attributes), indices into `LABEL_NAMES`; -1 where other labels hide the attribute.
        confidences: float32 (n, attributes), the probability of each label.
        features: float32 (n, features), the classifier's last layer before its heads.
    """

    labels: np.ndarray
    confidences: np.ndarray
    features: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class AttributeClassifier:
    """A trained classifier.

    Attributes:
        model: the Keras model, see `classifier.build`.
        accuracy: attribute -> share of held-out faces on which it is right, where the attribute is visible.
        sha256: of its file in the cache folder.
        size: height and width of the pictures it takes.
    """

    model: keras.Model
    accuracy: dict[str, float]
    sha256: str
    size: int

    def read(self, images: np.ndarray) -> Reading:
        """Labels, confidences and features of `images`: uint8, or floats in [-1, 1], (n, size, size, 3).

        Raises:
            ValueError: the pictures have another size.
        """
        if images.shape[1:] != (self.size, self.size, 3):
            raise ValueError(f"this classifier reads {self.size} x {self.size} pictures, not {images.shape}")
        features, logits = read(self.model, images)
        labels, confidences = {}, []
        for attribute, head in HEADS.items():
            scores = logits[:, head] - logits[:, head].max(axis=1, keepdims=True)
            labels[attribute] = scores.argmax(axis=1).astype(np.int32)
            confidences.append(1 / np.exp(scores).sum(axis=1))
        return Reading(as_columns(labels), np.stack(confidences, axis=1), features)


def as_columns(labels: dict[str, np.ndarray]) -> np.ndarray:
    """Labels of the avatars, attribute -> (n,), as int32 (n, attributes), -1 where they are not visible."""
    visible = visible_attributes(labels)
    columns = [np.where(visible[name], labels[name], -1) for name in LABEL_NAMES]
    return np.stack(columns, axis=1, dtype=np.int32)


def avatar_classifier(
    recipe: Recipe, cache_dir: str | None = None, progress: bool = False
) -> AttributeClassifier:
    """The classifier that `recipe` describes: loaded from the cache folder, or trained and saved there.

    Args:
        recipe: its data, sizes and training.
        cache_dir: the cache folder, by default the user's.
        progress: show a progress bar for the training (on a terminal only), and report a damaged file.

    Raises:
        UserError: the cache folder cannot be written.
    """
    key = _digest(json.dumps([dataclasses.asdict(recipe), DRAWING, LABEL_NAMES], sort_keys=True).encode())
    path = cache_folder(cache_dir) / "classifiers" / f"avatars-{recipe.size}-{key[:16]}.keras"
    if path.exists():
        try:
            return _open(path, recipe)
        except Exception as error:  # whatever is wrong with the file, the classifier is trained again
            if progress:
                tell(
                    f"the cached classifier {path} cannot be used ({type(error).__name__}): training it again"
                )
    trained = train(recipe, progress)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_keras(path, trained.model)
        about = {
            "schema": SCHEMA,
            "sha256": _digest(path.read_bytes()),
            "recipe": dataclasses.asdict(recipe),
            "accuracy": trained.accuracy,
        }
        with atomic(_about(path)) as temporary:
            temporary.write_text(json.dumps(about, indent=1), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write the cache folder {path.parent} ({error.strerror or error}): free space there, or "
            "choose another (XDG_CACHE_HOME)"
        ) from error
    return AttributeClassifier(trained.model, trained.accuracy, about["sha256"], recipe.size)


def _open(path: Path, recipe: Recipe) -> AttributeClassifier:
    about = json.loads(_about(path).read_text(encoding="utf-8"))
    if about["schema"] != SCHEMA or about["sha256"] != _digest(path.read_bytes()):
        raise ValueError("the file is not as it was written")
    accuracy = {name: float(about["accuracy"][name]) for name in LABEL_NAMES}
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    return AttributeClassifier(model, accuracy, about["sha256"], recipe.size)  # type: ignore[arg-type]


def _about(path: Path) -> Path:
    return path.with_suffix(".json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
