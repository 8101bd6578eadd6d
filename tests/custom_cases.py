"""Cases of operators and gradients written in Python: see tests/cases.py."""

import numpy as np
from cases import Cases

CASES = Cases()

VALUES = [[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]


FUNCTIONS = {}
"""The gradient function of each package whose operators are registered: MXNet crashes when one is registered again."""


def registered(mx):
    """Register the operators of the cases with a package."""
    if mx.__name__ not in FUNCTIONS:
        FUNCTIONS[mx.__name__] = register(mx)
    return FUNCTIONS[mx.__name__]


def register(mx):
    CustomOp, CustomOpProp = mx.operator.CustomOp, mx.operator.CustomOpProp

    class Power(CustomOp):
        """data ** exponent + shift, and its integer part; counts its calls in `count`."""

        def __init__(self, exponent):
            super().__init__()
            self.exponent = exponent

        def forward(self, is_train, req, in_data, out_data, aux):
            aux[0][:] = aux[0] + (2 if is_train else 1)
            x = in_data[0] ** self.exponent + in_data[1]
            self.assign(out_data[0], req[0], x)
            self.assign(out_data[1], req[1], mx.nd.floor(x))

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            slope = self.exponent * in_data[0] ** (self.exponent - 1)
            self.assign(in_grad[0], req[0], out_grad[0] * slope)
            self.assign(in_grad[1], req[1], mx.nd.sum(out_grad[0] + out_data[1] * aux[0]))

    @mx.operator.register("cases_power")
    class PowerProp(CustomOpProp):
        def __init__(self, exponent="2"):
            super().__init__(need_top_grad=True)
            self.exponent = float(exponent)

        def list_arguments(self):
            return ["data", "shift"]

        def list_outputs(self):
            return ["whole", "integral"]

        def list_auxiliary_states(self):
            return ["count"]

        def infer_shape(self, in_shape):
            return [in_shape[0], [1]], [in_shape[0], in_shape[0]], [[1]]

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Power(self.exponent)

    class Loss(CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            self.assign(out_data[0], req[0], mx.nd.softmax(in_data[0]))

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            self.assign(in_grad[0], req[0], out_data[0] - mx.nd.one_hot(in_data[1], out_data[0].shape[1]))

    @mx.operator.register("cases_loss")
    class LossProp(CustomOpProp):
        def __init__(self):
            super().__init__(need_top_grad=False)

        def list_arguments(self):
            return ["data", "label"]

        def infer_shape(self, in_shape):
            return [in_shape[0], [in_shape[0][0]]], [in_shape[0]], []

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Loss()

    class Source(CustomOp):
        def __init__(self, length):
            super().__init__()
            self.length = length

        def forward(self, is_train, req, in_data, out_data, aux):
            self.assign(out_data[0], req[0], np.arange(self.length))

    @mx.operator.register("cases_source")
    class SourceProp(CustomOpProp):
        def __init__(self, length):
            super().__init__()
            self.length = int(length)

        def list_arguments(self):
            return []

        def infer_shape(self, in_shape):
            return [], [[self.length]], []

        def infer_type(self, in_type):
            return [], [np.float32], []

        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Source(self.length)

    class Mean(mx.autograd.Function):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x, y):
            self.save_for_backward(x, y)
            return (x + y) / 2, x * y

        def backward(self, d_mean, d_product):
            x, y = self.saved_tensors
            return self.factor * d_mean + d_product * y, self.factor * d_mean + d_product * x

    return Mean


def arrays(mx):
    data, shift, count = mx.nd.array(VALUES), mx.nd.array([0.25]), mx.nd.zeros((1,))
    data.attach_grad()
    shift.attach_grad()
    return data, shift, count


@CASES
def called(mx):
    registered(mx)
    data, shift, count = arrays(mx)
    return [mx.nd.Custom(data, shift, count, op_type="cases_power", exponent=3), count]


@CASES(differs="MXNet crashes on inputs by name outside of symbols")
def called_by_name(mx):
    registered(mx)
    data, shift, count = arrays(mx)
    return [mx.nd.Custom(data=data, shift=shift, count=count, op_type="cases_power"), count]


@CASES
def differentiated(mx):
    registered(mx)
    data, shift, count = arrays(mx)
    with mx.autograd.record():
        whole, integral = mx.nd.Custom(data * 2, shift, count, op_type="cases_power", exponent="3", name="p")
        total = (whole * whole).sum()
    total.backward()
    return [whole, integral, data.grad, shift.grad, count]


@CASES
def a_loss(mx):
    registered(mx)
    data = mx.nd.array(VALUES)
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.Custom(data, mx.nd.array([0, 2]), op_type="cases_loss")
    out.backward()
    return [out, data.grad]


@CASES
def without_inputs(mx):
    registered(mx)
    return mx.nd.Custom(op_type="cases_source", length=4)


@CASES
def as_symbol(mx):
    registered(mx)
    net = mx.sym.Custom(mx.sym.var("x"), op_type="cases_power", exponent=3, name="p")
    return [
        net.list_arguments(),
        net.list_auxiliary_states(),
        net.list_outputs(),
        [[tuple(s) for s in part] for part in net.infer_shape(x=(2, 3))],
        net.infer_type(x="float64", p_shift="float64"),
        net.attr("exponent"),
    ]


@CASES
def as_symbol_bound(mx):
    registered(mx)
    net = mx.sym.Custom(data=mx.sym.var("x"), op_type="cases_power", exponent=3, name="p")
    net = net[0] * 2
    net = net.simple_bind(mx.cpu(), x=(2, 3))
    net.forward(is_train=True, x=mx.nd.array(VALUES), p_shift=mx.nd.array([0.5]))
    net.backward(mx.nd.array(VALUES))
    return [net.outputs, net.grad_dict, net.aux_dict]


@CASES
def as_symbol_of_a_loss(mx):
    registered(mx)
    net = mx.sym.Custom(mx.sym.var("x"), op_type="cases_loss", name="p").simple_bind(mx.cpu(), x=(2, 3))
    net.forward(is_train=True, x=mx.nd.array(VALUES), p_label=mx.nd.array([1, 1]))
    net.backward()
    return [net.outputs, net.grad_dict]


@CASES
def as_text(mx):
    registered(mx)
    net = mx.sym.Custom(mx.sym.var("x"), op_type="cases_power", exponent=3, name="p")
    loaded = mx.sym.load_json(net.tojson())
    return [loaded.list_inputs(), loaded.attr("op_type"), [tuple(s) for s in loaded.infer_shape(x=(2, 3))[1]]]


CASES.add("unknown op_type", lambda mx: mx.nd.Custom(mx.nd.ones((2,)), op_type="cases_nothing"))
CASES.add("no op_type", lambda mx: mx.nd.Custom(mx.nd.ones((2,))))


@CASES
def too_few_inputs(mx):
    registered(mx)
    return mx.nd.Custom(mx.nd.ones((2,)), op_type="cases_loss")


@CASES
def forward_that_fails(mx):
    class Fails(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            raise KeyError("x")

    @mx.operator.register("cases_fails")
    class FailsProp(mx.operator.CustomOpProp):
        def create_operator(self, ctx, in_shapes, in_dtypes):
            return Fails()

    return mx.nd.Custom(mx.nd.ones((2,)), op_type="cases_fails").asnumpy()


@CASES
def function(mx):
    Mean = registered(mx)
    x, y = mx.nd.array([1.0, 2.0]), mx.nd.array([3.0, -1.0])
    x.attach_grad()
    y.attach_grad()
    with mx.autograd.record():
        mean, product = Mean(10)(x * 2, y)
        total = mean * 3 + product
    total.backward()
    return [mean, product, x.grad, y.grad]


@CASES
def function_without_recording(mx):
    return registered(mx)(10)(mx.nd.ones((2,)), mx.nd.ones((2,)))


@CASES
def function_of_what_is_not_in_a_graph(mx):
    Mean = registered(mx)
    with mx.autograd.record():
        return Mean(1)(mx.nd.ones((2,)), mx.nd.ones((2,)))


@CASES
def function_called_twice(mx):
    mean = registered(mx)(10)
    mean(mx.nd.ones((2,)), mx.nd.ones((2,)))
    return mean(mx.nd.ones((2,)), mx.nd.ones((2,)))


STORAGES = {
    # what is given: what infer_storage_type tells, and infer_storage_type_backward
    "csr": ((["csr"], ["csr"], ["default"]), (["default"], ["csr"], ["csr"], ["csr"], ["default"])),
    "row_sparse": (
        (["row_sparse"], ["row_sparse"], ["default"]),
        (["default"], ["row_sparse"], ["row_sparse"], ["row_sparse"], ["default"]),
    ),
    "default": ((["default"], ["csr"], ["default"]), (["default"], ["default"], ["csr"], ["default"], ["default"])),
}


def _stored(stype, records):
    def case(mx):
        log = []

        class Double(mx.operator.CustomOp):
            def forward(self, is_train, req, in_data, out_data, aux):
                log.append([a.stype for a in (*in_data, *out_data, *aux)])
                self.assign(out_data[0], req[0], in_data[0] * 2)
                aux[0][:] = aux[0] + 1

            def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
                log.append([a.stype for a in (*out_grad, *in_data, *out_data, *in_grad, *aux)])
                self.assign(in_grad[0], req[0], mx.nd.sparse.elemwise_mul(in_data[0], out_grad[0]) * 3)

        @mx.operator.register("stored_%s_%s" % (stype, records))
        class DoubleProp(mx.operator.CustomOpProp):
            def list_auxiliary_states(self):
                return ["state"]

            def infer_shape(self, in_shape):
                return in_shape, [in_shape[0]], [in_shape[0]]

            def infer_storage_type(self, in_stype):
                log.append(list(in_stype))
                return STORAGES[stype][0]

            def infer_storage_type_backward(self, *stypes):
                log.append([list(s) for s in stypes])
                return STORAGES[stype][1]

            def create_operator(self, ctx, in_shapes, in_dtypes):
                return Double()

        x = mx.nd.array([[0, 1, 0], [0, 0, 0], [2, 0, 3]]).tostype(stype)
        state = mx.nd.zeros((3, 3))
        if records:
            x.attach_grad()
            with mx.autograd.record():
                y = mx.nd.Custom(x, state, op_type="stored_%s_%s" % (stype, records))
            y.backward()
        else:
            y = mx.nd.Custom(x, state, op_type="stored_%s_%s" % (stype, records))
        found = [x.grad.stype, x.grad.asnumpy().tolist()] if records else []
        y.wait_to_read()
        return [y.stype, y.asnumpy().tolist(), state.asnumpy().tolist(), sorted(map(str, log)), found]

    return case


for _stype in STORAGES:
    for _records in (False, True):
        CASES.add("stored: %s, recorded=%s" % (_stype, _records), _stored(_stype, _records))
