"""Recording and training mode: one home, one per thread."""

import threading


class Modes(threading.local):
    """Attributes:
    recording: Whether operators are recorded for gradients (`autograd.record`).
    training: Whether operators behave as in training (`autograd.train_mode`).
    """

    recording: bool = False
    training: bool = False


MODES = Modes()
