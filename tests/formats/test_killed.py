"""A process that is killed while it writes leaves the old files or the new ones, and what it left is cleaned up."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# One process makes the children by fork, so that the library is imported once. A child dies at one of the moments at
# which it is about to open, rename, link, lock or remove a file: files change only between those. Its audit hook
# counts them. Written files get content by number; `read` says which number all of them have.
CODE = """
import json, os, signal, sys
sys.path[:0] = [{root!r}, {root!r} + "/runtime"]
import numpy as np
import onnxruntime
import gluonnx as mx
from gluonnx.formats import FileSet
from gluonnx.gluon import SymbolBlock, nn
from gluonnx.onnx import import_to_files

EVENTS = {{"open", "os.rename", "os.remove", "os.link", "os.chmod", "fcntl.flock"}}
UNITS = 128

def net_of(number):
    net = nn.Dense(UNITS, in_units=UNITS, use_bias=False, prefix="d_")
    net.initialize(mx.init.Constant(number))
    net.hybridize()
    net(mx.nd.ones((1, UNITS)))
    return net

def one(values):
    (number,) = np.unique(np.concatenate([np.ravel(v) for v in values])).tolist()
    return int(number)

def arrays(number):
    return {{"w": mx.nd.full((UNITS,), number), "v": mx.nd.full((UNITS,), number)}}

def loaded(path):
    return one(a.asnumpy() for a in mx.nd.load(path).values())

def write_set(number):
    with FileSet() as files:
        for part in "abc":
            files.create(part).write(b"%d" % number)

def read_set():
    from gluonnx.formats import read_bytes
    return one([int(read_bytes(part, 100)) for part in "bac"])

def read_export():
    # Plain ONNX Runtime first: it knows nothing of journals.
    run = onnxruntime.InferenceSession("net-0000.onnx", providers=["CPUExecutionProvider"]).run
    plain = one(run(None, {{"data": np.ones((1, UNITS), np.float32)}})) / UNITS
    found = [mx.nd.load("net-0000.params")["arg:d_weight"].asnumpy()]
    found += [p.data().asnumpy() for p in SymbolBlock.imports("net-0000.onnx").collect_params().values()]
    assert plain in (before, number), plain
    return one(found)

def write_import(number):
    if not os.path.exists(f"m{{number}}/net-0000.onnx"):
        os.makedirs(f"m{{number}}", exist_ok=True)
        net_of(number).export(f"m{{number}}/net")
    import_to_files(f"m{{number}}/net-0000.onnx", "back")

def read_import():
    net = SymbolBlock.imports("back-symbol.json", ["data"], "back-0000.params")
    return one([p.data().asnumpy() for p in net.collect_params().values()])

def read_saved():
    net = nn.Dense(UNITS, in_units=UNITS, use_bias=False, prefix="e_")
    net.load("saved")
    return one([net.weight.data().asnumpy()])

CASES = {{
    "set": (write_set, read_set),
    "nd.save": (lambda n: mx.nd.save("x.params", arrays(n)), lambda: loaded("x.params")),
    "safetensors": (lambda n: mx.nd.save("x.safetensors", arrays(n)), lambda: loaded("x.safetensors")),
    "save_parameters": (lambda n: net_of(n).save_parameters("p.params"), lambda: loaded("p.params")),
    "export": (lambda n: net_of(n).export("net", external_data=True), read_export),
    "import": (write_import, read_import),
    "save": (lambda n: net_of(n).save("saved"), read_saved),
}}

def hidden():
    return sorted(p for p in os.listdir(".") if p.startswith(".") or ".data" in p)

results = {{}}
root = os.getcwd()
for name, (write, read) in CASES.items():
    os.makedirs(f"{{root}}/{{name}}")
    os.chdir(f"{{root}}/{{name}}")
    before = number = 1
    write(2)
    write(1)
    clean = len(hidden())
    moment, killed, rolled = 0, 0, 0
    while True:
        moment += 1
        before, number = read(), 3 - read()
        if name == "import":
            write_import(number); write_import(before)  # so that the child finds the model
        child = os.fork()
        if not child:
            left = moment
            def hook(event, args):
                global left
                is_read = event == "open" and not (isinstance(args[2], int) and args[2] & os.O_CREAT)
                if event in EVENTS and not is_read:
                    left -= 1
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)
            sys.addaudithook(hook)
            write(number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        after = read()
        assert after in (before, number), (moment, before, number, after)
        rolled += after == number and os.WIFSIGNALED(status)
        write(after)
        assert len(hidden()) == clean, (moment, hidden())
        assert read() == after
        if not os.WIFSIGNALED(status):
            break
        killed += 1
    results[name] = [killed, rolled]
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """How many children were killed in each case, and how many of those left new files."""
    memory = Path("/dev/shm")  # the disk would be waited for a thousand times
    base = memory if os.access(memory, os.W_OK) else tmp_path_factory.getbasetemp()
    with tempfile.TemporaryDirectory(dir=base) as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CODE.format(root=str(ROOT))],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("set", 20),
        ("nd.save", 4),
        ("safetensors", 4),
        ("save_parameters", 4),
        ("export", 20),
        ("import", 15),
        ("save", 15),
    ],
)
def test_killed_at_each_moment(results, name, moments):
    """Every way of writing, killed before each of its steps: all files old or all new, nothing left over."""
    killed, new = results[name]
    assert killed >= moments
    assert 1 <= new < killed
