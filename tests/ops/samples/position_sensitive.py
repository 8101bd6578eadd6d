"""Position-sensitive pooling."""

from .boxes import given
from .regions import NO_DOUBLE, regions
from .sample import Array, Sample

A = Array
ROIS = regions(61, count=5)


def _pool(id, rois=ROIS, dim=2, size=3, group=None, dtype="float32", scale=1 / 16, data=None, **options):
    attrs = {"spatial_scale": scale, "output_dim": dim, "pooled_size": size}
    if group is not None:
        attrs["group_size"] = group
    planes = dim * (group or size) ** 2
    return Sample(
        "_contrib_PSROIPooling",
        id,
        (A(data or (2, planes, 9, 11), dtype), given(rois, dtype, grad=False)),
        attrs,
        batch=(1,),
        onnx=NO_DOUBLE if dtype == "float64" else None,
        **options,
    )


def _deform(id, rois=ROIS, dim=2, size=3, group=3, part=None, classes=1, dtype="float32", **attrs):
    attrs = dict({"spatial_scale": 1 / 16, "output_dim": dim, "pooled_size": size, "group_size": group}, **attrs)
    if part is not None:
        attrs["part_size"] = part
    inputs = (A((2, dim * group**2, 9, 11), dtype), given(rois, dtype, grad=False))
    if not attrs.get("no_trans"):
        inputs += (A((len(rois), 2 * classes, part or size, part or size), dtype),)
    half = dtype == "float16"
    return Sample(
        "_contrib_DeformablePSROIPooling",
        id,
        inputs,
        attrs,
        batch=(1, 2) if len(inputs) == 3 else (1,),
        onnx=NO_DOUBLE if dtype == "float64" else None,
        rtol=2e-2 if half else 2e-5,
        atol=2e-2 if half else 1e-5,
        why="positions in half precision" if half else "positions differ in the last digit",
    )


SAMPLES = [
    _pool("default"),
    _pool("group", size=4, group=3),
    _pool("one_group", dim=3, size=2, group=1),
    _pool("zero_group", size=2, group=0),
    _pool("scale", regions(62, extent=10), size=2, scale=0.8),
    _pool("one_bin", size=1),
    _pool("float64", dtype="float64"),
    _pool("float16", regions(61, count=5, extent=100), dtype="float16", rtol=4e-3, atol=4e-3, why="sums in half"),
    _deform("default", trans_std=0.1),
    _deform("samples", sample_per_part=3, trans_std=0.2),
    _deform("parts", part=2, size=4, sample_per_part=2, trans_std=0.1),
    _deform("classes", dim=4, classes=2, sample_per_part=2, trans_std=0.1),
    _deform("one_group", dim=2, size=2, group=1, sample_per_part=2, trans_std=0.3),
    _deform("unmoved", sample_per_part=2),
    _deform("no_trans", no_trans=True, sample_per_part=2, trans_std=0.1),
    _deform("float64", dtype="float64", sample_per_part=2, trans_std=0.1),
    _deform("float16", regions(61, count=5, extent=100), dtype="float16", sample_per_part=2, trans_std=0.1),
]
