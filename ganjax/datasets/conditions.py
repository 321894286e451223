"""Labels as a conditional game takes them: which attributes, and one-hot vectors of their values."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganjax.system.errors import UserError

ALIASES = {"glasses": "accessory", "clothes": "clothing", "skin": "skin_color", "beard": "facial_hair"}
"""What people call attributes of the avatars."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """Attributes a game is conditioned on.

    A label is a float32 vector `(size,)`: the one-hot vectors of each attribute's value, side by side.

    Attributes:
        names: attribute -> names of its values, in the order of their numbers.
        shares: attribute -> how often each value is found in the data.
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
        """The attributes named in `asked`, as in "hair,glasses", of a data set with these labels.

        Raises:
            UserError: it has no such attribute, or none at all.
        """
        if not names:
            raise UserError(f"--condition {asked}: these pictures carry no labels; leave it out")
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
        """What `to_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
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
        """Labels `(n, size)` float32, of each attribute's values, integers `(n,)`."""
        return np.concatenate(
            [np.eye(len(self.names[a]), dtype=np.float32)[values[a]] for a in self.names], 1
        )

    def draw(self, seed: int, n: int) -> dict[str, np.ndarray]:
        """Values as often as in the data, each attribute by itself: attribute -> int32 `(n,)`."""
        random = np.random.Generator(np.random.Philox(key=seed))
        return {
            a: random.choice(len(share), n, p=np.asarray(share) / sum(share)).astype(np.int32)
            for a, share in self.shares.items()
        }

    def usual(self, n: int) -> dict[str, np.ndarray]:
        """The most frequent value of each attribute, `n` times."""
        return {a: np.full(n, int(np.argmax(share)), np.int32) for a, share in self.shares.items()}

    def parse(self, words: str) -> dict[str, int]:
        """Values of the attributes named in `words`, as in "hair=bob,glasses=round".

        Raises:
            UserError: an attribute or a value is none of this game's.
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
