"""Record what MXNet 1.9.1 answers to the variants of samples: other dtypes, edges of shapes and axes.

Run by a Python that has MXNet (3.8, `pip install mxnet==1.9.1 numpy==1.23.5`), from any folder:

    python tests/golden/make_dtypes.py [FAMILY ...]

Each call runs in a process of its own, twice: MXNet may refuse it, crash, hang, or give what was in the memory before.
Writes tests/golden/dtypes/FAMILY.npz with two arrays: `index`, JSON text that maps the key of a variant to its status
and, where there is an answer, to the dtype and shape of each array; and `data`, the bytes of these arrays, in order.
"""

import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import traceback

os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")  # no threads, so that processes can be forked

import make_ops  # noqa: E402
import mxnet as mx  # noqa: E402
import numpy as np  # noqa: E402
from samples import FAMILIES, RandomSample  # noqa: E402
from samples.variant import BFLOAT16, DTYPES, casts, declared, edges, representatives  # noqa: E402

TARGET = make_ops.HERE / "dtypes"
BEYOND = (
    "CTCLoss",
    "LRN",
    "SequenceReverse",
    "_contrib_edge_id",
    "_contrib_hawkesll",
    "_contrib_index_copy",
    "_contrib_interleaved_matmul_encdec_valatt",
    "_contrib_interleaved_matmul_selfatt_qk",
    "_image_adjust_lighting",
    "_image_flip_left_right",
    "_image_flip_top_bottom",
    "_image_random_flip_left_right",
    "_image_random_flip_top_bottom",
    "_image_random_hue",
    "_sparse_retain",
    "softmax",
    "softmax_cross_entropy",
)
"""Operators that, where every size is 1, read beyond their arrays or leave their result unwritten."""
TIME_LIMIT_S = 10
REFUSED = 3
"""Exit status of a call that MXNet refuses."""
FAILED = 4
"""Exit status of one that fails in Python."""


def answer(sample):
    """What `make_ops` records of a sample, by name."""
    with mx.util.np_shape(any(0 in a.shape for a in sample.inputs)):
        if sample.op in make_ops.AS_SYMBOLS:
            return make_ops.record_symbol(sample)
        return make_ops.record(sample)


def apart(call):
    """(status, arrays) of a call in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "answer.npz")
        child = os.fork()
        if child == 0:
            status = REFUSED
            try:
                signal.alarm(TIME_LIMIT_S)
                np.savez(path, **call())
                status = 0
            except mx.MXNetError:
                pass
            except Exception:
                traceback.print_exc()
                status = FAILED
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return "hung" if os.WTERMSIG(status) == signal.SIGALRM else "crashed", {}
        assert os.WEXITSTATUS(status) != FAILED, "the call failed in Python, not in MXNet"
        if os.WEXITSTATUS(status):
            return "refused", {}
        with np.load(path) as file:
            return "answered", {name: file[name] for name in file.files}


def twice(call):
    """The same of two calls; `undefined` where they differ, apart from draws."""
    status, arrays = apart(call)
    if status == "answered":
        _, again = apart(call)
        if {n: a.tobytes() for n, a in arrays.items()} != {n: a.tobytes() for n, a in again.items()}:
            return "undefined", {}
    return status, arrays


def variants(samples):
    """For each change of each representative, the ways to make it: the first that MXNet answers is recorded."""
    for sample in representatives(samples):
        if sample.op in make_ops.GPU_ONLY:
            continue
        for dtype in DTYPES:
            yield list(casts(sample, dtype))
        for edge in edges(sample):
            yield [edge]


def record_family(samples):
    """The index of a family and its arrays."""
    index, arrays = {}, []
    for ways in variants(samples):
        for variant in ways:
            status, found = twice(lambda: answer(variant))
            if status == "answered":
                break
        else:
            variant, status, found = ways[0], twice(lambda: answer(ways[0]))[0], {}
        if variant.change == "ones" and variant.op in BEYOND:
            status, found = "undefined", {}
        index[variant.key] = {"status": status, "arrays": note(found, arrays)}
    for dtype, variant in declared(samples):
        if dtype == "bfloat16":
            continue  # MXNet has no name for it
        status, found = drawn(variant) if isinstance(variant, RandomSample) else twice(lambda: answer(variant))
        index[variant.key] = {"status": status, "arrays": note(found, arrays)}
    return index, arrays


def drawn(sample):
    """The status of a call that draws, and arrays with the dtype of the draws, without any."""
    def call():
        result = make_ops.function(sample.op)(*(mx.nd.array(a, dtype=a.dtype) for a in sample.arrays()), **sample.attrs)
        return {"out0": (result[0] if isinstance(result, list) else result).asnumpy()[:0]}

    return apart(call)


def note(found, arrays):
    """Dtype and shape of each array found, which is put into `arrays`."""
    arrays.extend(found.values())
    return {n: ["bfloat16" if a.dtype == BFLOAT16 else a.dtype.name, list(a.shape)] for n, a in found.items()}


def main():
    TARGET.mkdir(exist_ok=True)
    for family in sys.argv[1:] or sorted(FAMILIES):
        index, arrays = record_family(FAMILIES[family])
        if not index:
            continue
        text = np.frombuffer(json.dumps(index, separators=(",", ":")).encode(), np.uint8)
        data = np.frombuffer(b"".join(a.tobytes() for a in arrays), np.uint8)
        path = TARGET / (family + ".npz")
        np.savez_compressed(str(path), index=text, data=data)
        statuses = [v["status"] for v in index.values()]
        counts = ", ".join("%d %s" % (statuses.count(s), s) for s in sorted(set(statuses)))
        print("%s: %d bytes: %s" % (path.name, path.stat().st_size, counts), flush=True)
        assert path.stat().st_size < 100000, "a golden file stays under 100 KB: split the family"


if __name__ == "__main__":
    main()
