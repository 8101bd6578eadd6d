"""Run a program written for MXNet on gluonnx: `python -m gluonnx.mxnet script.py args`.

As `python` itself: `script.py`, a folder or zip file with a `__main__.py`, `-m module`, `-c code` or `-` (standard
input), then the program's own arguments.
"""

import sys

from gluonnx.launcher import launch

if __name__ == "__main__":
    launch(sys.argv[1:])
