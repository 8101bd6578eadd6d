"""Activations, softmax family, output layers."""

from dataclasses import replace

from .sample import Array, Sample

A = Array
KINK = A((5,), kind="values", values=(-1.5, -0.0, 0.0, 1e-3, 30.0))


def labels(shape, classes, low=0):
    return A(shape, kind="ints", low=low, high=classes, grad=False)


BY_DEFINITION = "the gradient is that of the loss, by definition"
KINKED = "a sample lies on the kink"

SAMPLES = []
for kind in ("relu", "sigmoid", "softrelu", "softsign", "tanh"):
    SAMPLES += [
        Sample("Activation", kind, (A((3, 4, 2)),), {"act_type": kind}),
        Sample("Activation", kind + "_kink", (KINK,), {"act_type": kind}, derivative=KINKED),
        Sample("Activation", kind + "_one", (A((1, 1)),), {"act_type": kind}),
        Sample(
            "Activation",
            kind + "_float64",
            (A((3, 4), "float64"),),
            {"act_type": kind},
            onnx="ONNX Runtime has no float64 kernel" if kind in ("softrelu", "softsign") else None,
        ),
        Sample("Activation", kind + "_float16", (A((3, 4), "float16"),), {"act_type": kind}),
    ]
for kind in ("leaky", "elu", "selu", "gelu"):
    SAMPLES += [
        Sample("LeakyReLU", kind, (A((3, 4, 2)),), {"act_type": kind}),
        Sample("LeakyReLU", kind + "_kink", (KINK,), {"act_type": kind}, derivative=KINKED),
    ]
