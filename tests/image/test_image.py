"""`mx.image` against what MXNet 1.9.1 made of the same images from the same seeds."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from image import image_cases

import gluonnx as mx
from gluonnx.errors import (
    ArgumentError,
    AttributeValueError,
    FileAccessError,
    FormatError,
    InputError,
    InputTypeError,
    MXNetError,
    NotSupportedError,
)

FOLDER = Path(__file__).parents[1] / "golden" / "image"
RGB = (FOLDER / "rgb.png").read_bytes()
FLOATS = {"rtol": 1e-5, "atol": 2e-4}
"""Sums of products of values up to 255 in float32, in another order."""
ROTATED = {"rtol": 1e-5, "atol": 1e-3}
"""Places in float32, between pixels that differ by 100 and more."""


def recorded(part):
    with np.load(FOLDER / f"{part}.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_decoding_gives_mxnets_bytes():
    answers = {n: a for n, a in recorded("decode").items() if n.startswith("decode/")}
    assert len(answers) == 20
    for name, expected in answers.items():
        _, file, flag, to_rgb = name.split("/")
        path = FOLDER / file
        for image in (
            mx.image.imdecode(path.read_bytes(), flag=int(flag), to_rgb=int(to_rgb)),
            mx.image.imread(str(path), flag=int(flag), to_rgb=int(to_rgb)),
        ):
            assert image.dtype == np.uint8
            np.testing.assert_array_equal(image.asnumpy(), expected, err_msg=name)


@pytest.mark.parametrize("name", sorted(image_cases.CASES))
def test_cases_give_mxnets_answers(name):
    expected = {n: a for n, a in recorded(name).items() if n.startswith("case/")}
    random.seed(7)
    np.random.seed(7)
    found = list(image_cases.CASES[name](mx, FOLDER))
    assert len(found) == len(expected)
    for i, array in enumerate(found):
        answer = expected[f"case/{name}/{i}"]
        assert array.shape == answer.shape, i
        assert array.dtype == answer.dtype, i
        tolerance = {} if array.dtype == np.uint8 else ROTATED if name == "rotations" else FLOATS
        np.testing.assert_allclose(
            array.astype(float), answer.astype(float), **{"rtol": 0, **tolerance}, err_msg=str(i)
        )


def test_augmenters_dump_what_mxnets_do():
    assert image_cases.dumps(mx) == json.loads(str(recorded("decode")["dumps"]))


@pytest.mark.parametrize(
    "encoded", [bytearray(RGB), memoryview(RGB), np.frombuffer(RGB, np.uint8)], ids=lambda e: type(e).__name__
)
def test_bytes_come_in_several_types(encoded):
    expected = mx.image.imdecode(RGB).asnumpy()
    np.testing.assert_array_equal(mx.image.imdecode(encoded).asnumpy(), expected)
    out = mx.nd.zeros(expected.shape, dtype="uint8")
    assert mx.image.imdecode(encoded, out=out) is out
    np.testing.assert_array_equal(out.asnumpy(), expected)


def test_resizing_into_an_array():
    image = mx.image.imdecode(RGB)
    out = mx.nd.zeros((5, 7, 3), dtype="uint8")
    assert mx.image.imresize(image, 7, 5, out=out) is out
    np.testing.assert_array_equal(out.asnumpy(), mx.image.imresize(image, 7, 5).asnumpy())
    np.testing.assert_array_equal(out.asnumpy(), mx.nd.image.resize(image, (7, 5)).asnumpy())
    border = mx.image.copyMakeBorder(image, 1, 2, 3, 4, type=0, values=(7, 8, 9)).asnumpy()
    assert border.shape == (34, 48, 3)
    assert border[0, 0].tolist() == [7, 8, 9]


def test_scale_down():
    assert mx.image.scale_down((640, 480), (720, 120)) == (640, 106)
    assert mx.image.scale_down((360, 1000), (480, 500)) == (360, 375)
    assert mx.image.scale_down((300, 400), (0, 0)) == (0, 0)


def test_normalizing_colours_writes_into_the_image():
    image = mx.nd.ones((2, 2, 3)) * 10
    assert mx.image.color_normalize(image, mx.nd.array([1, 2, 3]), mx.nd.array([1, 2, 7])) is image
    assert image.asnumpy()[0, 0].tolist() == [9.0, 4.0, 1.0]
    assert mx.image.color_normalize(image, None).asnumpy()[1, 1].tolist() == [9.0, 4.0, 1.0]


def test_interpolations_are_chosen_by_sizes():
    method = mx.image.image._get_interp_method
    assert [method(9, s) for s in ((2, 2, 3, 3), (3, 3, 2, 2), (2, 3, 3, 2), ())] == [2, 3, 1, 2]
    assert {method(10) for _ in range(200)} == {0, 1, 2, 3, 4}
    with pytest.raises(ValueError, match=r"unknown method: .*interp=5"):
        method(5)
    with pytest.raises(ArgumentError, match=r"wrong sizes: .*\(1, 2\)"):
        method(9, (1, 2))


def test_names_are_where_mxnet_has_them():
    assert mx.img is mx.image
    assert mx.image.image.imread is mx.image.imread
    assert mx.image.det is mx.image.detection
    assert mx.image.detection.ImageDetIter is mx.image.ImageDetIter
    image = mx.nd.array([[[1, 2, 3]]], dtype="uint8")
    assert mx.nd._internal._cvimresize(image, 2, 1).shape == (1, 2, 3)
    assert mx.nd.image.to_tensor(image).shape == mx.sym.image.to_tensor(mx.sym.var("a")).infer_shape(a=(1, 1, 3))[1][0]


def test_wrong_images(tmp_path):
    with pytest.raises(FileAccessError, match=r"imread: '.*nope.jpg' cannot be read: No such file"):
        mx.image.imread(str(tmp_path / "nope.jpg"))
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(FormatError, match=r"imread: '.*text.png': not an image .*got 4 bytes"):
        mx.image.imread(tmp_path / "text.png")
    with pytest.raises(MXNetError, match="imdecode: not an image that OpenCV can decode: got 0 bytes"):
        mx.image.imdecode(b"")
    with pytest.raises(InputTypeError, match=r"expected bytes, bytearray or numpy.ndarray, got str"):
        mx.image.imdecode("text")
    with pytest.raises(ValueError, match="got int"):
        mx.image.imdecode(3)
    with pytest.raises(AttributeValueError, match=r"imdecode: wrong flag: .*flag=2"):
        mx.image.imdecode(RGB, flag=2)
    with pytest.raises(InputError, match="expected uint8, got dtype=float32"):
        mx.image.imdecode(mx.nd.ones(4))
    with pytest.raises(InputError, match=r"expected shape \(31, 41, 3\), got out=\(2,\)"):
        mx.image.imdecode(RGB, out=mx.nd.zeros(2))
    with pytest.raises(NotSupportedError, match=r"nd.imdecode: .*mx.image.imdecode"):
        mx.nd.imdecode(RGB)
    with pytest.raises(MXNetError, match=r"attribute `interp` has a wrong value: .*interp=-1"):
        mx.image.imresize(mx.nd.ones((12, 16, 3)), 4, 4, interp=-1)


@pytest.mark.parametrize(
    ("image", "options", "kind", "message"),
    [
        (mx.nd.ones((3, 4, 5)), {"zoom_in": True, "zoom_out": True}, ValueError, "cannot be both True"),
        (mx.nd.ones((3, 4, 5), dtype="uint8"), {}, TypeError, "expected float32, got dtype=uint8"),
        (mx.nd.ones((4, 5)), {}, ValueError, r"wrong rank of src: .*\(4, 5\)"),
        (mx.nd.ones((3, 4, 5)), {"rotation_degrees": mx.nd.ones(3)}, TypeError, "one image takes one angle: .*NDArray"),
        (mx.nd.ones((2, 3, 4, 5)), {"rotation_degrees": mx.nd.ones(3)}, ValueError, "each of 2 images, got 3"),
    ],
)
def test_wrong_rotations(image, options, kind, message):
    with pytest.raises(kind, match=message):
        mx.image.imrotate(image, **{"rotation_degrees": 3, **options})


def test_wrong_augmenters():
    with pytest.raises(AssertionError, match=r"rand_resize needs rand_crop: expected rand_crop=True"):
        mx.image.CreateAugmenter((3, 4, 4), rand_resize=True)
    with pytest.raises(ArgumentError, match=r"wrong mean: .*got mean=\[1, 2, 3\]"):
        mx.image.CreateAugmenter((3, 4, 4), mean=[1, 2, 3])
    with pytest.raises(NotImplementedError, match="Augmenter: expected `__call__` to be overridden"):
        mx.image.Augmenter()(mx.nd.ones((1, 1, 3)))
    with pytest.raises(NotImplementedError, match="DetAugmenter: expected `__call__`"):
        mx.image.DetAugmenter()(mx.nd.ones((1, 1, 3)), None)
    with pytest.raises(TypeError, match="DetBorrowAug: expected an Augmenter, got int"):
        mx.image.DetBorrowAug(3)
    with pytest.raises(ValueError, match="Allow DetAugmenter in list only: got CastAug"):
        mx.image.DetRandomSelectAug([mx.image.CastAug()])
    with pytest.raises(ArgumentError, match=r"lists of different lengths: expected 1 or 3, got \[2, 3, 1, 1, 1\]"):
        mx.image.CreateMultiRandCropAugmenter([0.1, 0.2], [(1, 1)] * 3)
    with pytest.warns(UserWarning, match=r"Skip DetRandomCropAug due to invalid area_range: \(2, 1\)"):
        skipped = mx.image.DetRandomCropAug(area_range=(2, 1))
    with pytest.warns(UserWarning, match=r"Skip DetRandomPadAug due to invalid aspect_ratio_range: \(0, 1\)"):
        mx.image.DetRandomPadAug(aspect_ratio_range=(0, 1))
    image, label = mx.nd.ones((4, 4, 3)), np.ones((1, 5))
    assert skipped(image, label) == (image, label)
    with pytest.warns(DeprecationWarning, match="`min_area` is deprecated"):
        mx.image.RandomSizedCropAug((4, 4), 1.0, (1, 1), min_area=0.5)
    with pytest.raises(ArgumentError, match="random_size_crop: unknown arguments: got colour"):
        mx.image.random_size_crop(image, (2, 2), 0.5, (1, 1), colour=3)


class TestIterators:
    def test_wrong_arguments(self):
        make = mx.image.ImageIter
        with pytest.raises(ArgumentError, match="no images: expected path_imgrec, path_imglist or imglist"):
            make(1, (3, 4, 4))
        with pytest.raises(
            ValueError, match=r"wrong data_shape: expected \(3, height, width\), got data_shape=\(1, 4, 4\)"
        ):
            make(1, (1, 4, 4), imglist=[])
        with pytest.raises(AssertionError, match=r"unknown label dtype: .*'int8'"):
            make(1, (3, 4, 4), imglist=[], dtype="int8")
        with pytest.raises(ArgumentError, match=r"unknown last_batch_handle: .*'keep'"):
            make(1, (3, 4, 4), imglist=[], last_batch_handle="keep")
        with pytest.raises(AssertionError, match="without index is read in one order only"):
            make(1, (3, 4, 4), path_imgrec=str(FOLDER / "images.rec"), shuffle=True)
        with pytest.raises(ArgumentError, match="no such part: expected part_index below 2, got 2"):
            make(1, (3, 4, 4), imglist=[], num_parts=2, part_index=2)

    def test_lists_of_files(self, tmp_path):
        lines = [f"{i}\t{label}\t{label + 1}\t{name}\n" for i, (name, label) in enumerate(image_cases.LABELLED)]
        (tmp_path / "list.lst").write_text("".join(lines))
        batches = list(
            mx.image.ImageIter(
                2, (3, 4, 4), 2, path_imglist=str(tmp_path / "list.lst"), path_root=str(FOLDER), dtype="int32"
            )
        )
        assert [b.pad for b in batches] == [0, 0, 1]
        assert batches[0].label[0].asnumpy().tolist() == [[3, 4], [1, 2]]
        (tmp_path / "list.lst").write_text("a\tb\tc\n")
        with pytest.raises(ArgumentError, match=r"list.lst: line 1: expected a number, labels and a path.*'a\\tb\\tc'"):
            mx.image.ImageIter(2, (3, 4, 4), path_imglist=str(tmp_path / "list.lst"))

    def test_a_list_gives_the_labels_of_a_record_file(self, tmp_path):
        (tmp_path / "list.lst").write_text("".join(f"{i}\t{i * 10}\tx\n" for i in range(5)))
        batch = mx.image.ImageIter(
            5,
            (3, 4, 4),
            path_imgrec=str(FOLDER / "images.rec"),
            path_imgidx=str(FOLDER / "images.idx"),
            path_imglist=str(tmp_path / "list.lst"),
        ).next()
        assert batch.label[0].asnumpy().tolist() == [0, 10, 20, 30, 40]

    def test_a_broken_image_is_named(self, tmp_path):
        (tmp_path / "broken.jpg").write_bytes(b"broken")
        files = mx.image.ImageIter(1, (3, 4, 4), imglist=[[1, "broken.jpg"]], path_root=str(tmp_path))
        with pytest.raises(RuntimeError, match=r"ImageIter: Broken image filename: broken.jpg: .*got 6 bytes"):
            files.next()

    def test_hard_reset_forgets_what_was_rolled_over(self):
        files = [[label, name] for name, label in image_cases.LABELLED]
        found = mx.image.ImageIter(2, (3, 4, 4), imglist=files, path_root=str(FOLDER), last_batch_handle="roll_over")
        assert len(list(found)) == 2
        found.hard_reset()
        assert found.next().pad == 0

    def test_shuffling_is_pythons(self):
        files = [[label, name] for name, label in image_cases.LABELLED]
        random.seed(1)
        found = mx.image.ImageIter(5, (3, 4, 4), imglist=files, path_root=str(FOLDER), shuffle=True)
        order = found.next().label[0].asnumpy().tolist()
        assert sorted(order) == [0, 1, 2, 3, 4]
        assert order != [label for _, label in image_cases.LABELLED]

    def test_labels_of_objects(self):
        make = mx.image.ImageDetIter
        files = [[*image_cases.OBJECTS, "rgb.png"], [*image_cases.FEW, "wide.jpg"]]
        few, many = (make(1, (3, 6, 6), imglist=f, path_root=str(FOLDER)) for f in (files[1:], files))
        assert (few.label_shape, many.label_shape) == ((1, 5), (2, 5))
        assert many.sync_label_shape(few, verbose=True) is few
        assert few.provide_label == many.provide_label == [("label", (1, 2, 5))]
        assert few.next().label[0].asnumpy()[0, 1].tolist() == [-1] * 5
        many.reshape((3, 5, 5))
        assert many.provide_data == [("data", (1, 3, 5, 5))]
        with pytest.raises(ValueError, match="Attempts to reduce label count from 2 to 1"):
            many.reshape(label_shape=(1, 5))
        with pytest.raises(ValueError, match="object width inconsistent: 5 vs 6"):
            many.reshape(label_shape=(2, 6))
        with pytest.raises(ValueError, match="label_shape should have length 2"):
            many.reshape(label_shape=(2,))
        with pytest.raises(ArgumentError, match=r"Synchronize with invalid iterator: .*width 5, got int"):
            many.sync_label_shape(3)
        for label, message in (
            ([2, 5, 1], "expected 7 numbers or more, got 3"),
            ([2, 5, 1, 2, 3, 4, 5, 6], "label of 8 numbers inconsistent .*object=5"),
            ([2, 5, 1, 0.5, 0.5, 0.5, 0.5], "no valid label in a sample"),
        ):
            with pytest.raises(RuntimeError, match=message):
                make(1, (3, 6, 6), imglist=[[*label, "rgb.png"]], path_root=str(FOLDER))

    def test_drawing_boxes(self):
        files = [[*image_cases.OBJECTS, "rgb.png"]]
        found = mx.image.ImageDetIter(1, (3, 60, 80), imglist=files, path_root=str(FOLDER), mean=True, std=True)
        (image,) = found.draw_next(color=(255, 0, 9), thickness=1, mean=True, std=True, id2labels={3: "cat"})
        assert image.shape == (60, 80, 3)
        assert image.dtype == np.uint8
        assert image[6, 20].tolist() == [9, 0, 255]
