"""Inception is the network that published FIDs use, and its weights are read without risk.

The golden figures are an independent implementation's; benchmarks/inception_reference.py makes
them and says how.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from mulligan.data.download import UnreachableError
from mulligan.errors import DataError, StorageError, UsageError
from mulligan.features import inception, inception_weights
from mulligan.features.extractor import Extractor, weights_sha256
from mulligan.features.inception import Inception, mean_pool
from mulligan.features.inception_weights import BYTES, FILE, KEPT, SHA256, URLS, open_inception
from mulligan.features.resize import resize, with_channels

GOLDEN = json.loads(Path(__file__).with_name("inception_golden.json").read_text(encoding="utf-8"))
SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "inception_reference.py"


def load_script() -> Any:
    spec = importlib.util.spec_from_file_location("inception_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_script()


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    with torch.device("meta"):
        network = Inception()
    return dict(reference.formula_state(network))


@pytest.fixture(scope="module")
def network(state: dict[str, Tensor]) -> Inception:
    return inception_weights.build(state)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no folder of data."""
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MULLIGAN_DATA", raising=False)
    return tmp_path / "cache" / "weights"


def extractor(network: Inception, resize_mode: str = "tensorflow1") -> Extractor:
    classes = tuple(str(place) for place in range(1008))
    return Extractor("inception", network, 2048, 3, (299, 299), "", resize_mode, classes)


# the network


def test_names_and_sizes_are_those_of_the_published_file():
    with torch.device("meta"):
        state = Inception().state_dict()
        parameters = sum(weight.numel() for weight in Inception().parameters())
    assert parameters == 23_850_960
    assert sum(name.endswith("conv.weight") for name in state) == 94
    assert len(state) == 94 * 6 + 2 == 566
    # torch's old format: 81,511 bytes of names and shapes, 8 for the length of each tensor, values
    values = sum(value.numel() * value.element_size() for value in state.values())
    assert 81_511 + 8 * len(state) + values == BYTES


def test_float64_agrees_with_an_independent_implementation(state: dict[str, Tensor]):
    double = inception_weights.build({name: value.double() for name, value in state.items()})
    with torch.no_grad():
        features, logits = double(reference.formula_images("direct")[:1].double() / 127.5 - 1)
    for kind, found in (("features", features), ("logits", logits)):
        wanted = GOLDEN["direct"][kind][0]
        assert found[0, reference.places(found.shape[1])].tolist() == pytest.approx(
            wanted, abs=1e-9
        )


@pytest.mark.parametrize("case", ["direct", "resized"])
def test_uint8_images_give_the_features_and_probabilities_of_the_independent_implementation(
    network: Inception, case: str
):
    features, chances = extractor(network).judged(reference.formula_images(case))
    assert features.shape == (2, 2048)
    assert chances.shape == (2, 1008)
    wanted = GOLDEN[case]
    assert features.square().mean().item() == pytest.approx(
        wanted["mean square of features"], rel=1e-5
    )
    kept = features[:, reference.places(2048)]
    torch.testing.assert_close(kept, torch.tensor(wanted["features"]), rtol=1e-4, atol=1e-4)
    # of the logits a softmax leaves the differences: those without the bias of the last layer
    kept, right = chances[:, reference.places(1008)].log(), torch.tensor(wanted["logits"])
    torch.testing.assert_close(kept - kept[:, :1], right - right[:, :1], rtol=1e-4, atol=1e-4)


def test_the_rows_of_a_batch_do_not_depend_on_how_it_is_cut(
    network: Inception, monkeypatch: pytest.MonkeyPatch
):
    images = torch.linspace(-1, 1, 2 * 3 * 299 * 299).reshape(2, 3, 299, 299)
    with torch.no_grad():
        whole, _ = network(images)
        monkeypatch.setattr(inception, "ROWS", 1)
        cut, _ = network(images)
    torch.testing.assert_close(cut, whole, rtol=1e-5, atol=1e-5)


def test_means_at_the_border_leave_the_padding_out():
    assert torch.equal(mean_pool(torch.ones(1, 1, 4, 5)), torch.ones(1, 1, 4, 5))


# sizes and channels


def test_tensorflow1_takes_corners_as_places_and_repeats_the_last_pixel():
    row = torch.tensor([0.0, 1.0, -1.0])[None, None, None]
    found = resize(row, (1, 6), "tensorflow1")  # places 0, 0.5, 1, 1.5, 2, 2.5
    assert found.flatten().tolist() == pytest.approx([0, 0.5, 1, 0, -1, -1])


