"""Cases of operators that update arrays in place, row_sparse gradients among them: see tests/cases.py."""

from cases import Cases

CASES = Cases()

STORAGES = ("default", "row_sparse")


def gradient(mx):
    values = mx.nd.array([[1.0, 2.0], [3.0, 4.0]], dtype="float32")
    return mx.nd.sparse.row_sparse_array((values, mx.nd.array([0, 2], dtype="int64")), shape=(3, 2))


def ones(mx, count, stype="default", shape=(3, 2)):
    return [mx.nd.ones(shape).tostype(stype) for _ in range(count)]


def dense(*arrays):
    return [a.tostype("default") for a in arrays]


@CASES
def lazy_sgd(mx):
    found = []
    for stype in STORAGES:
        (weight,) = ones(mx, 1, stype)
        mx.nd.sgd_update(weight, gradient(mx), lr=0.1, wd=0.5, out=weight)
        found += [*dense(weight), weight.stype]
    return found


@CASES
def lazy_sgd_mom(mx):
    found = []
    for stype in STORAGES:
        weight, mom = ones(mx, 2, stype)
        mx.nd.sgd_mom_update(weight, gradient(mx), mom, lr=0.1, wd=0.5, momentum=0.5, clip_gradient=2.5, out=weight)
        found += dense(weight, mom)
    return found


@CASES
def lazy_adam(mx):
    found = []
    for stype in STORAGES:
        weight, mean, var = ones(mx, 3, stype)
        mx.nd.adam_update(weight, gradient(mx), mean, var, lr=0.1, wd=0.5, out=weight)
        found += dense(weight, mean, var)
    return found


@CASES
def ftrl_updates_rows_of_row_sparse_weights(mx):
    found = []
    for stype in STORAGES:
        weight, z, n = ones(mx, 3, stype)
        mx.nd.ftrl_update(weight, gradient(mx), z, n, lr=0.1, wd=0.5, out=weight)
        found += dense(weight, z, n)
    return found


@CASES
def adagrad(mx):
    weight, history = ones(mx, 2)
    mx.nd.sparse.adagrad_update(weight, gradient(mx), history, lr=0.1, rescale_grad=0.5, out=weight)
    return dense(weight, history)


@CASES
def group_adagrad(mx):
    (weight,), (history,) = ones(mx, 1), ones(mx, 1, shape=(3, 1))
    mx.nd.contrib.group_adagrad_update(weight, gradient(mx), history, lr=0.1, out=weight)
    return dense(weight, history)


@CASES
def updates_that_are_not_lazy(mx):
    weight, mom = ones(mx, 2)
    mx.nd.sgd_mom_update(weight, gradient(mx), mom, lr=0.1, wd=0.5, momentum=0.5, lazy_update=False, out=weight)
    other, mean, var = ones(mx, 3)
    mx.nd.adam_update(other, gradient(mx), mean, var, lr=0.1, wd=0.5, lazy_update=False, out=other)
    return [weight, mom, other, mean, var]


@CASES
def nag_reads_the_weight_it_has_written(mx):
    weight, mom = ones(mx, 2)
    mx.nd.nag_mom_update(weight, mx.nd.ones((3, 2)) * 0.5, mom, lr=0.1, wd=0.5, momentum=0.5, out=weight)
    apart, other = ones(mx, 2)
    new = mx.nd.nag_mom_update(apart, mx.nd.ones((3, 2)) * 0.5, other, lr=0.1, wd=0.5, momentum=0.5)
    return [weight, mom, apart, other, new]


@CASES
def out_and_states_are_filled(mx):
    weight, mom = ones(mx, 2)
    out = mx.nd.zeros((3, 2))
    first = mx.nd.sgd_mom_update(weight, weight, mom, lr=0.1, momentum=0.5, out=out)
    return [weight, mom, out, first]


