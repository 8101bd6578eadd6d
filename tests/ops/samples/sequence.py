"""The last step of padded sequences, reversal."""

from .sample import Array, Sample


def _lengths(*values, dtype="float32"):
    return Array((len(values),), kind="values", values=values, dtype=dtype, grad=False)


_USED = {"use_sequence_length": True}
_AXIS = {"use_sequence_length": True, "axis": 1}

SAMPLES = (
    # Without lengths MXNet crashes in the gradient.
    Sample("SequenceLast", "all", (Array((3, 2, 4)),), grad=False),
    Sample("SequenceLast", "all axis 1", (Array((2, 3, 4)),), {"axis": 1}, grad=False),
    Sample("SequenceLast", "matrix", (Array((3, 2)),), grad=False),
    Sample("SequenceLast", "one step", (Array((1, 1, 2)), _lengths(1)), _USED, batch=()),
    Sample("SequenceLast", "lengths", (Array((4, 3, 2)), _lengths(1, 4, 2)), _USED, batch=(0,)),
    Sample("SequenceLast", "lengths axis 1", (Array((3, 4, 2)), _lengths(1, 4, 2)), _AXIS, batch=(0, 1)),
    Sample("SequenceLast", "lengths rank 4", (Array((3, 4, 2, 1)), _lengths(3, 4, 2)), _AXIS, batch=(0, 1)),
    Sample("SequenceLast", "lengths matrix", (Array((4, 3)), _lengths(1, 4, 2, dtype="int32")), _USED, batch=(0,)),
    Sample("SequenceLast", "float64", (Array((4, 2, 2), dtype="float64"), _lengths(3, 4)), _USED),
    Sample("SequenceLast", "float16", (Array((4, 2, 2), dtype="float16"), _lengths(3, 4)), _USED),
    Sample("SequenceLast", "int32", (Array((4, 2, 2), dtype="int32", kind="ints"), _lengths(3, 4)), _USED),
    Sample("SequenceReverse", "all", (Array((3, 2, 4)),)),
    Sample("SequenceReverse", "matrix", (Array((3, 2)), _lengths(2, 3)), _USED, batch=()),
    Sample("SequenceReverse", "lengths", (Array((4, 3, 2)), _lengths(1, 4, 2)), _USED, batch=(0,)),
    Sample("SequenceReverse", "lengths int", (Array((4, 2, 2, 3)), _lengths(3, 2, dtype="int64")), _USED),
    Sample("SequenceReverse", "one step", (Array((1, 1, 2)), _lengths(1)), _USED, batch=()),
    Sample("SequenceReverse", "float64", (Array((4, 2, 2), dtype="float64"), _lengths(3, 4)), _USED),
    Sample("SequenceReverse", "float16", (Array((4, 2, 2), dtype="float16"), _lengths(3, 4)), _USED),
    Sample("SequenceReverse", "int8", (Array((4, 2, 2), dtype="int8", kind="ints"), _lengths(3, 4)), _USED),
)
