"""Two small detectors, made of the same source for MXNet, which records its answers, and for gluonnx.

Readable by Python 3.8 with numpy alone (tests/golden/make_detection.py).
"""

import zlib

import numpy as np


def single_shot(mx):
    """Class and box predictions of two feature maps, default boxes, detections."""
    nn = mx.gluon.nn

    class SingleShot(mx.gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.kinds = 4
            with self.name_scope():
                self.stem = nn.Conv2D(8, 3, 2, 1, activation="relu")
                self.down = nn.Conv2D(8, 3, 2, 1, activation="relu")
                self.classes = [nn.Conv2D(4 * self.kinds, 3, padding=1) for _ in range(2)]
                self.moves = [nn.Conv2D(4 * self.kinds, 3, padding=1) for _ in range(2)]
                for block in self.classes + self.moves:
                    self.register_child(block)

        def hybrid_forward(self, F, x):
            scores, moves, boxes = [], [], []
            x = self.stem(x)
            for level in (0, 1):
                classes, shifts = self.classes[level], self.moves[level]
                x = x if level == 0 else self.down(x)
                sizes = (0.2, 0.3) if level == 0 else (0.5, 0.7)
                boxes.append(F.contrib.MultiBoxPrior(x, sizes=sizes, ratios=(1, 2, 0.5), clip=True))
                scores.append(F.flatten(F.transpose(classes(x), axes=(0, 2, 3, 1))))
                moves.append(F.flatten(F.transpose(shifts(x), axes=(0, 2, 3, 1))))
            scores = F.reshape(F.concat(*scores, dim=1), shape=(0, -1, 4))
            chances = F.softmax(F.transpose(scores, axes=(0, 2, 1)), axis=1)
            return F.contrib.MultiBoxDetection(
                chances, F.concat(*moves, dim=1), F.concat(*boxes, dim=1), nms_threshold=0.4, nms_topk=50, threshold=0.2
            )

    return SingleShot(prefix="single_")


def two_stage(mx, pooling):
    """Region proposals on a feature map, pooled, with class scores and the regions themselves."""
    nn = mx.gluon.nn

    class TwoStage(mx.gluon.HybridBlock):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            with self.name_scope():
                self.stem = nn.Conv2D(8, 5, 4, 2, activation="relu")
                self.features = nn.Conv2D(8, 3, 2, 1, activation="relu")
                self.chances = nn.Conv2D(2 * 6, 1)
                self.moves = nn.Conv2D(4 * 6, 1)
                self.head = nn.Dense(5)

        def hybrid_forward(self, F, x, info):
            x = self.features(self.stem(x))
            chances = F.softmax(F.reshape(self.chances(x), shape=(0, 2, -1, 8)), axis=1)
            chances = F.reshape(chances, shape=(0, 12, -1, 8))
            regions, _ = F.contrib.MultiProposal(
                chances,
                self.moves(x) * 0.1,
                info,
                rpn_pre_nms_top_n=100,
                rpn_post_nms_top_n=8,
                threshold=0.6,
                rpn_min_size=4,
                scales=(1, 2, 4),
                ratios=(0.5, 2),
                feature_stride=8,
                output_score=True,
            )
            attrs = {"pooled_size": (3, 3), "spatial_scale": 1 / 8}
            if pooling == "align":
                pooled = F.contrib.ROIAlign(x, regions, sample_ratio=2, **attrs)
            else:
                pooled = F.ROIPooling(x, regions, **attrs)
            return self.head(pooled), regions

    return TwoStage(prefix="two_%s_" % pooling)


CASES = {
    "single-shot": (single_shot, lambda n: [_input("image", (n, 3, 20, 24))]),
    "two-stage-pool": (lambda mx: two_stage(mx, "pool"), lambda n: _image_and_info(n)),
    "two-stage-align": (lambda mx: two_stage(mx, "align"), lambda n: _image_and_info(n)),
}
BATCHES = (1, 3)


def _rng(name):
    return np.random.RandomState(zlib.crc32(name.encode()))


def _input(name, shape):
    return _rng(name).normal(size=shape).astype("float32")


def _image_and_info(count):
    info = np.array([[48, 64, 1], [40, 50, 0.8], [48, 60, 1.2]], dtype="float32")[:count]
    return [_input("picture", (count, 3, 48, 64)), info]


def prepared(mx, name):
    """The block, with parameters drawn from their names."""
    build, inputs = CASES[name]
    net = build(mx)
    net.initialize()
    net(*(mx.nd.array(a) for a in inputs(1)))
    for key, param in net.collect_params().items():
        value = _rng(key).normal(size=param.shape) * (
            0.3 if len(param.shape) == 1 else 1.5 / np.sqrt(np.prod(param.shape[1:]))
        )
        param.set_data(mx.nd.array(value.astype("float32")))
    return net
