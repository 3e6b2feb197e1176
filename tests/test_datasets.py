# ruff: noqa: E501 - the table of refusals is read by lines
"""Data of every kind: what the network is fed, compared with plain PIL and numpy; and refusals."""

import gzip
import json
import os
import pickle
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser
from PIL import Image

from rxsim.cli import main
from rxsim.config import load_settings
from rxsim.data import Preprocess, Source, open_data
from rxsim.data.image_files import open_image
from rxsim.errors import DataError, InputError
from rxsim.pipeline import DataOptions, open_study
from rxsim.pipeline.study.study import Study
from rxsim.run import predict

CLASSES = ("zebra", "ant", "cat")
"""Out of alphabetical order: the classes file decides."""
ASSETS = os.environ.get("RXSIM_ASSETS")
NETWORKS = {
    "net": ("float[N, 3, 8, 8] x", "float[N, 4] y", 3),
    "free": ("float[N, 3, H, W] x", "float[N, 4] y", 3),
    "grey": ("float[N, 1, 28, 28] x", "float[N, 4] y", 1),
    "cifar": ("float[N, 3, 32, 32] x", "float[N, 10] y", 3),
}
TWO = """
<ir_version: 8, opset_import: ["" : 17]>
two (float[N, 4] main, float[N, 4] side, int64[N, 1] token) => (float[N, 3] y, float[N, 4] other)
<float[4, 3] w = {0.5, -0.5, 1, 0.25, 0.5, 0.75, -1, 0, 1, 0.5, 0.5, 0.5},
 float[9, 4] table = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5,
                      6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8, 8}, int64[1] axis = {1}>
{
    rows = Gather(table, token)
    row = Squeeze(rows, axis)
    sum = Add(main, side)
    other = Add(sum, row)
    y = MatMul(other, w)
}
"""
ROWS = """
<ir_version: 8, opset_import: ["" : 17]>
rows (float[N, 4] x) => (float[N, 3] y)
<float[4, 3] w = {0.5, -0.5, 1, 0.25, 0.5, 0.75, -1, 0, 1, 0.5, 0.5, 0.5}>
{
    y = MatMul(x, w)
}
"""


def _network(heading: tuple[str, str, int]) -> onnx.ModelProto:
    """Make a 1x1 convolution and a mean over the image."""
    given, result, channels = heading
    outputs = 10 if "10" in result else 4
    weights = np.random.default_rng(3).normal(size=(outputs, channels)).round(3)
    numbers = ", ".join(str(value) for value in weights.ravel())
    return parser.parse_model(
        f"""
        <ir_version: 8, opset_import: ["" : 17]>
        net ({given}) => ({result})
        <float[{outputs}, {channels}, 1, 1] w = {{{numbers}}}>
        {{
            maps = Conv(x, w)
            mean = GlobalAveragePool(maps)
            y = Flatten(mean)
        }}
        """
    )


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    for name, heading in NETWORKS.items():
        onnx.save(_network(heading), folder / f"{name}.onnx")
    for name, text in (("two", TWO), ("rows", ROWS)):
        onnx.save(parser.parse_model(text), folder / f"{name}.onnx")
    return folder


