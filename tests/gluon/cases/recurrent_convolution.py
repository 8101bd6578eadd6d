"""Convolutional cells, over whole sequences.

Their answers are recorded with MXNET_MKLDNN_ENABLED=0: MKL-DNN's arrays of convolutions fail in MXNet's gradients.
"""

from .case import Array, Case
from .recurrent_cells import unrolled

_STEPS = (Array((2, 2, 2, 5)),)


def _conv(kind, *args, **kwargs):
    def build(mx):
        return unrolled(mx, lambda rnn: getattr(mx.gluon.contrib.rnn, kind)(*args, **kwargs), length=2)

    return build


CASES = (
    Case("conv1d-rnn-cell", _conv("Conv1DRNNCell", (2, 5), 2, 3, 3), _STEPS),
    Case("conv1d-lstm-cell", _conv("Conv1DLSTMCell", (2, 5), 2, (3,), 1, (1,), activation="relu"), _STEPS),
    Case("conv1d-gru-cell", _conv("Conv1DGRUCell", (0, 5), 2, 3, 3, i2h_pad=1), _STEPS),
    Case("conv2d-lstm-cell", _conv("Conv2DLSTMCell", (1, 3, 4), 2, (1, 2), (1, 3)), (Array((2, 2, 1, 3, 4)),)),
    Case("conv2d-gru-cell", _conv("Conv2DGRUCell", (1, 3, 4), 2, 2, 3, (1, 0), 1, 2), (Array((2, 2, 1, 3, 4)),)),
    Case("conv2d-rnn-cell", _conv("Conv2DRNNCell", (1, 3, 4), 2, 2, 3), (Array((2, 2, 1, 3, 4)),)),
    Case("conv3d-rnn-cell", _conv("Conv3DRNNCell", (1, 2, 3, 2), 2, 2, 1), (Array((2, 2, 1, 2, 3, 2)),)),
    Case("conv3d-lstm-cell", _conv("Conv3DLSTMCell", (1, 2, 3, 2), 1, 2, 1), (Array((2, 2, 1, 2, 3, 2)),)),
    Case("conv3d-gru-cell", _conv("Conv3DGRUCell", (1, 2, 3, 2), 1, 2, 1), (Array((2, 2, 1, 2, 3, 2)),)),
)