SAMPLES += [
    Sample("LeakyReLU", "default", (A((3, 4)),)),
    Sample("LeakyReLU", "leaky_slope", (A((3, 4)),), {"act_type": "leaky", "slope": 0.01}),
    Sample("LeakyReLU", "elu_slope", (A((3, 4)),), {"act_type": "elu", "slope": 1.5}),
    Sample("LeakyReLU", "leaky_float16", (A((3, 4), "float16"),), {"act_type": "leaky"}),
    Sample(
        "LeakyReLU",
        "leaky_float64",
        (A((3, 4), "float64"),),
        {"act_type": "leaky"},
        onnx="ONNX Runtime has no float64 kernel",
        rtol=1e-6,
        why="MXNet computes it in float32",
    ),
    Sample("LeakyReLU", "prelu", (A((3, 4, 2)), A((4,))), {"act_type": "prelu"}),
    Sample("LeakyReLU", "prelu_each", (A((3, 4, 2, 2)), A((3, 4))), {"act_type": "prelu"}, batch=()),
    Sample("LeakyReLU", "prelu_sample", (A((3, 4, 2)), A((3, 1))), {"act_type": "prelu"}, batch=()),
    Sample("LeakyReLU", "prelu_2d", (A((3, 4)), A((4,))), {"act_type": "prelu"}),
    Sample("LeakyReLU", "prelu_shared", (A((3, 4, 2, 2)), A((1,))), {"act_type": "prelu"}),
    Sample(
        "LeakyReLU",
        "prelu_kink",
        (A((1, 5), kind="values", values=(-1.5, -0.0, 0.0, 1e-3, 3.0)), A((5,))),
        {"act_type": "prelu"},
    ),
    Sample("softmax", "last", (A((3, 4)),)),
    Sample("softmax", "axis", (A((3, 4, 2)),), {"axis": 1}),
    Sample("softmax", "negative_axis", (A((3, 4, 2)),), {"axis": -2}),
    Sample("softmax", "one", (A((2, 1)),)),
    Sample("softmax", "vector", (A((4,)),), batch=()),
    Sample("softmax", "temperature", (A((3, 4)),), {"temperature": 2.5}),
    Sample("softmax", "large", (A((1, 3), kind="values", values=(1000.0, 999.0, -1000.0)),)),
    Sample("softmax", "float16", (A((3, 4), "float16"),)),
    Sample("softmax", "float64", (A((3, 4), "float64"),)),
    Sample(
        "softmax",
        "dtype",
        (A((3, 4), "float16"),),
        {"dtype": "float32"},
        grad=False,
        rtol=2e-3,
        why="MXNet computes it in float16",
    ),
    Sample(
        "softmax",
        "length",
        (A((3, 4)), A((3,), "int32", "values", values=(1, 4, 2))),
        {"use_length": True},
        batch=(0, 1),
    ),
    Sample(
        "softmax",
        "length_axis",
        (A((2, 4, 3)), A((2, 3), "int32", "ints", 1, 5)),
        {"use_length": True, "axis": 1},
        batch=(0, 1),
    ),
    Sample(
        "softmax",
        "length_zero",
        (A((2, 3)), A((2,), "int32", "values", values=(0, 2))),
        {"use_length": True},
        batch=(0, 1),
    ),
    Sample("softmin", "last", (A((3, 4)),)),
    Sample("softmin", "axis", (A((3, 4, 2)),), {"axis": 1, "temperature": 0.5}),
    Sample("log_softmax", "last", (A((3, 4)),)),
    Sample("log_softmax", "axis", (A((3, 4, 2)),), {"axis": -2}),
    Sample("log_softmax", "temperature", (A((3, 4)),), {"temperature": 2.5}),
    Sample("log_softmax", "large", (A((1, 3), kind="values", values=(1000.0, 999.0, -1000.0)),)),
    Sample("log_softmax", "float64", (A((3, 4), "float64"),)),
    Sample("SoftmaxActivation", "instance", (A((3, 4)),)),
    # MXNet's gradient here is that of another softmax, over all elements of a sample.
    Sample("SoftmaxActivation", "instance_3d", (A((3, 4, 2)),), grad=False),
    Sample("SoftmaxActivation", "channel", (A((3, 4, 2)),), {"mode": "channel"}),
    Sample("SoftmaxOutput", "plain", (A((3, 4)), labels((3,), 4)), batch=(0, 1)),
    Sample("SoftmaxOutput", "one", (A((1, 1)), labels((1,), 1)), batch=(0, 1)),
    Sample(
        "SoftmaxOutput", "float64", (A((3, 4), "float64"), A((3,), "float64", "ints", 0, 4, grad=False)), batch=(0, 1)
    ),
    Sample("SoftmaxOutput", "scale", (A((3, 4)), labels((3,), 4)), {"grad_scale": 2.5}, batch=(0, 1)),
    Sample(
        "SoftmaxOutput",
        "label_out_of_range",
        (A((3, 4)), A((3,), kind="values", values=(-1, 2, 7), grad=False)),
        batch=(0, 1),
    ),
    Sample(
        "SoftmaxOutput",
        "probabilities",
        (A((3, 4)), A((3, 4), kind="positive", grad=False)),
        {"grad_scale": 0.5},
        batch=(0, 1),
    ),
    Sample(
        "SoftmaxOutput",
        "probabilities_head",
        (A((3, 4)), A((3, 4), kind="positive", grad=False)),
        {"out_grad": True},
        batch=(0, 1),
    ),
    Sample("SoftmaxOutput", "flattened", (A((3, 2, 2)), labels((3, 2), 4)), batch=(0, 1)),
    Sample("SoftmaxOutput", "preserve", (A((3, 2, 4)), labels((3, 2), 4)), {"preserve_shape": True}, batch=(0, 1)),
    Sample(
        "SoftmaxOutput",
        "preserve_batch",
        (A((3, 2, 4)), labels((3, 2), 4)),
        {"preserve_shape": True, "normalization": "batch"},
        batch=(0, 1),
    ),
]
for norm in ("null", "batch", "valid"):
    for ignore in (False, True):
        tail = norm + ("_ignore" if ignore else "")
        attrs = {"normalization": norm, "use_ignore": ignore, "ignore_label": 1}
        some = A((4,), kind="values", values=(0, 1, 3, 1), grad=False)
        many = A((2, 6), kind="values", values=(0, 1, 2, 1, 0, 1, 2, 2, 1, 0, 0, 1), grad=False)
        multi = dict(attrs, multi_output=True)
        SAMPLES += [
            Sample("SoftmaxOutput", "norm_" + tail, (A((4, 4)), some), attrs, batch=(0, 1)),
            Sample("SoftmaxOutput", "multi_" + tail, (A((2, 3, 3, 2)), many), multi, batch=(0, 1)),
        ]