def _pixels(seed: int, height: int = 8, width: int = 8, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


def _save(path: Path, pixels: np.ndarray, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path, **options)


def _class_folder(folder: Path, names: tuple[str, ...] = CLASSES, each: int = 4) -> Path:
    for number, name in enumerate(names):
        for k in range(each):
            _save(folder / name / f"{k}.png", _pixels(10 * number + k))
    return folder


def _classes_file(path: Path, names: tuple[str, ...] = CLASSES) -> Path:
    path.write_text("\n".join(names) + "\n")
    return path


def _idx(values: np.ndarray) -> bytes:
    lengths = b"".join(length.to_bytes(4, "big") for length in values.shape)
    return b"\0\0\x08" + bytes([values.ndim]) + lengths + values.astype(np.uint8).tobytes()


def _cifar(count: int, seed: int = 0) -> np.ndarray:
    records = np.random.default_rng(seed).integers(0, 256, (count, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(count) % 10
    return records


def _study(model: Path, data: Path | None, *, scaled: bool = True, **given: Any) -> Study:
    steps = {**({"scale": 1} if scaled else {}), **given.pop("preprocess", {})}
    options = DataOptions(data=data, preprocess=steps, **given)
    return open_study(model, load_settings(None), options, threads=2)


def _fed(study: Study, name: str = "x") -> np.ndarray:
    return study.inputs.feeds(0, len(study.inputs))[name]


def _labels(study: Study) -> list[Any]:
    assert study.labels is not None
    return list(study.labels.tolist())


# --- image files --------------------------------------------------------------------------------


def test_a_folder_by_class_takes_its_order_from_the_classes_file(
    nets: Path, tmp_path: Path
) -> None:
    folder = _class_folder(tmp_path / "data")
    (folder / "ant" / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    study = _study(nets / "net.onnx", folder, classes=_classes_file(tmp_path / "classes.txt"))
    assert _labels(study) == [1] * 4 + [2] * 4 + [0] * 4
    paths = sorted(folder.glob("*/*.png"))
    wanted = np.stack([np.asarray(Image.open(path)) for path in paths]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(_fed(study), wanted)


def test_class_folders_of_whole_numbers_are_their_labels(nets: Path, tmp_path: Path) -> None:
    folder = _class_folder(tmp_path / "data", ("0", "10", "2"), each=1)
    study = _study(nets / "cifar.onnx", folder, metric="none", preprocess=_resized(32))
    assert study.labels is None
    data = open_data(Source(path=folder))
    assert data.labels is not None
    assert data.labels.tolist() == [0, 10, 2]


def _resized(*lengths: int) -> dict[str, Any]:
    return {"geometry": [{"resize": list(lengths)}]}


def test_a_flat_folder_serves_the_metric_none_and_calibration(nets: Path, tmp_path: Path) -> None:
    for k in range(5):
        _save(tmp_path / "flat" / f"{k}.png", _pixels(k))
    study = _study(nets / "net.onnx", tmp_path / "flat", metric="none")
    assert (study.labels, study.metric, len(study.inputs)) == (None, "none", 5)
    folder = _class_folder(tmp_path / "data", ("0", "1", "2"))
    study = _study(nets / "net.onnx", folder, calibrate=tmp_path / "flat")
    assert study.provenance.calibration.name == "flat"
    assert len(study.calibration) == 5


MODES: list[tuple[str, str, Callable[[np.ndarray], Image.Image]]] = [
    ("grey.png", "grey", lambda p: Image.fromarray(p[..., 0])),
    ("black and white.png", "1", lambda p: Image.fromarray(p[..., 0]).convert("1")),
    ("alpha.png", "RGBA", lambda p: Image.fromarray(np.dstack([p, p[..., :1]]))),
    ("grey alpha.png", "LA", lambda p: Image.fromarray(p[..., :2])),
    ("palette.png", "P", lambda p: Image.fromarray(p).quantize(16)),
    ("palette.gif", "P", lambda p: Image.fromarray(p).quantize(16)),
    ("ink.jpg", "CMYK", lambda p: Image.fromarray(p).convert("CMYK")),
    ("ink.tif", "CMYK", lambda p: Image.fromarray(p).convert("CMYK")),
    ("plain.jpeg", "RGB", Image.fromarray),
    ("plain.webp", "RGB", Image.fromarray),
    ("plain.bmp", "RGB", Image.fromarray),
    ("plain.ppm", "RGB", Image.fromarray),
    ("plain.TIFF", "RGB", Image.fromarray),
]


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize(("name", "mode", "make"), MODES, ids=[name for name, _, _ in MODES])
def test_every_mode_becomes_rgb_or_grey(
    name: str, mode: str, make: Callable[[np.ndarray], Image.Image], gray: bool, tmp_path: Path
) -> None:
    make(_pixels(5)).save(tmp_path / name)
    data = open_data(Source(path=tmp_path, truth="none"))
    step = Preprocess(data_layout="NHWC", data_color="gray" if gray else "RGB")
    found = step.apply(data.fetch(np.array([0])), np.uint8)
    image = Image.open(tmp_path / name).convert("RGB")
    wanted = np.asarray(image.convert("L"))[None] if gray else np.asarray(image).transpose(2, 0, 1)
    np.testing.assert_array_equal(found[0], wanted)


def test_a_bmp_of_16_bits_a_pixel_is_read(tmp_path: Path) -> None:
    head = bytearray(b"BM" + bytes(52))
    for place, value in ((2, 62), (10, 54), (14, 40), (18, 2), (22, 2), (26, 1), (28, 16)):
        head[place : place + 1] = bytes([value])
    (tmp_path / "a.bmp").write_bytes(head + np.array([[0x7C00, 31], [0, 0x3E0]], "<u2").tobytes())
    found = Preprocess(data_layout="NHWC", model_layout="NHWC").apply(
        open_data(Source(path=tmp_path, truth="none")).fetch(np.array([0]))
    )
    np.testing.assert_array_equal(found[0], [[[0, 0, 0], [0, 255, 0]], [[255, 0, 0], [0, 0, 255]]])


def test_a_transparent_palette_keeps_the_colours_beneath(tmp_path: Path) -> None:
    pixels = _pixels(6)
    image = Image.fromarray(pixels).quantize(16)
    colours = np.asarray(image.convert("RGB"))
    image.save(tmp_path / "a.png", transparency=bytes(range(16)))
    found = Preprocess(data_layout="NHWC").apply(
        open_data(Source(path=tmp_path, truth="none")).fetch(np.array([0]))
    )
    np.testing.assert_array_equal(found[0], colours.transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(orientation: int, tmp_path: Path) -> None:
    pixels = _pixels(7, 4, 6)
    exif = Image.Exif()
    exif[0x0112] = orientation
    _save(tmp_path / "a.png", pixels, exif=exif)
    found = Preprocess(data_layout="NHWC", model_layout="NHWC").apply(
        open_data(Source(path=tmp_path, truth="none")).fetch(np.array([0]))
    )
    # Source: EXIF 2.3, tag 0x0112: what lies in row 0 and column 0.
    turned = [
        *(pixels, pixels[:, ::-1], pixels[::-1, ::-1], pixels[::-1]),
        *(pixels.transpose(1, 0, 2), np.rot90(pixels, -1)),
        *(pixels[::-1, ::-1].transpose(1, 0, 2), np.rot90(pixels, 1)),
    ]
    np.testing.assert_array_equal(found[0], turned[orientation - 1])


GEOMETRIES: list[tuple[list[dict[str, Any]], Callable[[Image.Image], Image.Image]]] = [
    ([{"crop": 8}], lambda i: i.crop((6, 4, 14, 12))),
    ([{"crop": [6, 10]}], lambda i: i.crop((5, 5, 15, 11))),
    ([{"crop": [5, 5]}], lambda i: i.crop((8, 6, 13, 11))),  # 7.5 and 5.5 round to even
    ([{"resize": 8}], lambda i: i.resize((10, 8), Image.Resampling.BILINEAR)),
    ([{"resize": [9, 7]}], lambda i: i.resize((7, 9), Image.Resampling.BILINEAR)),
    *[
        (
            [{"resize": [12, 5], "interpolation": name}],
            lambda i, name=name: i.resize((5, 12), Image.Resampling[name.upper()]),
        )
        for name in ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
    ],
    (
        [{"crop": 14}, {"resize": [8, 8], "interpolation": "bicubic"}, {"crop": 6}],
        lambda i: (
            i.crop((3, 1, 17, 15)).resize((8, 8), Image.Resampling.BICUBIC).crop((1, 1, 7, 7))
        ),
    ),
]


@pytest.mark.parametrize("stored", ["files", "colour array", "grey array"])
@pytest.mark.parametrize(("steps", "by_hand"), GEOMETRIES, ids=[str(s) for s, _ in GEOMETRIES])
def test_geometry_is_pillows_step_by_step(
    steps: list[dict[str, Any]],
    by_hand: Callable[[Image.Image], Image.Image],
    stored: str,
    tmp_path: Path,
) -> None:
    pixels = _pixels(8, 16, 20)
    layout = "NHW" if stored == "grey array" else "NHWC"
    step = Preprocess.model_validate(
        {"geometry": steps, "data_layout": layout, "model_layout": layout}
    )
    if stored == "files":
        _save(tmp_path / "a.png", pixels)
        found = step.apply(open_data(Source(path=tmp_path, truth="none")).fetch(np.array([0])))
    else:
        pixels = pixels[..., 1] if layout == "NHW" else pixels
        found = step.apply(np.stack([pixels, pixels]))
    np.testing.assert_array_equal(found[0], np.asarray(by_hand(Image.fromarray(pixels))))


@pytest.mark.parametrize("size", [(30, 17), (17, 30), (16, 16), (333, 500)])
def test_one_length_is_the_shorter_sides_as_in_torchvision(size: tuple[int, int]) -> None:
    height, width = size
    step = Preprocess.model_validate({**_resized(16), "data_layout": "NHWC"})
    found = step.apply(np.zeros((1, height, width, 3), dtype=np.uint8)).shape[2:]
    short, long = min(size), max(size)
    wanted = (16, int(16 * long / short))
    assert found == (wanted if height <= width else wanted[::-1])


def test_grey_and_colours_turn_into_each_other_as_in_pillow() -> None:
    pixels = _pixels(9, 30, 40)
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    for color, image in (("RGB", pixels), ("BGR", pixels[..., ::-1])):
        step = Preprocess(data_layout="NHWC", data_color=color, model_color="gray")
        np.testing.assert_array_equal(step.apply(image[None])[0, 0], grey)
    step = Preprocess(data_layout="NHW", model_color="RGB", model_layout="NHWC")
    np.testing.assert_array_equal(step.apply(grey[None])[0], np.stack([grey] * 3, axis=-1))
    step = Preprocess(data_layout="NHW", model_layout="NHW")
    np.testing.assert_array_equal(step.apply(grey[None])[0], grey)
    step = Preprocess(data_layout="NHW", flatten=True, scale=2)
    np.testing.assert_array_equal(step.apply(grey[None])[0], 2 * grey.astype(np.float32).ravel())


def test_a_csv_takes_columns_by_name_and_files_beside_it_or_elsewhere(
    nets: Path, tmp_path: Path
) -> None:
    for k in range(3):
        _save(tmp_path / "pictures" / f"{k}.png", _pixels(k))
    (tmp_path / "a.csv").write_text(
        'source,label,file\nweb,2,pictures/1.png\n"a, b",0,pictures/0.png\n\nweb,2,pictures/1.png\n'
    )
    (tmp_path / "b.csv").write_bytes("\ufefffile, label\r\n1.png, 3\r\n2.png, 0\r\n".encode())
    study = _study(nets / "net.onnx", tmp_path / "a.csv")
    assert _labels(study) == [2, 0, 2]
    wanted = np.stack([_pixels(k).transpose(2, 0, 1) for k in (1, 0, 1)])
    np.testing.assert_array_equal(_fed(study), wanted)
    study = _study(nets / "net.onnx", tmp_path / "b.csv", images=tmp_path / "pictures")
    assert _labels(study) == [3, 0]
    (tmp_path / "c.csv").write_text("file,label\npictures/0.png,cat\npictures/1.png,zebra\n")
    classes = _classes_file(tmp_path / "classes.txt")
    assert _labels(_study(nets / "net.onnx", tmp_path / "c.csv", classes=classes)) == [2, 0]
    (tmp_path / "d.csv").write_text("file\npictures/0.png\n")
    assert _study(nets / "net.onnx", tmp_path / "d.csv", metric="none").labels is None


def test_files_and_labels_change_the_identity_and_nothing_else_does(tmp_path: Path) -> None:
    folder = _class_folder(tmp_path / "data", ("0", "1"))
    first = open_data(Source(path=folder)).identity
    assert first == open_data(Source(path=folder)).identity
    moved = folder.rename(tmp_path / "elsewhere")
    assert first == open_data(Source(path=moved)).identity
    (moved / "0" / "0.png").rename(moved / "1" / "9.png")
    assert first != open_data(Source(path=moved)).identity


def test_threads_decode_side_by_side(nets: Path, tmp_path: Path) -> None:
    folder = _class_folder(tmp_path / "data", ("0", "1", "2"), each=8)
    study = _study(nets / "net.onnx", folder)
    whole = _fed(study)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda k: study.inputs.feeds(k, k + 1)["x"], range(24)))
    np.testing.assert_array_equal(np.concatenate(parts), whole)


# --- IDX and CIFAR-10 ---------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("as_folder", [False, True])
def test_idx_pairs_are_found_by_their_names(
    zipped: bool, as_folder: bool, nets: Path, tmp_path: Path
) -> None:
    images, labels = _pixels(1, 7, 28, 28).astype(np.uint8), np.arange(7) % 4
    pack = gzip.compress if zipped else bytes
    ending = ".gz" if zipped else ""
    (tmp_path / f"t10k-images-idx3-ubyte{ending}").write_bytes(pack(_idx(images)))
    (tmp_path / f"t10k-labels-idx1-ubyte{ending}").write_bytes(pack(_idx(labels)))
    path = tmp_path if as_folder else tmp_path / f"t10k-images-idx3-ubyte{ending}"
    study = _study(nets / "grey.onnx", path, preprocess={"scale": "1/255"})
    assert _labels(study) == labels.tolist()
    np.testing.assert_array_equal(_fed(study)[:, 0], images.astype("f4") * np.float32(1 / 255))


def test_idx_labels_can_be_named(nets: Path, tmp_path: Path) -> None:
    (tmp_path / "x.idx3").write_bytes(_idx(_pixels(1, 3, 28, 28)))
    (tmp_path / "truth").write_bytes(_idx(np.array([3, 0, 1])))
    study = _study(nets / "grey.onnx", tmp_path / "x.idx3", label_file=tmp_path / "truth")
    assert _labels(study) == [3, 0, 1]
    assert _study(nets / "grey.onnx", tmp_path / "x.idx3", metric="none").labels is None


def test_cifar_records_are_planes_after_a_label(nets: Path, tmp_path: Path) -> None:
    test, train = _cifar(12), [_cifar(5, 1), _cifar(6, 2)]
    (tmp_path / "test_batch.bin").write_bytes(test.tobytes())
    for number, records in enumerate(train):
        (tmp_path / f"data_batch_{number + 1}.bin").write_bytes(records.tobytes())
    for path in (tmp_path, tmp_path / "test_batch.bin"):
        study = _study(nets / "cifar.onnx", path, calibrate=tmp_path)
        assert _labels(study) == test[:, 0].tolist()
        np.testing.assert_array_equal(_fed(study), test[:, 1:].reshape(-1, 3, 32, 32))
        assert study.provenance.calibration.samples == 11
        assert study.provenance.calibration.overlap == 0


# --- labels, metrics, several inputs --------------------------------------------------------------


def _npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def _rows_and(path: Path, **arrays: np.ndarray) -> Path:
    return _npz(path, x=np.arange(24, dtype=np.float32).reshape(6, 4), **arrays)


def test_an_offset_and_a_map_lead_from_labels_to_outputs(nets: Path, tmp_path: Path) -> None:
    data = _rows_and(tmp_path / "d.npz", y=np.array([0, 1, 0, 1, 1, 0]))
    (tmp_path / "map.txt").write_text("2\n0\n")
    assert _labels(_study(nets / "rows.onnx", data, label_offset=1)) == [1, 2, 1, 2, 2, 1]
    found = _study(nets / "rows.onnx", data, label_map=tmp_path / "map.txt")
    assert _labels(found) == [2, 0, 2, 0, 0, 2]
    card = tmp_path / "card.yml"
    card.write_text("data: d.npz\nlabels: {map: map.txt}\nmetric: top5\n")
    study = _study(nets / "rows.onnx", None, scaled=False, card=card)
    assert (_labels(study), study.metric) == ([2, 0, 2, 0, 0, 2], "top5")
    assert _labels(_study(nets / "rows.onnx", None, card=card, label_offset=1))[0] == 1


def test_mse_takes_real_targets_of_the_outputs_shape(nets: Path, tmp_path: Path) -> None:
    targets = np.linspace(-1, 1, 18).reshape(6, 3)
    data = _rows_and(tmp_path / "d.npz", y=targets)
    study = _study(nets / "rows.onnx", data, metric="mse", limit=4)
    assert study.labels is not None
    assert study.indices is not None
    assert study.labels.dtype == np.float32
    np.testing.assert_allclose(study.labels, targets[study.indices], rtol=1e-6)


def test_no_labels_are_needed_for_the_metric_none(nets: Path, tmp_path: Path) -> None:
    data = _rows_and(tmp_path / "d.npz")
    study = _study(nets / "rows.onnx", data, metric="none", limit=3)
    assert (study.labels, study.metric, len(study.inputs)) == (None, "none", 3)
    assert study.provenance.made_up is False
    assert _study(nets / "rows.onnx", None).metric == "none"


def test_several_inputs_come_by_name_and_one_is_preprocessed(nets: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arrays: dict[str, np.ndarray] = {
        "main": rng.integers(0, 9, (6, 4), dtype=np.uint8),
        "side": rng.normal(size=(6, 4)),
        "token": rng.integers(0, 9, (6, 1), dtype=np.int32),
    }
    data = _npz(tmp_path / "d.npz", y=np.arange(6) % 3, **arrays)
    study = _study(nets / "two.onnx", data, preprocess={"scale": 2})
    fed = study.inputs.feeds(0, 6)
    np.testing.assert_array_equal(fed["main"], 2 * arrays["main"].astype(np.float32))
    np.testing.assert_array_equal(fed["side"], arrays["side"].astype(np.float32))
    np.testing.assert_array_equal(fed["token"], arrays["token"])
    assert [fed[name].dtype for name in arrays] == ["float32", "float32", "int64"]
    assert (study.output, _labels(study)) == ("y", [0, 1, 2, 0, 1, 2])
    with pytest.raises(DataError, match="main of type uint8, expected real numbers"):
        _study(nets / "two.onnx", data, input="side")  # nothing says how main's integers are meant
    arrays["main"] = arrays["main"].astype(np.float32)
    data = _npz(tmp_path / "e.npz", y=np.arange(6) % 3, **arrays)
    study = _study(nets / "two.onnx", data, input="side", output="other", preprocess={"scale": 3})
    fed = study.inputs.feeds(2, 4)
    np.testing.assert_allclose(fed["side"], 3 * arrays["side"][2:4], rtol=1e-6)
    np.testing.assert_array_equal(fed["main"], arrays["main"][2:4])
    assert study.output == "other"
    study = _study(nets / "two.onnx", data, input="token")
    np.testing.assert_array_equal(study.inputs.feeds(0, 6)["token"], arrays["token"])


def test_free_axes_are_fixed_by_the_data(nets: Path, tmp_path: Path) -> None:
    _save(tmp_path / "0" / "a.png", _pixels(0, 11, 9))
    study = _study(nets / "free.onnx", tmp_path)
    assert _fed(study).shape == (1, 3, 11, 9)


# --- through the command line -----------------------------------------------------------------------


def _eval(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    with pytest.raises(SystemExit) as stop:
        main(["eval", *map(str, arguments), "--xbar=8x8", "--json=-"])
    out, err = capsys.readouterr()
    assert (stop.value.code, err) == (0, "")
    return json.loads(out)


def test_a_card_says_all_for_a_folder_of_images(
    nets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _class_folder(tmp_path / "data")
    _classes_file(tmp_path / "classes.txt")
    (tmp_path / "net.yaml").write_text(
        "data: data\nclasses: classes.txt\nlabels: {offset: 1}\ninput: x\noutput: y\n"
        "preprocess:\n  geometry: [{resize: 10, interpolation: box}, {crop: 8}]\n  scale: 1/255\n"
    )
    (tmp_path / "net.onnx").write_bytes((nets / "net.onnx").read_bytes())
    found = _eval(capsys, tmp_path / "net.onnx")
    assert found["images"]["labels"] == [2] * 4 + [3] * 4 + [1] * 4
    assert found["provenance"]["data"]["samples"] == 12
    assert found["provenance"]["labels"] == {"offset": 1, "map": None, "map_sha256": None}


def test_options_say_the_same(
    nets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(4):
        _save(tmp_path / "p" / f"{k}.png", _pixels(k))
    (tmp_path / "map.txt").write_text("3\n2\n1\n")
    (tmp_path / "l.csv").write_text(
        "file,label\n" + "".join(f"{k}.png,{k % 3}\n" for k in range(4))
    )
    csv = [nets / "net.onnx", "--data", tmp_path / "l.csv", "--images", tmp_path / "p", "--scale=1"]
    found = _eval(capsys, *csv, "--label-map", tmp_path / "map.txt", "--input=x", "--output=y")
    assert found["images"]["labels"] == [3, 2, 1, 3]
    assert _eval(capsys, *csv, "--label-offset=1")["images"]["labels"] == [1, 2, 3, 1]
    found = _eval(capsys, *csv, "--metric=none", "--model-color=BGR")
    assert found["images"]["labels"] is None
    assert found["ladder"]["nonideal"]["agreement"]["mean"] is not None


# --- refusals ---------------------------------------------------------------------------------------


def _deep_png(pixels: np.ndarray) -> bytes:
    """Write a PNG of 16 bits a channel, which Pillow would cut to 8 without a word."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        ends = [len(content).to_bytes(4, "big"), zlib.crc32(kind + content).to_bytes(4, "big")]
        return ends[0] + kind + content + ends[1]

    height, width = pixels.shape[:2]
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks)


def _write_image_faults(g: Path) -> None:
    for name in ("good", "unknown_class", "hollow_class", "mixed", "text", "cut", "deep"):
        _class_folder(g / name, ("cat", "ant") if name != "unknown_class" else ("cat", "dog"), 3)
    (g / "empty").mkdir()
    (g / "hollow_class" / "zebra").mkdir()
    for k in range(3):
        _save(g / "mixed" / "cat" / f"{k}.png", _pixels(k, 8, 9))
        _save(g / "flat" / f"{k}.png", _pixels(k))
    (g / "text" / "ant" / "0.png").write_text("no image")
    whole = (g / "cut" / "ant" / "0.png").read_bytes()
    (g / "cut" / "ant" / "0.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(_pixels(0)[..., 0].astype(np.uint16) * 257).save(g / "deep" / "ant" / "0.png")
    _class_folder(g / "deep_colour", ("0",), 1)
    (g / "deep_colour" / "0" / "0.png").write_bytes(_deep_png(_pixels(0)))
    _class_folder(g / "both", ("0", "1"), 1)
    _save(g / "both" / "a.png", _pixels(0))
    _class_folder(g / "twins", ("1", "01"), 1)
    _class_folder(g / "numbers", ("0", "4"), 1)
    _save(g / "single.jpg", _pixels(0))


def _write_lists(g: Path) -> None:
    lists = {
        "no_columns": "path,class\ngood/cat/0.png,1\n",
        "no_label": "file,class\ngood/cat/0.png,1\n",
        "two_labels": "file,label,label\ngood/cat/0.png,1,2\n",
        "missing": "file,label\ngood/cat/0.png,1\ngood/cat/9.png,1\n",
        "beyond": "file,label\ngood/cat/0.png,1\ngood/cat/1.png,4\n",
        "word": "file,label\ngood/cat/0.png,cta\n",
        "minus": "file,label\ngood/cat/0.png,-1\n",
        "no_file": "file,label\n,1\n",
        "header": "file,label\n",
        "nothing": "",
        "quote": 'file,label\n"good/cat/0.png,1\n',
        "fine": "file,label\ngood/cat/0.png,1\n",
    }
    for name, text in lists.items():
        (g / f"{name}.csv").write_text(text)
    (g / "latin.csv").write_bytes(b"file,label\n\xfc.png,1\n")
    texts = {
        "classes": "zebra\nant\ncat\n",
        "repeat": "zebra\nant\ncat\nant\n",
        "blank": "zebra\n\ncat\n",
        "none": "",
        "short_map": "0\n",
        "word_map": "0\none\n2\n",
        "far_map": "0\n7\n2\n",
    }
    for name, text in texts.items():
        (g / f"{name}.txt").write_text(text)


def _write_binaries(g: Path) -> None:
    images, labels = _pixels(1, 4, 28, 28), np.arange(4)
    good = _idx(images)
    faults = {
        "good": (good, _idx(labels)),
        "magic": (b"\0\0\x0d\x03" + good[4:], _idx(labels)),
        "axes": (_idx(labels), _idx(labels)),
        "short": (good[:-7], _idx(labels)),
        "long": (good + b"1", _idx(labels)),
        "few": (good, _idx(labels[:3])),
        "stump": (good[:6], _idx(labels)),
        "hollow": (_idx(images[:0]), _idx(labels[:0])),
        "alone": (good, None),
        "beyond": (good, _idx(labels + 1)),
    }
    for name, (first, second) in faults.items():
        (g / f"{name}-images-idx3-ubyte").write_bytes(first)
        if second is not None:
            (g / f"{name}-labels-idx1-ubyte").write_bytes(second)
    (g / "cut-images-idx3-ubyte.gz").write_bytes(gzip.compress(good)[:-20])
    (g / "pair").mkdir()
    for name in ("train", "t10k"):
        (g / "pair" / f"{name}-images-idx3-ubyte").write_bytes(good)
    records = _cifar(3)
    (g / "odd.bin").write_bytes(records.tobytes()[:-1])
    (g / "no.bin").write_bytes(b"")
    (g / "good.bin").write_bytes(records.tobytes())
    records[1, 0] = 10
    (g / "eleven.bin").write_bytes(records.tobytes())
    (g / "pickled").mkdir()
    for path in (g / "pickled" / "data_batch_1", g / "test_batch", g / "data.pkl"):
        path.write_bytes(pickle.dumps({b"data": 1}))
    (g / "strange.xyz").write_text("?")


def _write_arrays(g: Path) -> None:
    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    y = np.arange(6) % 3
    token = np.zeros((6, 1), dtype=np.int64)
    far = y.copy()
    far[4] = 3
    _npz(g / "rows.npz", x=x, y=y)
    _npz(g / "far.npz", x=x, y=far)
    _npz(g / "targets.npz", x=x, y=np.zeros((6, 2)))
    _npz(g / "words.npz", x=x, y=np.full((6, 3), "a"))
    _npz(g / "fewer.npz", x=x, y=np.zeros((5, 3)))
    _npz(g / "nans.npz", x=x, y=np.full((6, 3), np.nan))
    _npz(g / "two.npz", main=x, side=x, token=token, y=y)
    _npz(g / "one.npz", main=x, y=y)
    _npz(g / "uneven.npz", main=x, side=x[:5], token=token, y=y)
    _npz(g / "wide.npz", main=x, side=np.tile(x, (1, 2)), token=token, y=y)
    _npz(g / "real.npz", main=x, side=x, token=token.astype(np.float32), y=y)
    images = np.zeros((4, 9, 9, 3), dtype=np.uint8)
    _npz(g / "images.npz", x=images, y=np.arange(4))
    _npz(g / "floats.npz", x=images.astype(np.float32), y=np.arange(4))
    _npz(g / "six.npz", x=np.zeros((4, 8, 8, 6), dtype=np.uint8), y=np.arange(4))
    cards = {
        "crop": "[{crop: 8}]",
        "crop20": "[{crop: 20}]",
        "both": "[{crop: 8, resize: 8}]",
        "neither": "[{interpolation: box}]",
        "filter": "[{resize: 8, interpolation: cubic}]",
        "crop_filter": "[{crop: 8, interpolation: box}]",
        "zero": "[{crop: 0}]",
        "three": "[{resize: [8, 8, 3]}]",
        "half": "[{resize: 8.5}]",
        "flip": "[{flip: true}]",
    }
    for name, steps in cards.items():
        (g / f"{name}.yml").write_text(f"preprocess: {{scale: 1, geometry: {steps}}}\n")
    (g / "two_rules.yml").write_text("labels: {offset: 1, map: classes.txt}\n")
    (g / "metric.yml").write_text("metric: top3\n")
    (g / "geometry.yml").write_text("geometry: [{crop: 8}]\n")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data, each valid up to one fault."""
    folder = tmp_path_factory.mktemp("given")
    for write in (_write_image_faults, _write_lists, _write_binaries, _write_arrays):
        write(folder)
    return folder


NAMED = "--classes @G/classes.txt --scale 1"
REFUSALS = [
    ("an empty folder", "net", "empty", NAMED, ["is a folder without images", "npz"]),
    ("an unknown class", "net", "unknown_class", NAMED, ["the class dog", "classes.txt"]),
    ("a class without images", "net", "hollow_class", NAMED, ["zebra holds no images"]),
    ("no class order", "net", "good", "--scale 1", ["class folders such as ant", "--classes FILE"]),
    ("mixed sizes", "net", "mixed", NAMED, ["0.png", "geometry"]),
    ("mixed sizes, free axes", "free", "mixed", NAMED, ["8x9", "8x8", "geometry"]),
    ("text as image", "net", "text", NAMED, ["ant/0.png can't be read", "damaged", "replace"]),
    ("a cut image", "net", "cut", NAMED, ["ant/0.png can't be decoded", "cut short"]),
    ("a deep image", "net", "deep", NAMED, ["ant/0.png has more than 8 bits", "expected 8"]),
    ("a deep colour image", "net", "deep_colour", "--scale 1", ["0/0.png has more than 8 bits"]),
    ("images without classes", "net", "flat", "--scale 1", ["without class folders", "none"]),
    ("both kinds of folder", "net", "both", "--scale 1", ["a.png", "one or the other"]),
    ("class 1 and 01", "net", "twins", "--scale 1", ["same number", "rename"]),
    ("a class beyond the outputs", "net", "numbers", "--scale 1", ["4/0.png", "below 4", "net.onnx"]),
    ("a single image", "net", "single.jpg", "--scale 1", ["is a single image", "folder of images"]),
    ("an unknown kind", "net", "strange.xyz", "--scale 1", ["no known kind (.xyz)", "IDX"]),
    ("images without a scale", "net", "good", "--classes @G/classes.txt", ["uint8", "--scale"]),
    ("images of other size", "cifar", "good", NAMED, ["[3, 8, 8]", "expected [3, 32, 32]"]),
    ("colours for a grey net", "grey", "good", NAMED, ["[3, 8, 8]", "expected [1, 28, 28]"]),
    ("stated axes of images", "net", "good", f"{NAMED} --data-layout NCHW", ["expected NHWC"]),
    ("colour order of images", "net", "good", f"{NAMED} --data-color BGR", ["data_color BGR", "expected RGB"]),
    ("colour order of CIFAR", "cifar", "good.bin", "--scale 1 --data-color gray", ["expected RGB"]),
    ("colour order of IDX", "grey", "good-images-idx3-ubyte", "--scale 1 --data-color RGB", ["grey images"]),
    ("repeated classes", "net", "good", "--scale 1 --classes @G/repeat.txt", ["line 4", "ant again"]),
    ("a blank class", "net", "good", "--scale 1 --classes @G/blank.txt", ["line 2 is empty"]),
    ("no classes", "net", "good", "--scale 1 --classes @G/none.txt", ["none.txt is empty"]),
    ("missing classes", "net", "good", "--scale 1 --classes @G/no", ["can't be read", "No such"]),
    ("a CSV without columns", "net", "no_columns.csv", "--scale 1", ["path, class", "no file"]),
    ("a CSV without labels", "net", "no_label.csv", "--scale 1", ["file, class", "no label"]),
    ("a CSV of two labels", "net", "two_labels.csv", "--scale 1", ["column label twice"]),
    ("a missing file", "net", "missing.csv", "--scale 1", ["missing.csv, line 3", "9.png", "exist"]),
    ("files elsewhere", "net", "fine.csv", "--scale 1 --images @G/good", ["line 2", "--images"]),
    ("a label beyond", "net", "beyond.csv", "--scale 1", ["beyond.csv, line 3", "label 4", "below 4"]),
    ("a word as label", "net", "word.csv", "--scale 1", ["word.csv, line 2", "'cta'", "--classes"]),
    ("an unknown word", "net", "word.csv", NAMED, ["line 2", "class cta", "did you mean cat?"]),
    ("a negative label", "net", "minus.csv", "--scale 1", ["minus.csv, line 2", "'-1'"]),
    ("a line without file", "net", "no_file.csv", "--scale 1", ["line 2", "no file name"]),
    ("a CSV of a header", "net", "header.csv", "--scale 1", ["no line below the header"]),
    ("an empty CSV", "net", "nothing.csv", "--scale 1", ["found the columns nothing"]),
    ("an open quote", "net", "quote.csv", "--scale 1", ["quote.csv can't be read"]),
    ("a CSV in Latin-1", "net", "latin.csv", "--scale 1", ["latin.csv can't be read", "UTF-8"]),
    ("IDX of floats", "grey", "magic-images-idx3-ubyte", "--scale 1", ["0x00000d03", "0x00000803"]),
    ("IDX of labels", "grey", "axes-images-idx3-ubyte", "--scale 1", ["0x00000801", "0x00000803"]),
    ("IDX cut short", "grey", "short-images-idx3-ubyte", "--scale 1", ["3,129 values", "3136"]),
    ("IDX too long", "grey", "long-images-idx3-ubyte", "--scale 1", ["3,137 values", "3136"]),
    ("IDX cut in its header", "grey", "stump-images-idx3-ubyte", "--scale 1", ["cut short"]),
    ("IDX without images", "grey", "hollow-images-idx3-ubyte", "--scale 1", ["found no images"]),
    ("IDX of other lengths", "grey", "few-images-idx3-ubyte", "--scale 1", ["3 labels", "4 images"]),
    ("IDX without labels", "grey", "alone-images-idx3-ubyte", "--scale 1", ["alone-labels", "--labels"]),
    ("IDX beyond", "grey", "beyond-images-idx3-ubyte", "--scale 1", ["sample 3", "label 4"]),
    ("a cut gzip", "grey", "cut-images-idx3-ubyte.gz", "--scale 1", ["can't be unpacked", "again"]),
    ("two IDX pairs", "grey", "pair", "--scale 1", ["2 IDX image files", "path of the file"]),
    ("labels that are none", "grey", "good-images-idx3-ubyte", "--scale 1 --labels @G/classes.txt", ["IDX labels"]),
    ("CIFAR of odd size", "cifar", "odd.bin", "--scale 1", ["9218 bytes", "multiple of 3073"]),
    ("an empty CIFAR", "cifar", "no.bin", "--scale 1", ["0 bytes", "multiple of 3073"]),
    ("CIFAR-100", "cifar", "eleven.bin", "--scale 1", ["record 1", "label 10", "0 to 9"]),
    ("a pickled batch", "cifar", "test_batch", "--scale 1", ["pickle", "never loaded", "binary"]),
    ("a pickle by name", "cifar", "data.pkl", "--scale 1", ["pickle", "never loaded", "binary"]),
    ("a folder of pickles", "cifar", "pickled", "--scale 1", ["data_batch_1", "never loaded"]),
    ("labels for CIFAR", "cifar", "good.bin", "--scale 1 --labels @G/none.txt", ["IDX images only"]),
    ("images for npz", "rows", "rows.npz", "--images @G", ["CSV of file,label only"]),
    ("a label beyond in npz", "rows", "far.npz", "", ["far.npz, sample 4", "label 3", "below 3"]),
    ("an offset too far", "rows", "rows.npz", "--label-offset 1", ["sample 2", "offset 1: 3", "below 3"]),
    ("an offset below 0", "rows", "rows.npz", "--label-offset -1", ["sample 0", "offset -1: -1"]),
    ("a short map", "rows", "rows.npz", "--label-map @G/short_map.txt", ["label 1", "below 1", "map"]),
    ("a map of words", "rows", "rows.npz", "--label-map @G/word_map.txt", ["line 2", "'one'"]),
    ("a map too far", "rows", "rows.npz", "--label-map @G/far_map.txt", ["output 7", "below 3"]),
    ("two rules", "rows", "rows.npz", "--label-map @G/far_map.txt --label-offset 1", ["both given"]),
    ("two rules in a card", "rows", "rows.npz", "--card @G/two_rules.yml", ["both offset and map"]),
    ("an unknown metric", "rows", "rows.npz", "--card @G/metric.yml", ["metric: found 'top3'"]),
    ("mse of other shape", "rows", "targets.npz", "--metric mse", ["[2]", "expected [3]", "output y"]),
    ("mse of words", "rows", "words.npz", "--metric mse", ["y of type <U1", "real numbers"]),
    ("mse of other length", "rows", "fewer.npz", "--metric mse", ["y of shape [5, 3] for 6"]),
    ("mse of NaN", "rows", "nans.npz", "--metric mse", ["y holds NaN"]),
    ("mse of images", "net", "good", f"{NAMED} --metric mse", ["metric mse", "npz"]),
    ("targets without mse", "rows", "targets.npz", "", ["y of shape [6, 2]", "one label"]),
    ("an unknown output", "rows", "rows.npz", "--output z", ["no output z", "one of y"]),
    ("a near output", "two", "two.npz", "--output othr", ["no output othr", "did you mean other?"]),
    ("an unknown input", "two", "two.npz", "--input sid", ["no input sid", "did you mean side?"]),
    ("inputs that lack", "two", "one.npz", "", ["no side and no token", "main, side, token"]),
    ("uneven inputs", "two", "uneven.npz", "", ["5 samples of side", "expected 6"]),
    ("a wide input", "two", "wide.npz", "", ["wide.npz, side", "[8]", "expected [4]"]),
    ("real tokens", "two", "real.npz", "", ["float32 samples for the input token", "int64"]),
    ("scaled tokens", "two", "two.npz", "--input token --scale 2", ["token", "whole numbers", "remove"]),
    ("images for two inputs", "two", "good", NAMED, ["feeds one input", "main, side, token"]),
    ("a crop of floats", "net", "floats.npz", "--card @G/crop.yml --data-layout NHWC", ["geometry", "uint8"]),
    ("a crop of planes", "net", "images.npz", "--card @G/crop.yml", ["layout NCHW", "[N,H,W,3]"]),
    ("a crop of six", "net", "six.npz", "--card @G/crop.yml --data-layout NHWC", ["[8, 8, 6]"]),
    ("a large crop", "net", "good", f"{NAMED} --card @G/crop20.yml", ["0.png is 8x8", "20x20"]),
    ("a crop and a resize", "net", "images.npz", "--card @G/both.yml", ["geometry.0", "both or neither"]),
    ("no step", "net", "images.npz", "--card @G/neither.yml", ["geometry.0", "both or neither"]),
    ("an unknown filter", "net", "images.npz", "--card @G/filter.yml", ["'cubic'", "'bicubic'"]),
    ("a filter for a crop", "net", "images.npz", "--card @G/crop_filter.yml", ["resize only"]),
    ("a crop of 0", "net", "images.npz", "--card @G/zero.yml", ["crop", "1 or above"]),
    ("three lengths", "net", "images.npz", "--card @G/three.yml", ["resize", "found [8, 8, 3]"]),
    ("half a pixel", "net", "images.npz", "--card @G/half.yml", ["resize", "8.5", "whole number"]),
    ("an unknown step", "net", "images.npz", "--card @G/flip.yml", ["geometry.0.flip is not"]),
    ("geometry out of place", "net", "images.npz", "--card @G/geometry.yml", ["preprocess.geometry?"]),
    ("bad calibration data", "rows", "rows.npz", "--calibrate @G/empty", ["without images"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("net", "data", "options", "phrases"),
    [pytest.param(*case, id=name) for name, *case in REFUSALS],
)
def test_unusable_data_get_one_sentence(
    net: str,
    data: str,
    options: str,
    phrases: list[str],
    nets: Path,
    given: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = options.replace("@G", str(given)).split()
    with pytest.raises(SystemExit) as stop:
        main(["eval", str(nets / f"{net}.onnx"), "--data", str(given / data), *words])
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, ""), err
    assert err.startswith("rxsim: ")
    assert err.count("\n") == 1
    for phrase in phrases:
        assert phrase in err


def test_a_missing_class_order_is_no_matter_without_labels(nets: Path, given: Path) -> None:
    assert _study(nets / "net.onnx", given / "good", metric="none").labels is None
    with pytest.raises(InputError, match="--classes FILE"):
        _study(nets / "net.onnx", given / "good")


def test_calibration_goes_without_class_names(nets: Path, given: Path) -> None:
    study = _study(nets / "net.onnx", given / "numbers", metric="none", calibrate=given / "good")
    assert len(study.calibration) == 6
    study = _study(
        nets / "net.onnx", given / "numbers", metric="none", calibrate=given / "word.csv"
    )
    assert len(study.calibration) == 1


# --- large and real ---------------------------------------------------------------------------------

RSS = """
import resource, sys
from pathlib import Path
from rxsim.config import load_settings
from rxsim.pipeline import DataOptions, open_study
from rxsim.run import predict
card, model, data = map(Path, sys.argv[1:])
study = open_study(model, load_settings(None), DataOptions(data=data, card=card), threads=2)
found = predict(study.network.original, study.output, study.inputs, what="net", batch=study.batch,
                threads=2)
print(len(found), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_fifty_thousand_images_fit_into_two_gigabytes(nets: Path, tmp_path: Path) -> None:
    smooth = [
        Image.fromarray(_pixels(k, 12, 16)).resize((256, 192), Image.Resampling.BICUBIC)
        for k in range(10)
    ]
    for label in range(4):
        folder = tmp_path / "data" / str(label)
        folder.mkdir(parents=True)
        for k in range(12_500):
            if k < len(smooth):
                smooth[k].save(folder / f"{k}.jpg", quality=40)
            else:
                os.link(folder / f"{k % len(smooth)}.jpg", folder / f"{k}.jpg")
    card = tmp_path / "card.yaml"
    card.write_text("preprocess: {scale: 1/255, geometry: [{resize: 8}, {crop: 8}]}\n")
    arguments = [str(card), str(nets / "net.onnx"), str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-c", RSS, *arguments], capture_output=True, text=True, check=True
    )
    count, kilobytes = map(int, done.stdout.split())
    print(f"{count} images, peak of {kilobytes / 1e6:.2f} GB")
    assert count == 50_000
    assert kilobytes < 2e6  # all pixels together: 7.4 GB


IMAGES = {"data": "imagenet/labels.csv", "images": "imagenet/images"}
REAL: list[tuple[str, dict[str, str], dict[str, Any], float]] = [
    (
        "imagenet/mobilenet_v1_0.25_128.onnx",
        IMAGES,
        {"geometry": [{"crop": 224}, {"resize": [128, 128]}], "scale": "1/127.5", "mean": 1},
        0.429,
    ),
    (
        "imagenet/squeezenet1.1.onnx",
        IMAGES,
        {"geometry": [{"crop": 227}], "model_color": "BGR", "mean": [104, 117, 123]},
        0.621,
    ),
    (
        "mnist/mnist-cntk-opset13-dynbatch.onnx",
        {"data": "mnist/t10k-images-idx3-ubyte.gz"},
        {"scale": 1},
        0.9891,
    ),
    (
        "cifar10/resnet20_cifar10.onnx",
        {"data": "cifar10/cifar10_test.npz"},
        {
            "data_layout": "NHWC",
            "scale": "1/255",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        0.9173,
    ),
]


@pytest.mark.slow
@pytest.mark.skipif(ASSETS is None, reason="RXSIM_ASSETS names no folder of real networks and data")
@pytest.mark.parametrize(("model", "paths", "steps", "wanted"), REAL, ids=[r[0] for r in REAL])
def test_real_networks_score_on_real_data_as_published(
    model: str, paths: dict[str, str], steps: dict[str, Any], wanted: float
) -> None:
    root = Path(str(ASSETS))
    files: dict[str, Any] = {name: root / path for name, path in paths.items()}
    options = DataOptions(**files, preprocess=steps)
    study = open_study(root / model, load_settings(None), options)
    outputs = predict(
        study.network.original,
        study.output,
        study.inputs,
        what=model,
        batch=study.batch,
        threads=study.threads,
    )
    assert study.labels is not None
    assert float(np.mean(outputs.argmax(axis=1) == study.labels)) == pytest.approx(wanted, abs=5e-4)


def test_a_valid_image_that_is_too_large_is_not_called_damaged(tmp_path: Path) -> None:
    Image.new("L", (20000, 8000)).save(tmp_path / "wide.png")
    with pytest.raises(DataError, match="20000x8000 pixels, expected at most 150 million"):
        open_image(tmp_path / "wide.png")
