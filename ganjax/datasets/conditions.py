"""Labels for a conditional GAN: the attributes it is conditioned on, and one-hot vectors of their values."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganjax.system.errors import UserError

ALIASES = {"glasses": "accessory", "clothes": "clothing", "skin": "skin_color", "beard": "facial_hair"}
"""Other names for attributes of the avatars."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """The attributes that a GAN is conditioned on.

    A label is a float32 vector `(size,)`: the concatenated one-hot vectors of all attributes' values.

    Attributes:
        names: attribute -> names of its values, in the order of their numbers.
        shares: attribute -> relative frequency of each value in the data.
    """

    names: Mapping[str, tuple[str, ...]]
    shares: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(
        cls,
        asked: str,
        labels: Mapping[str, np.ndarray],
        names: Mapping[str, Sequence[str]],
    ) -> Condition:
        """The attributes named in `asked`, such as "hair,glasses", of a data set with these labels.

        Raises:
            UserError: the data set has no such attribute, or no labels.
        """
        if not names:
            raise UserError(f"--condition {asked}: these pictures have no labels; leave it out")
        chosen = [_choose(word.strip(), names, "attribute") for word in asked.split(",")]
        if len(set(chosen)) < len(chosen):
            raise UserError(f"--condition {asked} names an attribute twice")
        shares = {a: np.bincount(labels[a], minlength=len(names[a])) / len(labels[a]) for a in chosen}
        return cls(
            {a: tuple(names[a]) for a in chosen},
            {a: tuple(float(x) for x in shares[a]) for a in chosen},
        )

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Condition:
        """The condition that `to_json` described.

        Raises:
            KeyError, TypeError, ValueError: it is not such a description.
        """
        names = {str(a): tuple(map(str, each["names"])) for a, each in described.items()}
        shares = {str(a): tuple(map(float, each["shares"])) for a, each in described.items()}
        if any(len(names[a]) != len(shares[a]) or not names[a] or sum(shares[a]) <= 0 for a in names):
            raise ValueError("a condition needs a share for every name")
        return cls(names, shares)

    def to_json(self) -> dict[str, Any]:
        """For a manifest."""
        return {a: {"names": list(self.names[a]), "shares": list(self.shares[a])} for a in self.names}

    @property
    def size(self) -> int:
        """Length of a label."""
        return sum(map(len, self.names.values()))

    def encode(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Labels, float32 `(n, size)`, from the values of each attribute, integers `(n,)`."""
        return np.concatenate(
            [np.eye(len(self.names[a]), dtype=np.float32)[values[a]] for a in self.names], 1
        )

    def draw(self, seed: int, n: int) -> dict[str, np.ndarray]:
        """Random values, as frequent as in the data, independent attributes: attribute -> int32 `(n,)`."""
        random = np.random.Generator(np.random.Philox(key=seed))
        return {
            a: random.choice(len(share), n, p=np.asarray(share) / sum(share)).astype(np.int32)
            for a, share in self.shares.items()
        }

    def usual(self, n: int) -> dict[str, np.ndarray]:
        """The most frequent value of each attribute, `n` times: attribute -> int32 `(n,)`."""
        return {a: np.full(n, int(np.argmax(share)), np.int32) for a, share in self.shares.items()}

    def parse(self, words: str) -> dict[str, int]:
        """The values of attributes given in `words`, such as "hair=bob,glasses=round".

        Raises:
            UserError: there is no such attribute or value.
        """
        chosen = {}
        for word in words.split(","):
            attribute, equals, value = (part.strip() for part in word.partition("="))
            if not equals:
                raise UserError(f"{word!r} is not of the form ATTRIBUTE=VALUE, as in hair=bob")
            attribute = _choose(attribute, self.names, "attribute of this run")
            names = self.names[attribute]
            chosen[attribute] = names.index(_choose(value, names, f"value of {attribute}"))
        return chosen


def _choose(word: str, names: Mapping[str, Any] | Sequence[str], what: str) -> str:
    found = word if word in names else ALIASES.get(word, word)
    if found in names:
        return found
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
    raise UserError(f"there is no {what} {word!r}: {hint}")
