"""`python -m gluonnx_cli`."""

from .main import main

main()