def test_tensorflow1_drops_pixels_when_it_makes_images_smaller():
    row = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.3, 0.7])[None, None, None]
    assert resize(row, (1, 2), "tensorflow1").flatten().tolist() == pytest.approx([0.1, 0.8])
    found = resize(row, (1, 4), "tensorflow1")  # places 0, 1.5, 3, 4.5
    assert found.flatten().tolist() == pytest.approx([0.1, 0.55, 0.8, 0.5])


def test_tensorflow1_in_two_directions():
    image = torch.tensor([[0.0, 0.3], [0.6, -0.6]])[None, None]
    found = resize(image, (3, 3), "tensorflow1")  # places 0, 2/3, 4/3 in both
    wanted = [[0, 0.2, 0.3], [0.4, -0.0666667, -0.3], [0.6, -0.2, -0.6]]
    assert found[0, 0].tolist() == [pytest.approx(line, abs=1e-6) for line in wanted]


@pytest.mark.parametrize("size", [(32, 32), (300, 512), (64, 299), (7, 5)])
def test_antialiased_is_pillows_bicubic_in_float_clipped_to_the_range(size: tuple[int, int]):
    images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for target in ((299, 299), (28, 40)):
        pillow = np.stack(
            [
                np.asarray(
                    Image.fromarray(channel.numpy()).resize(target[::-1], Image.Resampling.BICUBIC)
                )
                for channel in images[0]
            ]
        )
        found = resize(images, target, "antialiased")[0].numpy()
        assert np.abs(found - pillow.clip(-1, 1)).max() < 1e-4 * 2
        if target[0] > size[0]:
            assert np.abs(pillow).max() > 1.01, "this picture would leave the range"


def test_channels_are_repeated_weighted_and_put_on_white():
    grey = torch.tensor([-0.5, 0.25])[None, None, None]
    assert torch.equal(with_channels(grey, 3), grey.expand(1, 3, 1, 2))
    assert with_channels(grey, 1) is grey
    colours = torch.tensor([1.0, -1.0, 0.5]).reshape(1, 3, 1, 1)
    assert with_channels(colours, 1).item() == pytest.approx(0.299 - 0.587 + 0.057)
    clear = torch.tensor([1.0, -1.0, 0.5, 0.0]).reshape(1, 4, 1, 1)  # half covered
    assert with_channels(clear, 3).flatten().tolist() == pytest.approx([1, 0, 0.75])
    assert with_channels(clear, 1).item() == pytest.approx(0.299 + 0.75 * 0.114)


# the weights


