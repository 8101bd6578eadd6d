"""Calls of `mx.image` that both MXNet 1.9.1 and gluonnx make, from the same seeds; readable by Python 3.8.

A case takes the module `mx` and the folder of images, and gives arrays.
"""

import numpy as np

OBJECTS = [2, 5, 0, 0.1, 0.1, 0.6, 0.7, 3, 0.3, 0.4, 0.9, 0.95]
FEW = [2, 5, 1, 0.2, 0.2, 0.8, 0.9]
LABELLED = [("rgb.png", 3.0), ("rgb.jpg", 1.0), ("gray.png", 4.0), ("wide.jpg", 2.0), ("alpha.png", 0.0)]


def records(magic):
    """Byte strings, some with RecordIO's magic number inside."""
    parts = [b"", b"abc", b"abcd", magic, magic + magic, b"ab" + magic + b"xyz", b"abcd" + magic + b"xyz"]
    return parts + [b"abcdefgh" + magic, magic + b"q", b"abc" + magic, bytes(range(256)) * 3]


def _load(mx, folder, name="rgb.png", dtype=None):
    found = mx.image.imdecode((folder / name).read_bytes())
    return found if dtype is None else found.astype(dtype)


def _resize_short(mx, folder):
    for interp in (0, 1, 3, 4, 9, 10):
        yield mx.image.resize_short(_load(mx, folder), 7, interp).asnumpy()
        yield mx.image.resize_short(_load(mx, folder, "wide.jpg"), 15, interp).asnumpy()


def _crops(mx, folder):
    image = _load(mx, folder)
    yield mx.image.fixed_crop(image, 3, 2, 9, 8).asnumpy()
    yield mx.image.fixed_crop(image, 3, 2, 9, 8, (12, 5), 1).asnumpy()
    for size in ((10, 7), (60, 9), (9, 70), (90, 90)):
        for crop in (mx.image.random_crop, mx.image.center_crop):
            out, place = crop(image, size, 1)
            yield out.asnumpy()
            yield np.array(place)
    for area in (0.1, (0.3, 0.4), 1.0):
        out, place = mx.image.random_size_crop(image, (8, 8), area, (0.5, 2.0), 1)
        yield out.asnumpy()
        yield np.array(place)


def _rotations(mx, folder):
    image = _load(mx, folder, dtype="float32")[4:14, 6:19].transpose((2, 0, 1))
    for zoom in ({}, {"zoom_in": True}, {"zoom_out": True}):
        for angle in (30, -70.5, 160):
            yield mx.image.imrotate(image, angle, **zoom).asnumpy()
        pair = mx.nd.stack(image, image * 0.5)
        yield mx.image.imrotate(pair, mx.nd.array([10, -20]), **zoom).asnumpy()
    yield mx.image.random_rotate(image, (-10, 40)).asnumpy()
    yield mx.image.random_rotate(mx.nd.stack(image, image), (-10, 40)).asnumpy()


def _augmenters(mx, folder):
    made = mx.image.CreateAugmenter(
        (3, 9, 12),
        resize=20,
        rand_crop=True,
        rand_resize=True,
        rand_mirror=True,
        mean=True,
        std=np.array([50.0, 51.0, 52.0]),
        brightness=0.2,
        contrast=0.3,
        saturation=0.4,
        hue=0.3,
        pca_noise=0.1,
        rand_gray=0.5,
        inter_method=1,
    )
    for _ in range(4):
        image = _load(mx, folder)
        for augmenter in made:
            image = augmenter(image)
        yield image.asnumpy()


def _each(mx, folder):
    i = mx.image
    single = [
        i.ForceResizeAug((7, 9), 1),
        i.RandomCropAug((12, 9), 1),
        i.CenterCropAug((12, 9), 1),
        i.SequentialAug([i.CastAug(), i.BrightnessJitterAug(0.5)]),
        i.SequentialAug([i.CastAug(), i.ContrastJitterAug(0.5)]),
        i.SequentialAug([i.CastAug(), i.SaturationJitterAug(0.5)]),
        i.SequentialAug([i.CastAug(), i.HueJitterAug(0.5)]),
        i.SequentialAug([i.CastAug(), i.ColorJitterAug(0.1, 0.2, 0.3)]),
        i.SequentialAug([i.CastAug(), i.RandomGrayAug(1.0)]),
        i.HorizontalFlipAug(1.0),
    ]
    for augmenter in single:
        yield augmenter(_load(mx, folder)).asnumpy()


def _detection(mx, folder):
    d = mx.image
    for made in (
        d.CreateDetAugmenter((3, 12, 10), rand_crop=1, min_object_covered=[0.1, 0.5], rand_mirror=True, inter_method=1),
        d.CreateDetAugmenter((3, 12, 10), rand_pad=1, rand_mirror=True, mean=True, hue=0.1, inter_method=1),
        [d.DetRandomCropAug(area_range=(0.3, 0.9), max_attempts=20)],
        [d.DetRandomPadAug(area_range=(1.5, 3.0), pad_val=(1, 2, 3))],
    ):
        for _ in range(3):
            image, label = _load(mx, folder, "gray.png"), np.array(OBJECTS[2:]).reshape(-1, 5)
            for augmenter in made:
                image, label = augmenter(image, label)
            yield image.asnumpy()
            yield label


def _batches(iterator, epochs=2):
    for _ in range(epochs):
        for batch in iterator:
            yield batch.data[0].asnumpy()
            yield batch.label[0].asnumpy()
            yield np.array(batch.pad)
        iterator.reset()


def _iterators(mx, folder):
    root = str(folder)
    files = [[label, name] for name, label in LABELLED]
    for handle in ("pad", "discard", "roll_over"):
        options = {"last_batch_handle": handle, "inter_method": 1}
        for array in _batches(mx.image.ImageIter(2, (3, 6, 7), imglist=files, path_root=root, **options), 3):
            yield array
    rec, idx = str(folder / "images.rec"), str(folder / "images.idx")
    for options in ({"path_imgrec": rec}, {"path_imgrec": rec, "path_imgidx": idx, "shuffle": True}):
        for array in _batches(mx.image.ImageIter(3, (3, 5, 4), rand_mirror=True, inter_method=1, **options)):
            yield array
    part = mx.image.ImageIter(1, (3, 5, 4), path_imgrec=rec, path_imgidx=idx, part_index=1, num_parts=2, inter_method=1)
    for array in _batches(part):
        yield array


def _detection_iterators(mx, folder):
    root = str(folder)
    files = [OBJECTS + ["rgb.png"], FEW + ["wide.jpg"], OBJECTS + ["rgb.jpg"]]
    for handle in ("pad", "discard", "roll_over"):
        options = {"last_batch_handle": handle, "inter_method": 1, "rand_mirror": True}
        for array in _batches(mx.image.ImageDetIter(2, (3, 6, 7), imglist=files, path_root=root, **options), 3):
            yield array


CASES = {
    "resize_short": _resize_short,
    "crops": _crops,
    "rotations": _rotations,
    "augmenters": _augmenters,
    "each": _each,
    "detection": _detection,
    "iterators": _iterators,
    "detection_iterators": _detection_iterators,
}


def dumps(mx):
    """What augmenters dump."""
    made = mx.image.CreateAugmenter(
        (3, 9, 8), resize=10, rand_mirror=True, mean=True, brightness=0.1, hue=0.2, rand_gray=0.3
    )
    det = mx.image.CreateDetAugmenter(
        (3, 9, 8), rand_crop=0.5, rand_pad=0.5, rand_mirror=True, std=np.array([1.0, 2.0, 4.0])
    )
    return [augmenter.dumps() for augmenter in made + det]
