"""ONNX operators in a graph: `_onnx.<OpType>`, kept from imported files where no MXNet operator means the same.

`table` owns the rows and what the graph asks of them; the other modules hold one torch function for each operator, by
family: `elementwise`, `reduction`, `shaping`, `indexing`, `windows` (convolutions, pooling), `neural`, `images`,
`quantized`, `recurrent`, `control` (branches and loops), `sequences`, `signals`, `draws` (random numbers).
"""

from gluonnx.ops.foreign.lookup import find_operator, foreign_operator

__all__ = ["find_operator", "foreign_operator"]
