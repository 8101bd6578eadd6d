"""Recording and training mode: one home, one per thread."""

import threading


class Modes(threading.local):
    """Attributes:
    recording: Whether operators are recorded for gradients (`autograd.record`).
    training: Whether operators behave as in training (`autograd.train_mode`).
    backward_training: The `train_mode` of the backward that this thread has begun.
    """

    recording: bool = False
    training: bool = False
    backward_training: bool = True


MODES = Modes()
