"""Dense, Dropout, Embedding, Flatten, lambdas, containers."""

from .case import Array, Case


def _sequential(nn, **kwargs):
    net = nn.Sequential(**kwargs)
    with net.name_scope():
        net.add(nn.Dense(4, activation="relu"), nn.Dense(3))
    return net


def _hybrid_sequential(nn, **kwargs):
    net = nn.HybridSequential(**kwargs)
    with net.name_scope():
        net.add(nn.Dense(4, activation="relu"))
        net.add(nn.Dropout(0.5), nn.Dense(3))
    return net


def _unscoped(nn):
    net = nn.HybridSequential()
    net.add(nn.Dense(4), nn.Dense(3, prefix="last_"))
    return net


def _nested(nn):
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        for units in (4, 3):
            inner = nn.HybridSequential(prefix="")
            with inner.name_scope():
                inner.add(nn.Dense(units), nn.Activation("tanh"))
            net.add(inner)
    return net


def _slice(nn):
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(nn.Dense(5), nn.Dense(4), nn.Dense(3))
    return net[1:]


_NOT_HYBRID = "not a HybridBlock"

CASES = (
    Case("dense", lambda mx: mx.gluon.nn.Dense(3), (Array((2, 5)),)),
    Case("dense-relu", lambda mx: mx.gluon.nn.Dense(3, activation="relu"), (Array((4, 5)),)),
    Case("dense-sigmoid", lambda mx: mx.gluon.nn.Dense(3, "sigmoid", in_units=5), (Array((4, 5)),)),
    Case("dense-no-bias", lambda mx: mx.gluon.nn.Dense(3, use_bias=False), (Array((1, 5)),)),
    Case("dense-flattens", lambda mx: mx.gluon.nn.Dense(1), (Array((2, 3, 2)),)),
    Case("dense-keeps-axes", lambda mx: mx.gluon.nn.Dense(3, flatten=False, activation="tanh"), (Array((2, 3, 4)),)),
    Case("dense-float64", lambda mx: mx.gluon.nn.Dense(3, dtype="float64"), (Array((2, 5), "float64"),)),
    Case(
        "dense-initializers",
        lambda mx: mx.gluon.nn.Dense(3, weight_initializer=mx.init.Xavier(), bias_initializer="ones", prefix="out_"),
        (Array((2, 5)),),
    ),
    Case("dropout", lambda mx: mx.gluon.nn.Dropout(0.5), (Array((3, 4)),), is_random=True),
    Case("dropout-axes", lambda mx: mx.gluon.nn.Dropout(0.3, axes=(1,)), (Array((3, 4)),), is_random=True),
    Case("dropout-nothing", lambda mx: mx.gluon.nn.Dropout(0), (Array((3, 4)),)),
    Case("flatten", lambda mx: mx.gluon.nn.Flatten(), (Array((2, 3, 4)),)),
    Case("embedding", lambda mx: mx.gluon.nn.Embedding(7, 4), (Array((2, 3), kind="ints", high=7, grad=False),)),
    Case(
        "embedding-ints",
        lambda mx: mx.gluon.nn.Embedding(7, 4, weight_initializer="uniform"),
        (Array((5,), "int32", "ints", high=7),),
    ),
    Case("lambda", lambda mx: mx.gluon.nn.Lambda("tanh"), (Array((2, 3)),), traced=_NOT_HYBRID),
    Case(
        "lambda-function",
        lambda mx: mx.gluon.nn.Lambda(lambda x: mx.nd.LeakyReLU(x, slope=0.1)),
        (Array((2, 3), kind="away"),),
        traced=_NOT_HYBRID,
    ),
    Case("hybrid-lambda", lambda mx: mx.gluon.nn.HybridLambda("tanh"), (Array((2, 3)),)),
    Case(
        "hybrid-lambda-function",
        lambda mx: mx.gluon.nn.HybridLambda(lambda F, x: F.LeakyReLU(x, slope=0.1)),
        (Array((2, 3), kind="away"),),
    ),
    Case("sequential", lambda mx: _sequential(mx.gluon.nn), (Array((2, 5)),), traced=_NOT_HYBRID),
    Case("sequential-prefix", lambda mx: _sequential(mx.gluon.nn, prefix="m_"), (Array((2, 5)),), traced=_NOT_HYBRID),
    Case("hybrid-sequential", lambda mx: _hybrid_sequential(mx.gluon.nn), (Array((2, 5)),), is_random=True),
    Case("hybrid-sequential-unscoped", lambda mx: _unscoped(mx.gluon.nn), (Array((2, 5)),)),
    Case("hybrid-sequential-nested", lambda mx: _nested(mx.gluon.nn), (Array((2, 5)),)),
    Case("hybrid-sequential-slice", lambda mx: _slice(mx.gluon.nn), (Array((2, 5)),)),
)
