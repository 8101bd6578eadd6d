"""The `gluonnx` command: one module per command, each of which parses, calls one library function and prints.

main owns the command group and what becomes of errors; errors the table of known errors; arguments the shared options;
npy reads and writes arrays; model_info reads what an ONNX file says about itself. Nothing heavy (numpy, onnx, torch) is
imported before a command's body runs, so that `gluonnx --help` answers at once.
"""
