"""Record what MXNet 1.9.1 makes of small images: decoding, functions, augmenters, iterators, record files.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`):

    python tests/golden/make_image.py

Reads tests/golden/image/*.jpg and *.png, which OpenCV wrote from a drawing, and writes image/<case>.npz and the record
files image/images.rec and images.idx beside them.
"""

import json
import pathlib
import random
import struct
import sys

import mxnet as mx
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "image"
sys.path.insert(0, str(HERE.parent / "image"))

import image_cases  # noqa: E402


def main():
    answers = {}
    for path in sorted(FOLDER.glob("*.jpg")) + sorted(FOLDER.glob("*.png")):
        for flag in (0, 1):
            for to_rgb in (0, 1):
                key = "decode/%s/%d/%d" % (path.name, flag, to_rgb)
                answers[key] = mx.image.imdecode(path.read_bytes(), flag=flag, to_rgb=to_rgb).asnumpy()
    write_records()
    for name, case in sorted(image_cases.CASES.items()):
        random.seed(7)
        np.random.seed(7)
        for i, array in enumerate(case(mx, FOLDER)):
            answers["case/%s/%d" % (name, i)] = array
    answers["dumps"] = np.array(json.dumps(image_cases.dumps(mx)))
    for part in sorted({name.split("/")[1] for name in answers if name.startswith("case/")} | {"decode"}):
        chosen = {n: a for n, a in answers.items() if n.split("/")[:2] == ["case", part] or n.split("/")[0] == part}
        if part == "decode":
            chosen["dumps"] = answers["dumps"]
        path = FOLDER / (part + ".npz")
        np.savez_compressed(str(path), **chosen)
        print("%s: %d arrays, %d bytes" % (path.name, len(chosen), path.stat().st_size))
        assert path.stat().st_size < 100000, "a golden file stays under 100 KB"


def write_records():
    magic = struct.pack("<I", 0xCED7230A)
    plain = mx.recordio.MXRecordIO(str(FOLDER / "bytes.rec"), "w")
    for record in image_cases.records(magic):
        plain.write(record)
    plain.close()
    indexed = mx.recordio.MXIndexedRecordIO(str(FOLDER / "images.idx"), str(FOLDER / "images.rec"), "w")
    for key, (name, label) in enumerate(image_cases.LABELLED):
        header = mx.recordio.IRHeader(0, label, key, 0)
        indexed.write_idx(key, mx.recordio.pack(header, (FOLDER / name).read_bytes()))
    indexed.close()


main()
