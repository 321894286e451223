"""Sets of pictures that have a name, with the facts about each. Unknown facts are None, never guessed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSet:
    """A set of pictures: one with a name, or the archive at some address.

    Attributes:
        name: the value for `--data`; the address, if it has no other name.
        about: what the pictures show.
        count: the number of pictures.
        licence: its terms of use.
        source: the address of its description.
        url: the address of its archive; None if it is rendered here.
        size: of the archive, in bytes.
        size_as_published: of the archive, if only a rounded number is published.
        sha256: of the archive, if its source publishes it.
        labels: the attributes for which every picture has a label; None if not known.
        note: anything else that users should know.
    """

    name: str
    about: str | None = None
    count: int | None = None
    licence: str | None = None
    source: str | None = None
    url: str | None = None
    size: int | None = None
    size_as_published: str | None = None
    sha256: str | None = None
    labels: tuple[str, ...] | None = None
    note: str | None = None


# Names and numbers of variants: google.github.io/cartoonset/download.html.
_CARTOON_SET_LABELS = (
    "chin_length", "eye_angle", "eye_lashes", "eye_lid", "eyebrow_shape", "eyebrow_weight", "face_shape",
    "facial_hair", "glasses", "hair",
    "eye_color", "face_color", "glasses_color", "hair_color",
    "eye_eyebrow_distance", "eye_slant", "eyebrow_thickness", "eyebrow_width",
)  # fmt: skip
_AVATAR_LABELS = (
    "skin_color", "hair", "hair_color", "hat_color", "facial_hair", "accessory", "eyes", "eyebrows", "mouth",
    "nose", "clothing", "clothing_color",
)  # fmt: skip


def _cartoon_set(name: str, count: int, size: str, copy_size: str, copy_sha256: str) -> DataSet:
    return DataSet(
        name=name,
        about="cartoon faces, composed at random of parts by one artist, 500 x 500 pixels",
        count=count,
        licence="CC BY 4.0 (Google LLC)",
        source="https://google.github.io/cartoonset/download.html",
        url=f"https://storage.googleapis.com/cartoonset_public_files/{name}.tgz",
        size_as_published=size,
        labels=_CARTOON_SET_LABELS,
        note=(
            "Google does not publish a digest. A copy of somebody else's, "
            f"https://huggingface.co/datasets/cgarciae/cartoonset/resolve/1.0.0/data/{name}.tgz, has "
            f"{copy_size} and sha256 {copy_sha256}; whether Google's file is identical is not known"
        ),
    )


CATALOGUE = {
    each.name: each
    for each in (
        DataSet(
            name="avatars",
            about="cartoon faces, rendered on your computer, any number of them at any size: the default",
            licence="MIT (the package python-avatars; drawings after Pablo Stanley's Avataaars)",
            source="https://pypi.org/project/python-avatars/",
            labels=_AVATAR_LABELS,
        ),
        DataSet(
            name="cartoon_20000",
            about="anime faces, the set of the original course (IBM, Coursera ML311, module 6)",
            count=20_000,
            source="https://www.kaggle.com/datasets/splcher/animefacedataset",
            url=(
                "https://cf-courses-data.s3.us.cloud-object-storage.appdomain.cloud/"
                "IBMDeveloperSkillsNetwork-ML311-Coursera/labs/Module6/cartoon_20000.zip"
            ),
            size=131_046_164,
            labels=(),
            note=(
                "The course selected these from the 63,632 faces of the Kaggle data set named above, and "
                "does not mention terms of use. It is also not known who has the rights to the drawings that "
                "the faces were cut from: ask before you publish results"
            ),
        ),
        _cartoon_set(
            "cartoonset10k",
            10_000,
            "450MB",
            "477 MB",
            "902145ad5096af10ca9ee200b648e2a60e8b6b83dd2f4dc5356817988be8ff43",
        ),
        _cartoon_set(
            "cartoonset100k",
            100_000,
            "4.45GB",
            "4766442036 bytes",
            "541dffe1016b10e8177dd534188fa729c8ed9111734498c405d55e47aae1a2a6",
        ),
    )
}
