"""Autograd cases: see tests/cases.py."""

import threading

import numpy as np
from cases import Cases

CASES = Cases()


def variable(mx, values=(1.0, 2.0, 3.0), grad_req="write", dtype="float32"):
    x = mx.nd.array(values, dtype=dtype)
    x.attach_grad(grad_req)
    return x


@CASES
def square(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    y.backward()
    return [y, x.grad]


@CASES
def scalar_loss(mx):
    x = variable(mx)
    with mx.autograd.record():
        loss = (x * 2 + x**3).sum()
    loss.backward()
    return [loss, x.grad]


@CASES
def head_gradient(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    y.backward(mx.nd.array([1, 10, 100]))
    return x.grad


@CASES
def gradient_before_backward(mx):
    return variable(mx).grad


@CASES
def gradient_of_plain_array(mx):
    return mx.nd.ones((2,)).grad


@CASES
def write_replaces(mx):
    x = variable(mx)
    for factor in (2, 5):
        with mx.autograd.record():
            y = x * factor
        y.backward()
    return x.grad


@CASES
def add_accumulates(mx):
    x = variable(mx, grad_req="add")
    for factor in (2, 5):
        with mx.autograd.record():
            y = x * factor
        y.backward()
    return x.grad


@CASES
def add_after_reset(mx):
    x = variable(mx, grad_req="add")
    for factor in (2, 5):
        with mx.autograd.record():
            y = x * factor
        y.backward()
        x.grad[:] = 0
    return x.grad


@CASES
def null_gets_none(mx):
    x = variable(mx, grad_req="null")
    w = variable(mx)
    with mx.autograd.record():
        y = x * w
    y.backward()
    return [x.grad, w.grad]


@CASES
def only_null(mx):
    x = variable(mx, grad_req="null")
    with mx.autograd.record():
        y = x * 2
    y.backward()
    return x.grad


@CASES(differs="MXNet's error is a KeyError without words")
def unknown_grad_req(mx):
    return variable(mx, grad_req="nonsense")


@CASES
def gradient_keeps_identity(mx):
    x = variable(mx)
    grad = x.grad
    with mx.autograd.record():
        y = x * 2
    y.backward()
    return [grad, x.grad]


@CASES
def used_twice(mx):
    x = variable(mx)
    with mx.autograd.record():
        a = x * 2
        b = x * 3
        y = a * b
    y.backward()
    return x.grad


@CASES
def two_heads(mx):
    x = variable(mx)
    with mx.autograd.record():
        a = x * 2
        b = x * x
    mx.autograd.backward([a, b])
    return x.grad


@CASES
def two_heads_with_gradients(mx):
    x = variable(mx)
    with mx.autograd.record():
        a = x * 2
        b = x * x
    mx.autograd.backward([a, b], [mx.nd.array([1, 1, 1]), mx.nd.array([2, 2, 2])])
    return x.grad


@CASES
def two_heads_one_gradient_left_out(mx):
    x = variable(mx)
    with mx.autograd.record():
        a = x * 2
        b = x * x
    mx.autograd.backward([a, b], [None, mx.nd.array([2, 2, 2])])
    return x.grad


@CASES
def head_gradients_of_other_length(mx):
    x = variable(mx)
    with mx.autograd.record():
        a = x * 2
    mx.autograd.backward([a], [None, mx.nd.array([2, 2, 2])])


@CASES
def second_backward(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    y.backward()
    y.backward()


@CASES
def second_backward_of_retained_graph(mx):
    x = variable(mx, grad_req="add")
    with mx.autograd.record():
        y = x * x
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


@CASES
def backward_outside_a_graph(mx):
    x = variable(mx)
    y = x * x
    y.backward()


@CASES
def backward_of_plain_array(mx):
    mx.nd.ones((2,)).backward()


@CASES
def nothing_is_tracked_outside(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
    z = y * 3
    z.backward()


@CASES
def pause_inside_record(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
        with mx.autograd.pause():
            z = y * 5
        w = y + z
    w.backward()
    return [w, x.grad]


@CASES
def modes(mx):
    found = []

    def note():
        found.append((mx.autograd.is_recording(), mx.autograd.is_training()))

    note()
    with mx.autograd.record():
        note()
        with mx.autograd.pause():
            note()
            with mx.autograd.train_mode():
                note()
            note()
        with mx.autograd.predict_mode():
            note()
            with mx.autograd.record(train_mode=False):
                note()
            with mx.autograd.record():
                note()
        note()
    with mx.autograd.record(train_mode=False):
        note()
    with mx.autograd.pause(train_mode=True):
        note()
    with mx.autograd.train_mode():
        note()
        with mx.autograd.predict_mode():
            note()
    note()
    return found


@CASES
def modes_after_error(mx):
    try:
        with mx.autograd.record():
            raise KeyError("x")
    except KeyError:
        pass
    return [mx.autograd.is_recording(), mx.autograd.is_training()]


@CASES
def set_modes(mx):
    found = [mx.autograd.set_recording(True), mx.autograd.set_training(True), mx.autograd.is_recording()]
    found += [mx.autograd.set_recording(False), mx.autograd.set_training(False), mx.autograd.is_training()]
    return [bool(f) for f in found]


@CASES
def modes_are_of_a_thread(mx):
    found = []
    with mx.autograd.record():
        thread = threading.Thread(target=lambda: found.append((mx.autograd.is_recording(), mx.autograd.is_training())))
        thread.start()
        thread.join()
    return found


@CASES
def decorator(mx):
    @mx.autograd.train_mode()
    def inside():
        return mx.autograd.is_training()

    return [inside(), mx.autograd.is_training()]


@CASES
def scope_used_twice(mx):
    scope = mx.autograd.record()
    found = []
    for _ in range(2):
        with scope:
            found.append(mx.autograd.is_recording())
        found.append(mx.autograd.is_recording())
    return found


@CASES
def grad_function(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    found = mx.autograd.grad(y, x)
    return [found, x.grad]


@CASES
def grad_of_list(mx):
    x, w = variable(mx), variable(mx)
    with mx.autograd.record():
        y = x * w * w
    return mx.autograd.grad(y, [x, w])


@CASES
def grad_with_heads(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    return mx.autograd.grad([y], [x], head_grads=[mx.nd.array([1, 2, 3])])


@CASES
def second_order(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.log(x)
        first = mx.autograd.grad(y, x, create_graph=True, retain_graph=True)
    first[0].backward()
    return [first, x.grad]


@CASES
def second_order_in_loss(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.sin(x)
        first = mx.autograd.grad(y, [x], create_graph=True)[0]
        loss = (first * first).sum()
    loss.backward()
    return x.grad


@CASES
def grad_of_unused_variable(mx):
    x, w = variable(mx), variable(mx)
    with mx.autograd.record():
        y = x * x
    return mx.autograd.grad(y, w)


@CASES
def grad_of_no_variable(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    return mx.autograd.grad(y, mx.nd.ones((3,)))


@CASES
def mark_variables(mx):
    x, g = mx.nd.array([1.0, 2.0]), mx.nd.zeros((2,))
    mx.autograd.mark_variables(x, g)
    with mx.autograd.record():
        y = x * x
    y.backward()
    return [g, x.grad]


@CASES
def mark_variables_with_requests(mx):
    x, w = mx.nd.array([1.0, 2.0]), mx.nd.array([3.0, 4.0])
    g, h = mx.nd.ones((2,)), mx.nd.ones((2,))
    mx.autograd.mark_variables([x, w], [g, h], ["add", "write"])
    with mx.autograd.record():
        y = x * w
    y.backward()
    return [g, h]


@CASES
def in_place_on_variable_outside(mx):
    x = variable(mx)
    x[:] = 5
    x += 1
    with mx.autograd.record():
        y = x * x
    y.backward()
    return [x, x.grad]


@CASES
def in_place_on_variable_inside(mx):
    x = variable(mx)
    with mx.autograd.record():
        x += 1


@CASES
def assignment_on_variable_inside(mx):
    x = variable(mx)
    with mx.autograd.record():
        x[:] = 1


@CASES
def in_place_on_result_inside(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
        y += 1


@CASES
def assignment_on_result_inside(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
        y[0] = 1


@CASES
def in_place_adds_tracked_array(mx):
    x = variable(mx)
    total = mx.nd.zeros((3,))
    with mx.autograd.record():
        total += x * x
    total.backward()
    return [total, x.grad]


@CASES
def in_place_on_plain_array_inside(mx):
    x = variable(mx)
    count = mx.nd.zeros((1,))
    with mx.autograd.record():
        y = x * 2
        count += 1
        count[:] = count * 3
    y.backward()
    return [count, x.grad]


@CASES
def assignment_of_tracked_array(mx):
    x = variable(mx)
    buffer = mx.nd.zeros((3,))
    with mx.autograd.record():
        buffer[:] = x * x
        buffer * 1
    return buffer


@CASES
def out_of_tracked_array(mx):
    x = variable(mx)
    out = mx.nd.zeros((3,))
    with mx.autograd.record():
        mx.nd.square(x, out=out)
        y = out * 2
    y.backward()
    return [out, x.grad]


@CASES
def in_place_on_result_outside(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
    y += 1
    y[0] = 0
    return [y, x]


@CASES
def detach(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
        z = y.detach() * x
    z.backward()
    return x.grad


@CASES
def block_grad(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.BlockGrad(x * x) * x
    y.backward()
    return x.grad


@CASES
def block_grad_of_everything(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.BlockGrad(x * x)
    y.backward()
    return x.grad


@CASES
def through_indexing(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x[0] * 2 + x[1:3].sum() * 3
    y.backward()
    return x.grad


@CASES
def through_index_arrays(mx):
    x = mx.nd.array(np.arange(12.0).reshape(3, 4))
    x.attach_grad()
    with mx.autograd.record():
        y = x[[0, 2], [1, 1]] * 2 + x[:, 1].sum() + x[..., ::-2].sum()
    y.backward()
    return x.grad


@CASES
def through_reshape(mx):
    x = variable(mx, np.arange(6.0))
    with mx.autograd.record():
        y = x.reshape((2, 3)).transpose().reshape(-1) * mx.nd.arange(6)
    y.backward()
    return x.grad


@CASES
def through_astype(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x.astype("float64") * 2
    y.backward()
    return x.grad


@CASES
def through_copies(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x.copy() * 2 + x.as_in_context(mx.cpu(1)).as_in_context(mx.cpu(0))
    y.backward()
    return x.grad


@CASES
def through_copyto(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x.copyto(mx.cpu(1)) * 2
    y.backward()
    return [x.grad, y.context]


@CASES
def float64_variable(mx):
    x = variable(mx, dtype="float64")
    with mx.autograd.record():
        y = x * x
    y.backward()
    return x.grad


@CASES
def float16_variable(mx):
    x = variable(mx, dtype="float16")
    with mx.autograd.record():
        y = x * x
    y.backward()
    return x.grad


@CASES(differs="MXNet gives integers a gradient of integers")
def int_variable(mx):
    x = variable(mx, dtype="int32")
    with mx.autograd.record():
        y = x * x
    y.backward()
    return x.grad


@CASES
def attach_again_forgets_the_graph(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
        y.attach_grad()
        z = y * 3
    z.backward()
    return [x.grad, y.grad]


@CASES
def attach_zeroes_the_gradient(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    y.backward()
    x.attach_grad()
    return x.grad


@CASES
def intermediate_has_no_gradient(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
        z = y * 2
    z.backward()
    return y.grad


@CASES
def variables_of_a_context(mx):
    x = mx.nd.array([1.0, 2.0], ctx=mx.cpu(1))
    x.attach_grad()
    with mx.autograd.record():
        y = x * x
    y.backward()
    return [y, x.grad]


@CASES
def gradients_share_no_memory(mx):
    x, w = variable(mx), variable(mx)
    with mx.autograd.record():
        y = x + w
    y.backward()
    x.grad[:] = 7
    return [x.grad, w.grad]


@CASES
def head_gradient_is_not_kept(mx):
    x = variable(mx)
    head = mx.nd.array([1.0, 2.0, 3.0])
    with mx.autograd.record():
        y = x + 0
    y.backward(head)
    x.grad[:] = 9
    return head


@CASES
def dropout_follows_the_mode(mx):
    x = mx.nd.ones((100,))
    found = [float(mx.nd.Dropout(x, p=0.5).sum().asscalar()) == 100]
    with mx.autograd.record():
        found.append(float(mx.nd.Dropout(x, p=0.5).min().asscalar()) == 0)
    with mx.autograd.record(train_mode=False):
        found.append(float(mx.nd.Dropout(x, p=0.5).sum().asscalar()) == 100)
    with mx.autograd.train_mode():
        found.append(float(mx.nd.Dropout(x, p=0.5).min().asscalar()) == 0)
    return found


@CASES
def batch_norm_training_step(mx):
    x = mx.nd.array(np.arange(12.0).reshape(3, 4))
    gamma, beta, mean, var = mx.nd.ones((4,)), mx.nd.zeros((4,)), mx.nd.zeros((4,)), mx.nd.ones((4,))
    beta.attach_grad()
    with mx.autograd.record():
        y = mx.nd.BatchNorm(x, gamma, beta, mean, var, fix_gamma=False)
    y.backward()
    mx.nd.waitall()
    return [mean, var, beta.grad]


@CASES
def softmax_output_loss(mx):
    x = mx.nd.array([[1.0, 2.0, 3.0], [1.0, 2.0, 1.0]])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.SoftmaxOutput(x, mx.nd.array([0, 2]))
    y.backward()
    return [y, x.grad]


def _square_step(mx, x):
    with mx.autograd.record():
        y = x * x
    y.backward()


@CASES
def gradient_keeps_its_memory(mx):
    x = variable(mx)
    grad = x.grad
    views = [grad[0:2], grad.reshape((3, 1)), grad.detach()]
    _square_step(mx, x)
    first = [v.copy() for v in views]
    x[:] = 5
    _square_step(mx, x)
    return first + views + [grad]


@CASES
def gradient_in_memory_of_ones_own(mx):
    x, whole = mx.nd.array([1.0, 2.0, 3.0]), mx.nd.zeros((5,))
    mx.autograd.mark_variables([x], [whole[1:4]])
    _square_step(mx, x)
    return [whole, x.grad]


@CASES
def gradient_through_dlpack(mx):
    x = variable(mx)
    seen = mx.nd.from_dlpack(x.grad.to_dlpack_for_read())
    _square_step(mx, x)
    return seen


@CASES
def gradient_of_parameter_keeps_its_memory(mx):
    p = mx.gluon.Parameter("w", shape=(3,))
    p.initialize("ones")
    part = p.list_grad()[0][1:]
    with mx.autograd.record():
        y = p.data() * 4
    y.backward()
    return [part, p.grad()]


@CASES
def one_gradient_array_of_two_variables(mx):
    x, w, g = mx.nd.array([1.0, 2.0]), mx.nd.array([3.0, 3.0]), mx.nd.zeros((2,))
    mx.autograd.mark_variables([x, w], [g, g])
    with mx.autograd.record():
        y = x * w
    y.backward()
    return g


@CASES
def second_backward_through_what_saves_nothing(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x + 1
    y.backward()
    y.backward()


@CASES
def backward_after_grad(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x + 1
    mx.autograd.grad(y, x)
    y.backward()


@CASES
def backward_after_grad_with_graph(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x + 1
    mx.autograd.grad(y, x, create_graph=True)
    y.backward()
    return x.grad


@CASES
def backward_after_grad_with_freed_graph(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x + 1
    mx.autograd.grad(y, x, create_graph=True, retain_graph=False)
    y.backward()


@CASES
def head_of_a_backward_is_a_constant_afterwards(mx):
    x, w = variable(mx), variable(mx)
    with mx.autograd.record():
        y = x + 1
        y.backward()
        z = y * w
    z.backward()
    return [x.grad, w.grad]


@CASES
def backward_of_variable_twice(mx):
    x = variable(mx)
    x.backward()
    x.backward()
    return x.grad


@CASES
def grad_of_intermediate(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
        z = y * 2
    mx.autograd.grad(z, y)


@CASES
def grad_of_nothing(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    mx.autograd.grad(y, [])


@CASES
def grad_of_null_variable(mx):
    x = variable(mx, grad_req="null")
    with mx.autograd.record():
        y = x * x
    mx.autograd.grad(y, x)


@CASES
def grad_of_tuples(mx):
    x, w = variable(mx), variable(mx)
    with mx.autograd.record():
        y = x * x
        z = y * w
    first = mx.autograd.grad((y, z), (x, w), retain_graph=True, train_mode=False)
    return first + mx.autograd.grad((y, z), (x, w), [mx.nd.ones((3,)) * 2, None])


@CASES
def backward_of_no_heads(mx):
    mx.autograd.backward([])


@CASES
def head_gradient_of_another_shape(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * x
    y.backward(mx.nd.array([[1.0, 2.0, 3.0]]))
    return x.grad


@CASES
def modes_set_inside_scopes(mx):
    found = []
    with mx.autograd.record():
        mx.autograd.set_recording(False)
        found.append(mx.autograd.is_recording())
        with mx.autograd.pause(train_mode=True):
            found.append((mx.autograd.is_recording(), mx.autograd.is_training()))
        mx.autograd.set_training(False)
        with mx.autograd.record():
            found.append((mx.autograd.is_recording(), mx.autograd.is_training()))
        found.append((mx.autograd.is_recording(), mx.autograd.is_training()))
    found.append((mx.autograd.is_recording(), mx.autograd.is_training()))
    return found


@CASES
def set_recording_records(mx):
    x = variable(mx)
    mx.autograd.set_recording(True)
    y = x * x
    mx.autograd.set_recording(False)
    y.backward()
    return x.grad


def _noting(mx, found):
    class Noting(mx.autograd.Function):
        def forward(self, x):
            found.append((mx.autograd.is_recording(), mx.autograd.is_training()))
            return x * 1

        def backward(self, dy):
            found.append((mx.autograd.is_recording(), mx.autograd.is_training()))
            return dy

    return Noting()


@CASES
def modes_inside_a_function(mx):
    found = []
    for train_mode in (True, False):
        x = variable(mx)
        with mx.autograd.record():
            y = _noting(mx, found)(x)
        y.backward(train_mode=train_mode)
        mx.nd.waitall()
    return found


@CASES
def second_order_of_a_function(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = _noting(mx, [])(x)
        first = mx.autograd.grad(y, x, create_graph=True)[0]
        z = first * x
    z.backward()


def _second(mx, fn, values):
    x = variable(mx, values)
    with mx.autograd.record():
        first = mx.autograd.grad(fn(x), x, head_grads=mx.nd.array([2.0, 3.0, 1.0]), create_graph=True)[0]
        loss = first * first
    loss.backward()
    return [first, x.grad]


@CASES
def second_order_of_arcsinh(mx):
    return _second(mx, mx.nd.arcsinh, (-2.0, 0.5, 3.0))


@CASES
def second_order_of_arccosh(mx):
    return _second(mx, mx.nd.arccosh, (1.5, 2.0, 3.0))


@CASES
def second_order_of_softmax_output(mx):
    x = mx.nd.array([[1.0, 2.0, 3.0]])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.SoftmaxOutput(x, mx.nd.array([1]))
        first = mx.autograd.grad(y, x, create_graph=True)[0]
    first.backward()


@CASES
def second_order_of_regression_output(mx):
    x = mx.nd.array([[1.0, 2.0, 3.0]])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.LogisticRegressionOutput(x, mx.nd.array([[1, 0, 1]]))
        first = mx.autograd.grad(y, x, create_graph=True)[0]
    first.backward()


def _kinds(symbol):
    import json

    nodes = json.loads(symbol.tojson())["nodes"]
    return [(n["op"], sorted(n.get("attrs", {}).items()), [i[:2] for i in n["inputs"]]) for n in nodes]


@CASES
def symbol_of_arithmetic(mx):
    x, z = variable(mx), variable(mx)
    with mx.autograd.record():
        y = x * x + 2 * z - 1
        y = 3 / (1 - y)
    return _kinds(mx.autograd.get_symbol(y))


@CASES
def symbol_of_operators(mx):
    x, w, c = variable(mx), mx.nd.ones((2, 3)), mx.nd.array([1.0, 2.0])
    w.attach_grad()
    with mx.autograd.record():
        y = mx.nd.FullyConnected(x.expand_dims(axis=0), w, no_bias=True, num_hidden=2)
        z = mx.nd.relu(y) * c.sum() + c.mean() + mx.nd.dot(c, c) * mx.nd.broadcast_maximum(y, c)
        parts = mx.nd.concat(*mx.nd.split(z, num_outputs=2, axis=1), dim=0)
    return _kinds(mx.autograd.get_symbol(parts))


@CASES
def symbol_with_states(mx):
    gamma = mx.nd.ones((3,))
    gamma.attach_grad()
    zeros, ones = mx.nd.zeros((3,)), mx.nd.ones((3,))
    with mx.autograd.record():
        y = mx.nd.BatchNorm(mx.nd.ones((2, 3)), gamma, zeros, zeros.copy(), ones)
    found = mx.autograd.get_symbol(y)
    return [len(found.list_arguments()), len(found.list_auxiliary_states()), len(found.list_outputs())]


@CASES
def symbol_of_an_array_filled(mx):
    x = variable(mx)
    out = mx.nd.zeros((3,))
    with mx.autograd.record():
        y = x.detach() * x
        mx.nd.square(y, out=out)
        z = out * 2
    return _kinds(mx.autograd.get_symbol(z))


@CASES
def symbol_of_a_variable(mx):
    return _kinds(mx.autograd.get_symbol(variable(mx)))


@CASES
def symbol_after_backward(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
    y.backward()
    mx.autograd.get_symbol(y)


@CASES
def symbol_of_an_array_outside(mx):
    mx.autograd.get_symbol(mx.nd.ones((2,)))


BLOCKED = {
    "BlockGrad": lambda nd, x: nd.BlockGrad(x),
    "BlockGrad of a product": lambda nd, x: nd.BlockGrad(x * 2),
    "BlockGrad beside x": lambda nd, x: nd.BlockGrad(x) * x,
    "BlockGrad of BlockGrad": lambda nd, x: nd.BlockGrad(nd.BlockGrad(x * 2) * 3),
    "what follows BlockGrad": lambda nd, x: nd.BlockGrad(x * 2).sum() + 1,
    "argmax": lambda nd, x: nd.argmax(x, axis=0) * 2,
    "argsort": lambda nd, x: nd.argsort(x),
    "topk": lambda nd, x: nd.topk(x, k=2),
    "one_hot": lambda nd, x: nd.one_hot(x, 4),
    "zeros_like": lambda nd, x: nd.zeros_like(x),
    "ones_like": lambda nd, x: nd.ones_like(x),
    "comparison with a number": lambda nd, x: x > 1,
    "comparison with an array": lambda nd, x: x == x,
    "comparison as an operator": lambda nd, x: nd.broadcast_lesser(x, x * 2),
    "logical_not": lambda nd, x: nd.logical_not(x),
    "condition of where": lambda nd, x: nd.where(x, nd.ones(3), nd.zeros(3)),
    "round": lambda nd, x: nd.round(x),
    "detach": lambda nd, x: x.detach() * 2,
    "a constant": lambda nd, x: nd.ones(3) * 2,
}
"""Graphs that no gradient goes through, or not on every way."""


def _blocked(name, grad_req="write"):
    def case(mx):
        x = variable(mx, grad_req=grad_req)
        if x.grad is not None:
            x.grad[:] = 5
        with mx.autograd.record():
            y = BLOCKED[name](mx.nd, x)
        y.backward()
        return [x.grad, int(x._fresh_grad)]

    return case


for _name in BLOCKED:
    CASES.add("blocked: " + _name, _blocked(_name))
for _req in ("add", "null"):
    CASES.add("blocked, grad_req=" + _req, _blocked("what follows BlockGrad", _req))


@CASES
def blocked_beside_another_variable(mx):
    x, z, unused = (variable(mx) for _ in range(3))
    for array in (x, z, unused):
        array.grad[:] = 5
    with mx.autograd.record():
        y = mx.nd.BlockGrad(x * 2) * z
        unused * 2
    y.backward()
    return [x.grad, z.grad, unused.grad]


@CASES
def blocked_head_beside_another(mx):
    x, z = variable(mx), variable(mx)
    x.grad[:] = 5
    with mx.autograd.record():
        y, w = mx.nd.BlockGrad(x), z * 2
    mx.autograd.backward([y, w])
    return [x.grad, z.grad]


@CASES
def blocked_twice_with_retain_graph(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.BlockGrad(x * 2)
    y.backward(retain_graph=True)
    x.grad[:] = 5
    y.backward()
    return x.grad


@CASES
def blocked_backward_after_backward(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.BlockGrad(x * 2)
    y.backward()
    y.backward()


@CASES
def blocked_grad(mx):
    x, z = variable(mx), variable(mx)
    x.grad[:] = 5
    with mx.autograd.record():
        y = mx.nd.BlockGrad(x * 2) * z
    return mx.autograd.grad([y], [x, z]) + [x.grad]


@CASES
def blocked_function(mx):
    class Double(mx.autograd.Function):
        def forward(self, x):
            return x * 2

        def backward(self, dy):
            return dy * 3

    x = variable(mx)
    x.grad[:] = 5
    with mx.autograd.record():
        y = mx.nd.BlockGrad(Double()(x))
    y.backward()
    return x.grad


def _blocked_parameter(hybridize):
    def case(mx):
        class Net(mx.gluon.HybridBlock):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                with self.name_scope():
                    self.w = self.params.get("w", shape=(3,), init="ones")
                    self.v = self.params.get("v", shape=(3,), init="ones")

            def hybrid_forward(self, F, x, w, v):
                return x * w + F.BlockGrad(v * 2)

        net = Net()
        net.initialize()
        net.hybridize(hybridize)
        net.v.grad()[:] = 5
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5})
        with mx.autograd.record():
            y = net(mx.nd.array([1.0, 2.0, 3.0]))
        y.backward()
        trainer.step(1)
        return [y, net.w.grad(), net.v.grad(), net.w.data(), net.v.data()]

    return case


for _hybridize in (False, True):
    CASES.add("blocked parameter, hybridize=" + str(_hybridize), _blocked_parameter(_hybridize))


def _repeated(heads, grad_req="write", gradients=None):
    def case(mx):
        x = variable(mx, grad_req=grad_req)
        with mx.autograd.record():
            y = x * 2
            made = {"y": y, "z": y * 3, "r": y.reshape((3, 1))}
        given = None if gradients is None else [mx.nd.full((3,), g) for g in gradients]
        mx.autograd.backward([made[h] for h in heads], given)
        return x.grad

    return case


CASES.add("head given twice", _repeated("yy"))
CASES.add("head given three times, add", _repeated("yyy", "add"))
CASES.add("head given twice, gradients 1 and 10", _repeated("yy", gradients=(1, 10)))
CASES.add("head given twice, gradients 10 and 1", _repeated("yy", gradients=(10, 1)))
CASES.add("heads of one graph", _repeated("yzr"))


@CASES
def grad_of_a_head_given_twice(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = x * 2
    return mx.autograd.grad([y, y], [x])


@CASES
def outputs_as_heads_some_twice(mx):
    x = variable(mx)
    with mx.autograd.record():
        y = mx.nd.split(x, 3, axis=0)
    mx.autograd.backward([y[0], y[0], y[1]])
    return x.grad
