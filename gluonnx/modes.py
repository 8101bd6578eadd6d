"""Recording and training mode, and how unknown shapes are written: one home, one per thread."""

import threading


class Modes(threading.local):
    """Attributes:
    recording: Whether operators are recorded for gradients (`autograd.record`).
    training: Whether operators behave as in training (`autograd.train_mode`).
    np_shape: Whether a size of 0 is a size and -1 is unknown (`util.np_shape`), rather than 0 being unknown.
    """

    recording: bool = False
    training: bool = False
    np_shape: bool = False


MODES = Modes()