@CASES
def adamw(mx):
    weight, mean, var = ones(mx, 3)
    grad = mx.nd.ones((3, 2)) * 0.25
    mx.nd.contrib.adamw_update(weight, grad, mean, var, 0.5, lr=0.1, eta=0.5, wd=0.1, out=weight)
    return [weight, mean, var]


@CASES
def adamw_skips_an_overflow(mx):
    weight, mean, var = ones(mx, 3)
    for scale in (0.0, float("inf"), float("nan"), mx.nd.array([0.0])):
        mx.nd.contrib.adamw_update(weight, weight, mean, var, scale, lr=0.1, eta=1.0, out=weight)
    return [weight, mean, var]


@CASES
def mp_adamw(mx):
    weight32, mean, var = ones(mx, 3)
    weight = weight32.astype("float16")
    mx.nd.contrib.mp_adamw_update(weight, weight, mean, var, weight32, 0.5, lr=0.1, eta=0.5, out=weight)
    return [weight, mean, var, weight32]


def lists(mx, count, dtype="float32"):
    return [[mx.nd.ones(s).astype(dtype) * (i + 1) for s in ((3, 2), (4,))] for i in range(count)]


@CASES
def multi_adamw(mx):
    weights, grads, means, variances = lists(mx, 4)
    mx.nd.contrib.multi_adamw_update(
        weights, grads, means, variances, 0.5, out=weights, lrs=(0.1, 0.2), wds=(0.1, 0.0), etas=(0.5, 1.0)
    )
    return [*weights, *means, *variances]


@CASES
def multi_mp_adamw(mx):
    weights, grads = lists(mx, 2, "float16")
    copies, means, variances = lists(mx, 3)
    rates = {"lrs": (0.1, 0.2), "wds": (0.1, 0.0), "etas": (0.5, 1.0)}
    mx.nd.contrib.multi_mp_adamw_update(weights, grads, means, variances, copies, 0.5, out=weights, size=2, **rates)
    return [*weights, *means, *variances, *copies]


@CASES
def multi_lamb(mx):
    weights, grads, means, variances = lists(mx, 4)
    rates = {"lrs": (0.1, 0.2), "wds": (0.1, 0.0)}
    mx.nd.contrib.multi_lamb_update(weights, grads, means, variances, [1, 3], out=weights, **rates)
    return [*weights, *means, *variances]


@CASES
def multi_mp_lamb(mx):
    weights, grads = lists(mx, 2, "float16")
    copies, means, variances = lists(mx, 3)
    rates = {"lrs": (0.1, 0.2), "wds": (0.1, 0.0)}
    mx.nd.contrib.multi_mp_lamb_update(weights, grads, means, variances, copies, [1, 3], out=weights, **rates)
    return [*weights, *means, *variances, *copies]


@CASES
def all_finite_keeps_an_earlier_answer(mx):
    found = []
    for held in (0.0, 1.0):
        for data in (mx.nd.ones((2,)), mx.nd.array([1.0, float("inf")])):
            for name in ("all_finite", "multi_all_finite"):
                out = mx.nd.full((1,), held)
                getattr(mx.nd, name)(data, init_output=False, out=out)
                found.append(out)
    return found


@CASES
def states_of_symbols(mx):
    arrays = [mx.sym.var(f"x{i}") for i in range(4)]
    step = mx.sym._internal._multi_lamb_update(*arrays, learning_rates=(0.1,), wds=(0.1,), step_count=(1,), name="u")
    return [step.list_arguments(), step.list_auxiliary_states(), step.list_outputs()]


@CASES
def square_sum_of_rows(mx):
    found = mx.nd._internal._square_sum(gradient(mx), axis=1, keepdims=True)
    return [found.stype, *dense(found), mx.nd._internal._square_sum(gradient(mx), axis=0)]


@CASES
def wrong_calls(mx):
    mx.nd.sgd_update(mx.nd.ones((2,)), mx.nd.ones((3,)), lr=0.1)
