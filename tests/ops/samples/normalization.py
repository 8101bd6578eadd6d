"""Normalizations and Dropout."""

from .sample import Array, Sample

A = Array


def batch_norm(id, shape, channels, dtype="float32", train=False, op="BatchNorm", **attrs):
    inputs = (
        A(shape, dtype),
        # MXNet overwrites gamma with 1 under fix_gamma: give it 1, so that this is not recorded as new state.
        A((channels,), dtype, "positive")
        if attrs.get("fix_gamma") is False
        else A((channels,), dtype, "values", values=(1,) * channels),
        A((channels,), dtype),
        A((channels,), dtype, grad=False),
        A((channels,), dtype, "positive", grad=False),
    )
    return Sample(
        op,
        id,
        inputs,
        attrs,
        train=train,
        # In prediction mode MXNet's fused kernel keeps nothing for the gradient: what comes out is what lay in memory.
        grad=train or op == "BatchNorm",
        atol=5e-6 if dtype == "float32" else 1e-8,
        rtol=2e-5 if dtype == "float32" else 1e-8,
        why="variances are summed in another order",
        derivative="mean and deviation carry no gradient" if attrs.get("output_mean_var") else None,
    )


SAMPLES = []
for train in (False, True):
    tail = "_train" if train else ""
    SAMPLES += [
        batch_norm("plain" + tail, (4, 3, 2, 3), 3, train=train, fix_gamma=False),
        batch_norm("relu" + tail, (4, 3, 2, 3), 3, train=train, op="_contrib_BatchNormWithReLU", fix_gamma=False),
        batch_norm("sync" + tail, (4, 3, 2, 3), 3, train=train, op="_contrib_SyncBatchNorm", fix_gamma=False, key="a"),
        batch_norm("default" + tail, (4, 3, 2, 3), 3, train=train),
        batch_norm("flat" + tail, (5, 3), 3, train=train, fix_gamma=False),
        batch_norm("global" + tail, (4, 3, 2), 3, train=train, fix_gamma=False, use_global_stats=True),
        batch_norm("eps_momentum" + tail, (4, 3, 2), 3, train=train, fix_gamma=False, eps=0.1, momentum=0.5),
        batch_norm("last_axis" + tail, (4, 2, 3), 3, train=train, fix_gamma=False, axis=-1),
        batch_norm("axis" + tail, (4, 2, 3, 2), 3, train=train, fix_gamma=False, axis=2),
        batch_norm("volume" + tail, (2, 3, 2, 2, 2), 3, train=train, fix_gamma=False),
        batch_norm("float64" + tail, (4, 3, 2), 3, "float64", train=train, fix_gamma=False),
        batch_norm("statistics" + tail, (4, 3, 2), 3, train=train, fix_gamma=False, output_mean_var=True),
        batch_norm("one" + tail, (1, 1, 1, 1), 1, train=train, fix_gamma=False),
    ]
SAMPLES.append(
    batch_norm("sync_statistics", (4, 3, 2), 3, train=True, op="_contrib_SyncBatchNorm", output_mean_var=True, key="b")
)


def norm(op, id, shape, channels, dtype="float32", onnx=None, **attrs):
    inputs = (A(shape, dtype), A((channels,), dtype, "positive"), A((channels,), dtype))
    return Sample(
        op,
        id,
        inputs,
        attrs,
        onnx=onnx,
        atol=5e-6 if dtype == "float32" else 1e-8,
        rtol=2e-5 if dtype == "float32" else 1e-8,
        why="variances are summed in another order",
        derivative="mean and deviation carry no gradient" if attrs.get("output_mean_var") else None,
    )


NO_DOUBLE = "ONNX Runtime has no float64 kernel"
SAMPLES += [
    norm("LayerNorm", "plain", (4, 5), 5),
    norm("LayerNorm", "deep", (2, 3, 4), 4, eps=0.01),
    norm("LayerNorm", "axis", (2, 3, 4), 3, axis=1),
    norm("LayerNorm", "negative_axis", (2, 3, 4), 3, axis=-2),
    norm("LayerNorm", "statistics", (2, 3, 4), 4, output_mean_var=True),
    norm("LayerNorm", "statistics_axis", (2, 3, 4), 3, output_mean_var=True, axis=1),
    norm("LayerNorm", "float64", (4, 5), 5, "float64"),
    norm("InstanceNorm", "plain", (2, 3, 4, 2), 3),
    norm("InstanceNorm", "width", (2, 3, 5), 3, eps=0.1),
    norm("InstanceNorm", "one", (2, 3, 1), 3),
    norm("GroupNorm", "plain", (2, 4, 3, 2), 2, num_groups=2),
    norm("GroupNorm", "default", (2, 4, 3), 1),
    norm("GroupNorm", "statistics", (2, 4, 3), 4, num_groups=4, output_mean_var=True, eps=0.01),
    Sample("L2Normalization", "instance", (A((2, 3, 4)),)),
    Sample("L2Normalization", "channel", (A((2, 3, 4)),), {"mode": "channel", "eps": 0.1}),
    Sample("L2Normalization", "spatial", (A((2, 3, 4)),), {"mode": "spatial"}),
    Sample("L2Normalization", "float64", (A((2, 3), "float64"),)),
    Sample("LRN", "plain", (A((2, 6, 3, 2)),), {"nsize": 3}),
    Sample("LRN", "all", (A((1, 7, 2, 2)),), {"nsize": 5, "alpha": 0.3, "beta": 0.6, "knorm": 1.5}),
    Sample("Dropout", "inference", (A((3, 4)),)),
    Sample("Dropout", "p", (A((3, 4), "float64"),), {"p": 0.2, "axes": (1,)}),
    Sample("Dropout", "zero_train", (A((3, 4)),), {"p": 0.0}, train=True),
]
