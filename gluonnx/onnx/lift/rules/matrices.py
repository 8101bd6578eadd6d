"""Products of matrices."""

from gluonnx.onnx.lift.rules.table import Call, Lifted, is_operand, is_same, of_rank, rank_of, rule


@rule("Gemm", stays="a computed bias without axes")
def _gemm(c: Call) -> Lifted:
    weight, bias = c.shape(1), c.shape(2) if c.has(2) else None
    if not c.is_plain(0, 1) or weight is None or (c.has(2) and c.dtype(2) != c.dtype(0)):
        return None
    alpha, beta = c.attr("alpha", 1.0), c.attr("beta", 1.0)
    is_layer = not c.attr("transA", 0) and c.attr("transB", 0) and alpha == 1 and weight[0] is not None
    if is_layer and (not c.has(2) or (beta == 1 and bias == (weight[0],))):
        inputs = [c.entry(i) for i in range(3 if c.has(2) else 2)]
        return c.make("FullyConnected", inputs, {"num_hidden": weight[0], "no_bias": not c.has(2), "flatten": False})
    turned = {"transpose_a": bool(c.attr("transA", 0)), "transpose_b": bool(c.attr("transB", 0))}
    if c.has(2) and (bias is None or len(bias) > 2 or not is_operand(c, 2)):
        return None
    out = c.make("dot", [c.entry(0), c.entry(1)], turned, "_dot" * (c.has(2) or alpha != 1))
    if alpha != 1:
        out = c.make("_mul_scalar", [out], {"scalar": alpha}, "_scaled" * c.has(2))
    if not c.has(2):
        return out
    added = of_rank(c, 2, 2)
    if beta != 1:
        added = c.make("_mul_scalar", [added], {"scalar": beta}, "_bias")
    return c.make("broadcast_add", [out, added], {})


@rule("MatMul", stays="vectors; batches of different shapes, in float16 of more than one axis")
def _matmul(c: Call) -> Lifted:
    a, b = rank_of(c, 0), rank_of(c, 1)
    left, right = c.sizes(0), c.sizes(1)
    if a is None or b is None or not c.is_plain():
        return None
    if b == 2 and a >= 2:
        return c.make("dot", [c.entry(0), c.entry(1)], {})
    if a == b and a >= 3 and left is not None and right is not None and is_same(left[:-2], right[:-2]):
        if a == 3:
            return c.make("batch_dot", [c.entry(0), c.entry(1)], {})
        if c.dtype(0) == "float32":
            return c.make("_linalg_gemm2", [c.entry(0), c.entry(1)], {})
    return None
