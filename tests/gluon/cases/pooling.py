"""Pooling and padding."""

from .case import FORGETS, Array, Case

_COUNTS_WRONG = "MXNet's MKL-DNN kernel divides by the whole window where the forward pass divides by what it covers"

_LINE = Array((2, 3, 7), kind="distinct")
_IMAGE = Array((2, 3, 7, 6), kind="distinct")
_VOLUME = Array((1, 2, 5, 4, 6), kind="distinct")
_BY_RANK = ((1, _LINE), (2, _IMAGE), (3, _VOLUME))


def _pool(kind, rank, **kwargs):
    return lambda mx: getattr(mx.gluon.nn, "%sPool%dD" % (kind, rank))(**kwargs)


def _forgets(kind):
    return FORGETS if "Max" in kind else None


CASES = (
    *(
        Case("%s%dd" % (kind.lower(), rank), _pool(kind, rank), (data,), predict_gradient=_forgets(kind))
        for kind in ("Max", "Avg", "GlobalMax", "GlobalAvg")
        for rank, data in _BY_RANK
    ),
    *(
        Case(
            "%s%dd-ceil" % (kind.lower(), rank),
            _pool(kind, rank, pool_size=3, strides=2, ceil_mode=True),
            (data,),
            predict_gradient=_forgets(kind),
            derivative=_COUNTS_WRONG if kind == "Avg" and rank == 2 else None,
        )
        for kind in ("Max", "Avg")
        for rank, data in _BY_RANK
    ),
    Case(
        "max2d-padding",
        _pool("Max", 2, pool_size=(3, 2), strides=(2, 1), padding=1),
        (_IMAGE,),
        predict_gradient=FORGETS,
    ),
    Case("max2d-lists", _pool("Max", 2, pool_size=[3, 2], strides=[2, 1]), (_IMAGE,), predict_gradient=FORGETS),
    Case("avg2d-padding", _pool("Avg", 2, pool_size=3, strides=2, padding=(1, 0)), (_IMAGE,)),
    Case("avg2d-exclude", _pool("Avg", 2, pool_size=3, strides=2, padding=1, count_include_pad=False), (_IMAGE,)),
    Case("avg1d-padding", _pool("Avg", 1, pool_size=3, padding=1, ceil_mode=True), (_LINE,)),
    Case("reflection-pad2d", lambda mx: mx.gluon.nn.ReflectionPad2D(2), (Array((2, 3, 4, 5)),)),
    Case(
        "reflection-pad2d-sides",
        lambda mx: mx.gluon.nn.ReflectionPad2D((0, 0, 0, 0, 1, 0, 2, 3)),
        (Array((1, 3, 4, 5)),),
    ),
)