class Planted:
    """What, once unpickled, makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


@pytest.mark.parametrize("size", [None, BYTES], ids=["any size", "the right size"])
@pytest.mark.parametrize("name", [FILE, "w.pt", "w.safetensors"])
def test_another_pickle_is_refused_and_never_runs(tmp_path: Path, size: int | None, name: str):
    canary, path = tmp_path / "canary", tmp_path / name
    path.write_bytes(pickle.dumps(Planted(canary)))
    pickle.loads(path.read_bytes())
    assert canary.exists(), "the plant works"
    canary.unlink()
    if size is not None:
        with path.open("r+b") as file:
            file.truncate(size)
    with pytest.raises(UsageError, match="safetensors") as caught:
        open_inception(path, False, "antialiased", "cpu")
    assert not canary.exists()
    if name != "w.safetensors":
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        assert str(SHA256 if size else BYTES) in str(caught.value)
        assert (found in str(caught.value)) == (size is not None)


def publish(state: dict[str, Tensor], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file in the published one's format and take it for the published one."""
    torch.save(state, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    monkeypatch.setattr(inception_weights, "BYTES", len(content))
    monkeypatch.setattr(inception_weights, "SHA256", hashlib.sha256(content).hexdigest())


def test_the_published_pickle_is_parsed_once_and_then_kept_as_safetensors(
    state: dict[str, Tensor], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / FILE
    publish(state, path, monkeypatch)
    assert len(path.read_bytes()) == pytest.approx(BYTES, abs=10_000), (
        "the format of the published file"
    )
    first = open_inception(path, False, "tensorflow1", "cpu")
    digest = weights_sha256(inception_weights.build(state))
    assert (first.digest, first.note, first.resize_mode) == (digest, "", "tensorflow1")
    assert (first.width, first.channels, first.size) == (2048, 3, (299, 299))
    assert (len(first.classes), first.classes[7]) == (1008, "class 7")
    assert sorted(file.name for file in cache.iterdir()) == [KEPT, f"{KEPT}.lock"]

    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the pickle was parsed again"))
    for place in (None, path):
        again = open_inception(place, False, "antialiased", "cpu")
        assert (again.digest, again.note) == (digest, "")

    with (cache / KEPT).open("r+b") as file:
        file.seek(-3, 2)
        file.write(b"!")
    for place in (None, path):
        with pytest.raises(UsageError, match=f"{KEPT} is damaged"):
            open_inception(place, False, "antialiased", "cpu")


def test_a_cache_that_cannot_be_written_is_reported(
    state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    publish(state, tmp_path / FILE, monkeypatch)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="MULLIGAN_CACHE"):
        open_inception(tmp_path / FILE, False, "antialiased", "cpu")


def test_a_safetensors_file_needs_the_right_names_shapes_and_dtype(
    state: dict[str, Tensor], tmp_path: Path
):
    path = tmp_path / "own.safetensors"
    wrong = {name: value for name, value in state.items() if not name.startswith("Mixed_7")}
    wrong["AuxLogits.fc.weight"] = torch.zeros(2, 3)
    wrong["fc.weight"] = torch.zeros(1000, 2048)
    wrong["fc.bias"] = state["fc.bias"].half()
    wrong = {name: value for name, value in wrong.items() if not name.startswith("Mixed_6")}
    safetensors.torch.save_file(wrong, path)
    with pytest.raises(UsageError, match=r"Mixed_6a\S+ is missing.* and \d+ more"):
        open_inception(path, False, "antialiased", "cpu")
    whole = {**state, **wrong}
    safetensors.torch.save_file(whole, path)
    with pytest.raises(UsageError) as caught:
        open_inception(path, False, "antialiased", "cpu")
    assert "AuxLogits.fc.weight is unknown" in str(caught.value)
    assert "fc.weight is ('F32', 1000, 2048), not ('F32', 1008, 2048)" in str(caught.value)
    assert "fc.bias is ('F16', 1008), not ('F32', 1008)" in str(caught.value)


def test_a_right_safetensors_file_of_unknown_origin_is_taken_with_a_note(
    state: dict[str, Tensor], tmp_path: Path
):
    path = tmp_path / "own.safetensors"
    plain = {name: value for name, value in state.items() if "num_batches" not in name}
    safetensors.torch.save_file(plain, path)
    found = open_inception(path, False, "antialiased", "cpu")
    assert found.digest == weights_sha256(inception_weights.build(state))
    assert found.note == "nothing says that own.safetensors holds the published weights"


def test_missing_weights_are_described_with_address_size_and_hash(tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        open_inception(None, False, "antialiased", "cpu")
    for part in (FILE, str(BYTES), SHA256, URLS[0], "--download", "--weights FILE"):
        assert part in str(caught.value)
    with pytest.raises(UsageError, match="there is no file"):
        open_inception(tmp_path / "none.pth", True, "antialiased", "cpu")
    with pytest.raises(UsageError, match="resize mode 'cubic' is unknown"):
        open_inception(None, False, "cubic", "cpu")


def test_a_download_tries_both_releases_and_verifies(cache: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[Any, ...]] = []

    def refuse(*words: Any) -> Path:
        asked.append(words[:4])
        raise UnreachableError(f"{words[0]}: no network")

    monkeypatch.setattr(inception_weights, "fetch", refuse)
    with pytest.raises(DataError, match=r"mseitzer.*no network; .*toshas.*no network"):
        open_inception(None, True, "antialiased", "cpu")
    assert asked == [(url, SHA256, BYTES, cache / FILE) for url in URLS]


def test_weights_are_found_in_the_folder_of_data(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MULLIGAN_DATA", str(tmp_path / "data"))
    for folder in (tmp_path / "data" / "weights", cache):
        folder.mkdir(parents=True)
        (folder / FILE).touch()
    assert inception_weights.find(download=False) == tmp_path / "data" / "weights" / FILE
    (cache / KEPT).touch()  # what is safe to read comes first
    assert inception_weights.find(download=False) == cache / KEPT
