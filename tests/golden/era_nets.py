"""Networks that every MXNet from 0.9.5 on and gluonnx can build, for make_eras.py and the tests of its files.

Each function takes the module it builds with: `mxnet` of any version, or `gluonnx`.
"""

import numpy as np


def convolutional(mx):
    """A block with what differed between versions: batch normalization, PReLU, dropout, names given and counted."""
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Conv2D(4, kernel_size=3, padding=1, in_channels=2, use_bias=False))
        net.add(nn.BatchNorm(in_channels=4))
        net.add(nn.Activation("relu"))
        net.add(nn.MaxPool2D(pool_size=2, strides=2))
        net.add(nn.Conv2D(3, kernel_size=(3, 2), strides=2, padding=(1, 0), in_channels=4))
        net.add(nn.BatchNorm(in_channels=3, momentum=0.8, epsilon=1e-3, center=False))
        net.add(nn.LeakyReLU(0.1))
        net.add(nn.Dropout(0.5))
        net.add(nn.Flatten())
        net.add(nn.Dense(5, activation="tanh", in_units=6))
        net.add(nn.Dense(4, in_units=5, use_bias=False))
    return net


def shared(mx):
    """Two layers with one weight, beside one of their own."""
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="tied_")
    with net.name_scope():
        first = nn.Dense(3, in_units=3)
        net.add(first)
        net.add(nn.Dense(3, in_units=3, params=first.collect_params()))
        net.add(nn.Dense(2, in_units=3))
    return net


def recurrent(mx):
    """A layer of two LSTMs both ways; the layer takes and gives (T, N, C)."""
    net = mx.gluon.rnn.LSTM(3, num_layers=2, bidirectional=True, input_size=2, prefix="lstm_")
    return net


def embedded(mx):
    """Integers to a GRU cell of two steps."""
    nn = mx.gluon.nn
    net = nn.HybridSequential(prefix="words_")
    with net.name_scope():
        net.add(nn.Embedding(7, 3))
        net.add(nn.Dense(2, in_units=6))
    return net


INPUTS = {
    "convolutional": (2, 2, 8, 6),
    "shared": (2, 3),
    "recurrent": (3, 2, 2),
    "embedded": (2, 2),
}
BLOCKS = {"convolutional": convolutional, "shared": shared, "recurrent": recurrent, "embedded": embedded}


def block_input(name):
    """A fixed input for the block of this name."""
    rng = np.random.RandomState(len(name))
    if name == "embedded":
        return np.array([[0, 6], [3, 1]], np.float32)
    return rng.uniform(-1, 1, INPUTS[name]).astype(np.float32)


def classifier(mx):
    """A symbol that modules train, with batch normalization and a loss that reads a label."""
    data = mx.sym.Variable("data")
    net = mx.sym.FullyConnected(data, num_hidden=6, name="fc1")
    net = mx.sym.BatchNorm(net, name="bn1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.FullyConnected(net, num_hidden=3, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def sentence(mx, length):
    """One bucket of a language model with the cells of mx.rnn; (N, T) words to (N * T, 7) probabilities."""
    stack = mx.rnn.SequentialRNNCell()
    stack.add(mx.rnn.LSTMCell(4, prefix="lstm_"))
    stack.add(
        mx.rnn.ResidualCell(mx.rnn.GRUCell(4, prefix="gru_"))
        if hasattr(mx.rnn, "ResidualCell")
        else mx.rnn.GRUCell(4, prefix="gru_")
    )
    data = mx.sym.Variable("data")
    label = mx.sym.Variable("softmax_label")
    embed = mx.sym.Embedding(data=data, input_dim=7, output_dim=3, name="embed")
    outputs, _ = stack.unroll(length, inputs=embed, merge_outputs=True)
    pred = mx.sym.Reshape(outputs, shape=(-1, 4))
    pred = mx.sym.FullyConnected(data=pred, num_hidden=7, name="pred")
    label = mx.sym.Reshape(label, shape=(-1,))
    return stack, mx.sym.SoftmaxOutput(data=pred, label=label, name="softmax")