SAMPLES += [
    Sample(
        "SoftmaxOutput",
        "valid_none",
        (A((2, 4)), A((2,), kind="values", values=(1, 1), grad=False)),
        {"normalization": "valid", "use_ignore": True, "ignore_label": 1},
        batch=(0, 1),
    ),
    Sample(
        "SoftmaxOutput", "multi_3d_label", (A((2, 3, 3, 2)), labels((2, 3, 2), 3)), {"multi_output": True}, batch=(0, 1)
    ),
    Sample(
        "SoftmaxOutput",
        "multi_2d",
        (A((2, 3, 5)), labels((2, 5), 3)),
        {"multi_output": True, "grad_scale": 3.0},
        batch=(0, 1),
    ),
    Sample("SoftmaxOutput", "head", (A((3, 4)), labels((3,), 4)), {"out_grad": True}, batch=(0, 1)),
    Sample(
        "SoftmaxOutput",
        "head_multi",
        (A((2, 3, 5)), labels((2, 5), 3)),
        {"multi_output": True, "out_grad": True},
        batch=(0, 1),
    ),
    Sample("SoftmaxOutput", "smooth", (A((3, 4)), labels((3,), 4)), {"smooth_alpha": 0.1}, batch=(0, 1)),
    Sample(
        "SoftmaxOutput",
        "smooth_ignore",
        (A((3, 4)), A((3,), kind="values", values=(0, 1, 3), grad=False)),
        {"smooth_alpha": 0.1, "use_ignore": True, "ignore_label": 1},
        batch=(0, 1),
    ),
    Sample("softmax_cross_entropy", "plain", (A((3, 4)), labels((3,), 4)), batch=(0, 1)),
    Sample("softmax_cross_entropy", "one", (A((1, 4)), labels((1,), 4)), batch=(0, 1)),
]
for name in ("LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"):
    SAMPLES += [
        Sample(name, "plain", (A((3, 4)), A((3, 4), grad=False)), batch=(0, 1)),
        Sample(name, "scale", (A((3, 2, 2)), A((3, 2, 2), grad=False)), {"grad_scale": 0.3}, batch=(0, 1)),
        Sample(name, "column", (A((3, 1)), A((3,), grad=False)), batch=(0, 1)),
        Sample(name, "float64", (A((3, 4), "float64"), A((3, 4), "float64", grad=False)), batch=(0, 1)),
    ]
# What a whole operator has in common, and MXNet's second form of a label or slope.
OTHER_FORM = "one of the other shapes that MXNet takes"
FORMS = ("LeakyReLU-prelu_shared", "LeakyReLU-prelu_each", "LeakyReLU-prelu_sample")
FORMS += ("SoftmaxOutput-probabilities", "SoftmaxOutput-probabilities_head")
FORMS += ("SoftmaxOutput-multi_3d_label",)


def _complete(sample):
    changes = {}
    if sample.op.endswith("Output"):
        changes["derivative"] = BY_DEFINITION
    elif sample.attrs.get("act_type") == "selu":
        changes["derivative"] = "MXNet's gradient of selu is not its derivative below zero"
    elif sample.id == "prelu_kink":
        changes["derivative"] = KINKED
    if sample.key in FORMS:
        changes["parameters"] = OTHER_FORM
    return replace(sample, **changes)


SAMPLES = [_complete(s) for s in SAMPLES]
