"""Losses."""

from .case import Array, Case

# Against the formula in float64, MXNet is off by 2.5e-6 and gluonnx by 1e-7.
_ROUGH = {"atol": 5e-6, "why": "MXNet's MKL-DNN log_softmax is rough"}

_PRED, _LABEL = Array((4, 3)), Array((4, 3), grad=False)
_WEIGHT = Array((4, 1), kind="positive", grad=False)
_SIGNS = Array((4, 3), kind="values", values=(1, -1, 1, -1, -1, 1, 1, 1, -1, 1, -1, -1), grad=False)
_BITS = Array((4, 3), kind="ints", high=2, grad=False)
_CLASSES = Array((4,), kind="ints", high=3, grad=False)
_PROBABILITIES = Array(
    (4, 3), kind="values", values=(0.1, 0.2, 0.7, 0.5, 0.3, 0.2, 0.05, 0.9, 0.05, 1, 0, 0), grad=False
)
_UNIT = Array((4, 3), kind="values", values=(0.1, 0.2, 0.7, 0.5, 0.3, 0.2, 0.05, 0.9, 0.05, 0.8, 0.1, 0.1))
_IMAGE, _IMAGE_LABEL = Array((2, 3, 2, 2)), Array((2, 2, 2), kind="ints", high=3, grad=False)
_COUNTS = Array((4, 3), kind="ints", low=2, high=9, grad=False)
_PAIR = Array((4,), kind="values", values=(1, -1, -1, 1), grad=False)


def _loss(name, **kwargs):
    return lambda mx: getattr(mx.gluon.loss, name)(**kwargs)


CASES = (
    Case("l2", _loss("L2Loss"), (_PRED, _LABEL)),
    Case("l2-weights", _loss("L2Loss", weight=0.5), (_PRED, _LABEL, _WEIGHT)),
    Case("l2-reshapes", _loss("L2Loss"), (Array((4, 1)), Array((4,), grad=False))),
    Case("l2-batch-axis", _loss("L2Loss", batch_axis=1), (_PRED, _LABEL)),
    Case("l1", _loss("L1Loss"), (_PRED, _LABEL)),
    Case("l1-weights", _loss("L1Loss", weight=2), (_PRED, _LABEL, _WEIGHT)),
    Case("bce", _loss("SigmoidBCELoss"), (_PRED, _BITS)),
    Case("bce-weights", _loss("SigmoidBinaryCrossEntropyLoss", weight=0.25), (_PRED, _BITS, _WEIGHT)),
    Case(
        "bce-pos-weight", _loss("SigmoidBCELoss"), (_PRED, _BITS, _WEIGHT, Array((1, 3), kind="positive", grad=False))
    ),
    Case("bce-from-sigmoid", _loss("SigmoidBCELoss", from_sigmoid=True), (_UNIT, _BITS)),
    Case(
        "bce-from-sigmoid-pos-weight",
        _loss("SigmoidBCELoss", from_sigmoid=True),
        (_UNIT, _BITS, _WEIGHT, Array((1, 3), kind="positive", grad=False)),
    ),
    Case("softmax-ce", _loss("SoftmaxCrossEntropyLoss"), (_PRED, _CLASSES)),
    Case("softmax-ce-weights", _loss("SoftmaxCELoss", weight=3.0), (_PRED, _CLASSES, _WEIGHT)),
    Case("softmax-ce-dense", _loss("SoftmaxCELoss", sparse_label=False), (_PRED, _PROBABILITIES), **_ROUGH),
    Case("softmax-ce-logits", _loss("SoftmaxCELoss", from_logits=True), (_PRED, _CLASSES)),
    Case("softmax-ce-axis", _loss("SoftmaxCELoss", axis=1), (_IMAGE, _IMAGE_LABEL)),
    Case("kl", _loss("KLDivLoss"), (_PRED, _PROBABILITIES)),
    Case(
        "kl-softmax",
        _loss("KLDivLoss", from_logits=False, axis=1, weight=0.5),
        (_PRED, _PROBABILITIES, _WEIGHT),
        **_ROUGH,
    ),
    Case("huber", _loss("HuberLoss"), (_PRED, _LABEL)),
    Case("huber-rho", _loss("HuberLoss", rho=0.5, weight=2), (_PRED, _LABEL, _WEIGHT)),
    Case("hinge", _loss("HingeLoss"), (_PRED, _SIGNS)),
    Case("hinge-margin", _loss("HingeLoss", margin=2, weight=0.5), (_PRED, _SIGNS, _WEIGHT)),
    Case("squared-hinge", _loss("SquaredHingeLoss"), (_PRED, _SIGNS)),
    Case("logistic", _loss("LogisticLoss"), (_PRED, _SIGNS)),
    Case("logistic-binary", _loss("LogisticLoss", label_format="binary"), (_PRED, _BITS, _WEIGHT)),
    Case("triplet", _loss("TripletLoss"), (_PRED, Array((4, 3)), Array((4, 3)))),
    Case("triplet-margin", _loss("TripletLoss", margin=3, weight=2.0), (_PRED, Array((4, 3)), Array((4, 3)))),
    Case("poisson", _loss("PoissonNLLLoss"), (_PRED, _COUNTS)),
    Case(
        "poisson-rates",
        _loss("PoissonNLLLoss", from_logits=False, weight=0.5),
        (Array((4, 3), kind="positive"), _COUNTS, _WEIGHT),
        onnx="the check of an export draws negative rates, whose logarithm is no number",
    ),
    Case(
        "poisson-full",
        _loss("PoissonNLLLoss", compute_full=True),
        (_PRED, _COUNTS),
        recorded="MXNet changes an array in place",
    ),
    Case("cosine", _loss("CosineEmbeddingLoss"), (_PRED, Array((4, 3)), _PAIR)),
    Case("cosine-margin", _loss("CosineEmbeddingLoss", margin=0.2, weight=2), (_PRED, Array((4, 3)), _PAIR, _WEIGHT)),
    Case("sdml", _loss("SDMLLoss"), (_PRED, Array((4, 3))), traced="reads the batch size", **_ROUGH),
    Case(
        "sdml-smoothing",
        _loss("SDMLLoss", smoothing_parameter=0.1),
        (_PRED, Array((4, 3))),
        traced="reads the batch size",
        **_ROUGH,
    ),
    Case(
        "ctc",
        _loss("CTCLoss"),
        (Array((2, 6, 4)), Array((2, 3), kind="values", values=(0, 1, 2, 2, -1, -1), grad=False)),
    ),
    Case(
        "ctc-layouts",
        _loss("CTCLoss", layout="TNC", label_layout="TN", weight=0.5),
        (Array((6, 2, 4)), Array((3, 2), kind="values", values=(0, 2, 1, -1, 2, -1), grad=False)),
        onnx="the check: the batch axis is the second, and two steps are too few for three labels",
    ),
)
