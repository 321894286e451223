"""The cartoon experiments: which pictures they learn from."""

import hashlib
import zipfile

import numpy as np
import pytest
from file_server import Server, whole
from PIL import Image

from ganjax import losses
from ganjax.augmentations import Sequence, color, horizontal_flip
from ganjax.datasets import avatars
from ganjax.experiments import Cartoon
from ganjax.penalties import R1
from ganjax.system.errors import UserError


def test_rendered_faces_are_described_by_count_and_digest(base):
    source, about = Cartoon(size=32, images=4, batch=4, cache_dir=str(base / "cache")).load(False)
    assert source.array.shape == (4, 32, 32, 3)
    assert source.array.dtype == np.uint8
    assert (about["name"], about["count"], about["skipped"]) == ("avatars", 4, 0)
    again = Cartoon(size=32, images=4, batch=4, cache_dir=str(base / "cache")).load(False)[1]
    assert again == about


def test_a_folder_of_pictures_is_learnt_from_instead(tmp_path, capsys):
    (tmp_path / "faces").mkdir()
    for i in range(3):
        Image.new("RGB", (50, 40), (80 * i, 10, 20)).save(tmp_path / "faces" / f"{i}.png")
    (tmp_path / "faces" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "faces" / "captions.txt").write_bytes(b"three faces")
    experiment = Cartoon(size=32, batch=2, data=str(tmp_path / "faces"), cache_dir=str(tmp_path / "cache"))
    source, about = experiment.load(True)
    assert source.array.shape == (3, 32, 32, 3)
    assert (about["count"], about["skipped"]) == (3, 1)
    reason = "broken.png: is not a picture in a format that is read"
    assert about["skipped_files"] == [reason]
    assert capsys.readouterr().err == f"not used: {reason}\n"
    assert experiment.load(False)[1] == about
    assert capsys.readouterr() == ("", "")


def test_of_many_files_that_are_not_used_some_are_named_and_all_are_counted(tmp_path, capsys):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for i in range(30):
        (tmp_path / f"{i:02}.heic").write_bytes(b"")
    experiment = Cartoon(size=32, batch=1, data=str(tmp_path), cache_dir=str(tmp_path / "cache"))
    _, about = experiment.load(True)
    assert (about["count"], about["skipped"]) == (1, 30)
    named = [f"{i:02}.heic: .heic files are not read" for i in range(20)]
    assert about["skipped_files"] == named
    assert capsys.readouterr().err == f"not used: {'; '.join(named[:5])}; and 25 more\n"


def test_what_was_downloaded_is_told_with_its_address_and_digest(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Image.new("RGB", (40, 40), (80, 10, 20)).save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.write(tmp_path / "a.png", "a.png")
    content = (tmp_path / "faces.zip").read_bytes()
    settings = {"size": 32, "batch": 1, "cache_dir": str(tmp_path / "cache")}
    server = Server(whole(content))
    try:
        url = f"{server.address}/faces.zip"
        about = Cartoon(data=url, **settings).load(False)[1]
    finally:
        server.close()
    assert about["origin"] == {"url": url, "sha256": hashlib.sha256(content).hexdigest()}
    assert Cartoon(data=url, offline=True, **settings).load(False)[1] == about
    here = Cartoon(data=str(tmp_path / "faces.zip"), **settings).load(False)[1]
    assert here | {"origin": about["origin"]} == about


def test_a_condition_puts_labels_beside_the_faces(base):
    settings = {"size": 32, "images": 8, "batch": 4, "width": 2, "discriminator_width": 2}
    experiment = Cartoon(condition="glasses,hair", cache_dir=str(base / "cache"), **settings)
    source, about = experiment.load(False)
    assert list(about["condition"]) == ["accessory", "hair"]
    assert source.labels.shape == (8, experiment.conditions.size) == (8, *experiment.gan.label_shape)
    np.testing.assert_array_equal(source.labels.sum(axis=1), 2.0)
    labels = avatars.choose_parts(0, 8)
    first = [labels["accessory"][0], len(avatars.LABEL_NAMES["accessory"]) + labels["hair"][0]]
    np.testing.assert_array_equal(np.flatnonzero(source.labels[0]), first)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"condition": "ears"}, "no attribute 'ears'"),
        ({"condition": "hair", "data": "pictures.zip"}, "--condition needs labels"),
        ({"augment": "flip,blur"}, "--augment 'blur' is not one of flip, color, translation, cutout"),
        ({"augment": ""}, "--augment '' is not one of"),
        ({"loss": "mystery"}, "--loss must be one of"),
        ({"normalization": "layer"}, "--normalization must be one of"),
    ],
)
def test_settings_that_do_not_fit(settings, said):
    with pytest.raises(UserError, match=said):
        Cartoon(**settings)


def test_every_part_of_the_recipe_can_be_chosen():
    gan = Cartoon(
        size=32,
        width=2,
        discriminator_width=2,
        loss="hinge",
        penalties="r1",
        normalization="spectral",
        augment="flip,color",
    ).gan
    assert gan.loss == losses.hinge
    assert [type(penalty) for penalty in gan.penalties] == [R1]
    assert gan.augment == Sequence((horizontal_flip, color))
    layers = {type(layer).__name__ for layer in gan.discriminator.layers}
    assert "SpectralNormalization" in layers
    assert "BatchNormalization" not in layers


def test_more_in_a_batch_than_there_are_is_refused(tmp_path):
    (tmp_path / "faces").mkdir()
    for i in range(3):
        Image.new("RGB", (32, 32), (80 * i, 10, 20)).save(tmp_path / "faces" / f"{i}.png")
    experiment = Cartoon(size=32, batch=4, data=str(tmp_path / "faces"), cache_dir=str(tmp_path / "cache"))
    with pytest.raises(UserError, match="--batch 4 is more than the 3 usable pictures of faces"):
        experiment.load(False)


def test_pictures_that_are_not_there_are_the_users_to_find(tmp_path):
    with pytest.raises(UserError) as caught:
        Cartoon(data=str(tmp_path / "nowhere"), cache_dir=str(tmp_path / "cache")).load(False)
    assert "\n" not in str(caught.value)
