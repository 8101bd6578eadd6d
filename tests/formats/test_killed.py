"""A process that is killed while it writes leaves the old file or the new one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# One process makes the children by fork, so that the library is imported once.
CODE = """
import os, random, signal, sys, time
sys.path[:0] = [{root!r}, {root!r} + "/runtime"]
import numpy as np
import gluonnx as mx
from gluonnx.formats import atomic_write
from gluonnx.gluon import nn

name, rounds = sys.argv[1], int(sys.argv[2])
SIZE = 1 << 21

def net_of(number):
    net = nn.Dense(8, in_units=SIZE // 8, use_bias=False, prefix="d_")
    net.initialize(mx.init.Constant(number))
    net.hybridize()
    net(mx.nd.ones((1, SIZE // 8)))
    return net

def write(number):
    if name == "export":
        net_of(number).export("net", external_data=True)
    else:
        mx.nd.save(name, {{"w": mx.nd.full((SIZE,), number), "v": mx.nd.full((SIZE,), number)}})

def read():
    if name == "export":
        found = [mx.nd.load("net-0000.params")["arg:d_weight"]]
    else:
        found = list(mx.nd.load(name).values())
    (number,) = set(np.unique([a.asnumpy() for a in found]).tolist())
    return number

write(0)
start = time.monotonic(); write(0); length = time.monotonic() - start
draws = random.Random(3)
killed = 0
for number in range(1, rounds + 1):
    before = read()
    child = os.fork()
    if not child:
        write(number)
        os._exit(0)
    time.sleep(draws.random() * length)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
    after = read()
    assert after in (before, number), (before, number, after)
print(killed, after)

# Once more, surely in the middle.
ready, done = os.pipe()
child = os.fork()
if not child:
    with atomic_write(name if name != "export" else "net-0000.params") as file:
        file.write(b"half")
        file.flush()
        os.write(done, b"!")
        time.sleep(60)
assert os.read(ready, 1) == b"!"
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
assert read() == after
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize(("name", "rounds"), [("x.params", 10), ("export", 3)])
def test_a_killed_writer_leaves_the_old_or_the_new_file(name, rounds, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE.format(root=str(ROOT)), name, str(rounds)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    killed, _ = done.stdout.split()
    assert int(killed) >= 1
