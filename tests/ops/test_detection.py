"""Detection operators, beyond the matrix: what they refuse, many boxes, whole detectors in plain ONNX Runtime."""

from pathlib import Path

import detection_cases
import numpy as np
import onnxruntime
import pytest
import torch
from ops import matrix
from ops.samples.sample import Array, Sample
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import gluonnx as mx
from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops import TABLE
from gluonnx.ops.suppression import areas, suppress

POOL = {"pooled_size": (2, 2), "spatial_scale": 0.5}
SENSITIVE = {"spatial_scale": 0.5, "output_dim": 2, "pooled_size": 2, "group_size": 2}
DEFORM = {"kernel": (3, 3), "num_filter": 4, "no_bias": True}
PROPOSE = {"scales": (1,), "ratios": (1,)}
TARGET = [(1, 6, 4), (2, 3, 5), (2, 4, 6)]

REFUSED = [
    ("_contrib_box_iou", [(4,), (2, 4)], {}, r"wrong shape of lhs: .* got lhs=\(4,\)"),
    ("_contrib_box_iou", [(2, 4), (2, 5)], {}, r"got rhs=\(2, 5\)"),
    ("_contrib_box_nms", [(6,)], {}, r"wrong rank of data: .* got data=\(6,\)"),
    ("_contrib_box_nms", [(3, 5)], {}, r"below 5 of data=\(3, 5\), got coord_start=2"),
    ("_contrib_box_nms", [(3, 6)], {"score_index": 6}, "got score_index=6"),
    ("_contrib_box_nms", [(3, 6)], {"score_index": 3}, "outside coordinates 2 to 5, got score_index=3"),
    ("_contrib_box_nms", [(3, 6)], {"id_index": 9}, "got id_index=9"),
    ("_contrib_box_nms", [(3, 6)], {"id_index": 1}, "got score_index=1, id_index=1"),
    ("_contrib_box_encode", [(1, 3), (1, 3), (1, 2, 4), (1, 2, 4), (4,), (4,)], {}, r"got .*anchors=\(1, 2, 4\)"),
    ("_contrib_box_decode", [(2, 3, 4), (2, 3, 4)], {}, r"anchors \(1, N, 4\), got .*anchors=\(2, 3, 4\)"),
    ("_contrib_bipartite_matching", [(3,)], {"threshold": 0.1}, r"got data=\(3,\)"),
    ("_contrib_MultiBoxPrior", [(2, 3, 4)], {}, r"expected \(N, C, H, W\), got data=\(2, 3, 4\)"),
    ("_contrib_MultiBoxDetection", [(1, 3, 5), (1, 8), (1, 5, 4)], {}, r"got .*loc_pred=\(1, 8\)"),
    ("_contrib_MultiBoxDetection", [(1, 3, 5), (1, 20), (1, 3, 4)], {}, r"got .*anchor=\(1, 3, 4\)"),
    ("_contrib_MultiBoxTarget", [(2, 6, 4), *TARGET[1:]], {}, r"got anchor=\(2, 6, 4\)"),
    ("_contrib_MultiBoxTarget", [TARGET[0], (2, 3, 4), TARGET[2]], {}, r"got .*label=\(2, 3, 4\)"),
    ("_contrib_MultiBoxTarget", [*TARGET[:2], (2, 4, 5)], {}, r"got .*cls_pred=\(2, 4, 5\)"),
    ("_contrib_Proposal", [(2, 2, 4, 4), (2, 4, 4, 4), (2, 3)], PROPOSE, r"got cls_prob=\(2, 2, 4, 4\)"),
    ("_contrib_Proposal", [(1, 3, 4, 4), (1, 4, 4, 4), (1, 3)], PROPOSE, r"A=1 .* got cls_prob=\(1, 3, 4, 4\)"),
    ("_contrib_MultiProposal", [(2, 2, 4, 4), (2, 4, 4, 4), (2, 2)], PROPOSE, r"got .*im_info=\(2, 2\)"),
    ("ROIPooling", [(2, 3, 4), (2, 5)], POOL, r"expected \(N, C, H, W\), got data=\(2, 3, 4\)"),
    ("ROIPooling", [(2, 3, 4, 4), (2, 4)], POOL, r"expected \(R, 5\), got rois=\(2, 4\)"),
    ("_contrib_ROIAlign", [(2, 3, 4, 4), (2, 4)], POOL, r"expected \(R, 5\), got rois=\(2, 4\)"),
    ("_contrib_ROIAlign", [(2, 3, 4, 4), (2, 5)], {**POOL, "position_sensitive": True}, r"a multiple of 4 .*got data"),
    ("_contrib_RROIAlign", [(2, 3, 4, 4), (2, 5)], POOL, r"expected \(R, 6\), got rois=\(2, 5\)"),
    ("_contrib_PSROIPooling", [(2, 7, 4, 4), (2, 5)], SENSITIVE, r"group_size\^2 = 8, got data=\(2, 7, 4, 4\)"),
    (
        "_contrib_DeformablePSROIPooling",
        [(2, 8, 4, 4), (2, 5), (2, 3, 2, 2)],
        SENSITIVE,
        r"part_size=2 .* got trans=\(2, 3, 2, 2\)",
    ),
    ("_contrib_DeformablePSROIPooling", [(2, 8, 4, 4), (2, 5), (2, 6, 2, 2)], SENSITIVE, "divide output_dim=2"),
    (
        "_contrib_DeformableConvolution",
        [(1, 4, 5, 5), (1, 18, 5, 5), (4, 4, 3, 3)],
        DEFORM,
        r"expected offset \(1, 18, 3, 3\) .* offset=\(1, 18, 5, 5\)",
    ),
    (
        "_contrib_DeformableConvolution",
        [(1, 4, 2, 2), (1, 18, 1, 1), (4, 4, 3, 3)],
        DEFORM,
        r"positive output size, got \(0, 0\) for kernel=\(3, 3\)",
    ),
    (
        "_contrib_DeformableConvolution",
        [(1, 4, 5, 5), (1, 18, 3, 3), (4, 1, 3, 3)],
        {**DEFORM, "num_group": 3},
        "channels that divide into groups for num_group=3",
    ),
    (
        "_contrib_ModulatedDeformableConvolution",
        [(1, 4, 5, 5), (1, 18, 3, 3), (1, 8, 3, 3), (4, 4, 3, 3)],
        DEFORM,
        r"expected mask \(1, 9, 3, 3\) .* mask=\(1, 8, 3, 3\)",
    ),
]


def run(name, shapes, attrs, dtype=torch.float32, value=1.0):
    op = TABLE[name]
    return matrix.call(op, [torch.full(s, value, dtype=dtype) for s in shapes], op.parse(attrs)).outputs


@pytest.mark.parametrize(("name", "shapes", "attrs", "message"), REFUSED)
def test_wrong_inputs_are_named(name, shapes, attrs, message):
    with pytest.raises(InputError, match=f"^{name}: .*{message}"):
        run(name, shapes, attrs)


REFUSED_ATTRIBUTES = [
    ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {"sizes": ()}, r"got sizes=\(\)"),
    ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {"ratios": (1, -1)}, r"got .*ratios=\(1.0, -1.0\)"),
    ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {"steps": (0.4,)}, r"got steps=\(0.4,\)"),
    ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {"steps": (0.4, -1)}, r"got steps=\(0.4, -1.0\)"),
    ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {"offsets": (0.4,)}, r"got offsets=\(0.4,\)"),
    ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {"sizes": "a"}, "expected a tuple of floats, got sizes='a'"),
    ("_contrib_MultiBoxDetection", [(1, 3, 5), (1, 20), (1, 5, 4)], {"variances": (1, 1)}, r"variances=\(1.0, 1.0\)"),
    ("_contrib_MultiBoxTarget", TARGET, {"variances": (1,)}, r"expected 4, got variances=\(1.0,\)"),
    (
        "_contrib_MultiBoxTarget",
        TARGET,
        {"negative_mining_ratio": 1, "negative_mining_thresh": 0},
        "got negative_mining_thresh=0.0",
    ),
    (
        "_contrib_MultiProposal",
        [(1, 2, 4, 4), (1, 4, 4, 4), (1, 3)],
        {**PROPOSE, "rpn_post_nms_top_n": -1},
        "got rpn_post_nms_top_n=-1",
    ),
    ("ROIPooling", [(1, 2, 4, 4), (1, 5)], {"pooled_size": (2,), "spatial_scale": 1}, r"got pooled_size=\(2,\)"),
    ("ROIPooling", [(1, 2, 4, 4), (1, 5)], {"pooled_size": (2, 0), "spatial_scale": 1}, r"got pooled_size=\(2, 0\)"),
    ("_contrib_ROIAlign", [(1, 2, 4, 4), (1, 5)], {**POOL, "spatial_scale": 2}, "0 to 1, got spatial_scale=2.0"),
    ("_contrib_PSROIPooling", [(1, 2, 4, 4), (1, 5)], {**SENSITIVE, "output_dim": 0}, "got output_dim=0"),
    (
        "_contrib_DeformablePSROIPooling",
        [(1, 8, 4, 4), (1, 5), (1, 2, 2, 2)],
        {**SENSITIVE, "sample_per_part": 0},
        "got sample_per_part=0",
    ),
    (
        "_contrib_DeformableConvolution",
        [(1, 4, 5, 5), (1, 18, 3, 3), (4, 4, 3, 3)],
        {**DEFORM, "stride": (1,)},
        r"expected two sizes, got kernel=\(3, 3\), stride=\(1,\)",
    ),
    (
        "_contrib_ModulatedDeformableConvolution",
        [(1, 4, 5, 5), (1, 18, 3, 3), (1, 9, 3, 3), (4, 4, 3, 3)],
        {**DEFORM, "dilate": (0, 1)},
        r"expected positive ones, .*dilate=\(0, 1\)",
    ),
]


@pytest.mark.parametrize(("name", "shapes", "attrs", "message"), REFUSED_ATTRIBUTES)
def test_wrong_attributes_are_named(name, shapes, attrs, message):
    with pytest.raises(AttributeValueError, match=f"^{name}: .*{message}"):
        run(name, shapes, attrs)


@pytest.mark.parametrize(
    ("name", "shapes", "attrs", "label"),
    [
        ("_contrib_box_iou", [(2, 4), (2, 4)], {}, "lhs"),
        ("_contrib_box_nms", [(3, 6)], {}, "data"),
        ("_contrib_bipartite_matching", [(3, 6)], {"threshold": 0.5}, "data"),
        ("_contrib_box_decode", [(1, 3, 4), (1, 3, 4)], {}, "data"),
        ("ROIPooling", [(1, 2, 4, 4), (1, 5)], POOL, "data"),
        ("_contrib_DeformableConvolution", [(1, 4, 5, 5), (1, 18, 3, 3), (4, 4, 3, 3)], DEFORM, "data"),
    ],
)
def test_integers_are_refused(name, shapes, attrs, label):
    with pytest.raises(InputError, match=f"^{name}: wrong dtype of {label}: .* got {label}=torch.int32"):
        run(name, shapes, attrs, dtype=torch.int32, value=1)


@pytest.mark.parametrize(
    ("name", "shapes", "attrs"),
    [
        ("_contrib_MultiBoxPrior", [(1, 2, 3, 3)], {}),
        ("_contrib_MultiBoxDetection", [(1, 3, 5), (1, 20), (1, 5, 4)], {}),
        ("_contrib_MultiBoxTarget", TARGET, {}),
        ("_contrib_Proposal", [(1, 2, 4, 4), (1, 4, 4, 4), (1, 3)], PROPOSE),
        ("_contrib_PSROIPooling", [(1, 8, 4, 4), (1, 5)], SENSITIVE),
    ],
)
def test_float64_is_computed_and_not_lowered(name, shapes, attrs):
    outputs = run(name, shapes, attrs, dtype=torch.float64)
    assert {o.dtype for o in outputs} == {torch.float64}
    for output, single in zip(outputs, run(name, shapes, attrs), strict=True):
        np.testing.assert_allclose(output.numpy(), single.numpy(), rtol=1e-5)
    op = TABLE[name]
    builder = matrix.ModelBuilder((1, 1))
    inputs = [builder.variable(f"x{i}", "float64", (s, s)) for i, s in enumerate(shapes)]
    with pytest.raises(LoweringError, match=f"^{name}: has no ONNX form for this dtype: .* got dtype=float64"):
        op.lower(builder, inputs, op.parse(attrs))


def test_two_dtypes_are_refused():
    data, rois = torch.ones(1, 2, 4, 4), torch.ones(1, 5, dtype=torch.float64)
    with pytest.raises(InputError, match=r"^ROIPooling: dtypes differ: .* rois=torch.float64"):
        TABLE["ROIPooling"].forward(data, rois, **POOL)
    with pytest.raises(InputError, match=r"^_contrib_box_iou: dtypes differ: .* rhs=torch.float64"):
        TABLE["_contrib_box_iou"].forward(torch.ones(2, 4), torch.ones(2, 4).double())


def test_an_image_larger_than_its_scores_is_refused():
    with pytest.raises(
        InputError, match=r"^_contrib_Proposal: .* at most \(64, 64\) at feature_stride=16, got im_info"
    ):
        run("_contrib_Proposal", [(1, 2, 4, 4), (1, 4, 4, 4), (1, 3)], PROPOSE, value=90.0)


def test_too_few_negatives_are_refused():
    anchors = torch.tensor([[[0, 0, 0.5, 0.5]] * 4])
    label = torch.tensor([[[0, 0, 0, 0.5, 0.6]]])
    attrs = {"overlap_threshold": 0.9, "negative_mining_ratio": 2.0, "negative_mining_thresh": 0.5}
    with pytest.raises(InputError, match=r"^_contrib_MultiBoxTarget: too few anchors .* at least 2 .* got 0"):
        TABLE["_contrib_MultiBoxTarget"].forward(anchors, label, torch.zeros(1, 2, 4), **attrs)


LOWERINGS = [
    ("_contrib_box_nms", [(9, 6)], {}, "needs a fixed number of boxes"),
    ("_contrib_bipartite_matching", [(9, 6)], {"threshold": 0.5}, "needs fixed numbers"),
    ("_contrib_MultiBoxPrior", [(1, 2, 9, 9)], {}, "needs a fixed size of data"),
]


@pytest.mark.parametrize(("name", "shapes", "attrs", "message"), LOWERINGS)
def test_lowerings_that_need_fixed_sizes_say_so(name, shapes, attrs, message):
    op = TABLE[name]
    builder = matrix.ModelBuilder((9, 7))
    inputs = [
        builder.variable(f"x{i}", "float32", (s, tuple(7 if d == 9 else d for d in s))) for i, s in enumerate(shapes)
    ]
    with pytest.raises(LoweringError, match=f"^{name}: {message}"):
        op.lower(builder, inputs, op.parse(attrs))


def greedy(boxes, threshold, groups=None, limit=None, gap=0.0, is_inclusive=False):
    """Non-maximum suppression as it is defined, one box after the other."""
    kept, open_boxes = [], np.ones(len(boxes), bool)
    area = (boxes[:, 2] - boxes[:, 0] + gap) * (boxes[:, 3] - boxes[:, 1] + gap)
    for i, box in enumerate(boxes):
        if not open_boxes[i]:
            continue
        kept.append(i)
        if len(kept) == limit:
            break
        width = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0]) + np.float32(gap)
        height = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1]) + np.float32(gap)
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        ratio = shared / (area[i] + area - shared)
        hit = ratio >= np.float32(threshold) if is_inclusive else ratio > np.float32(threshold)
        open_boxes &= ~(hit & (True if groups is None else groups == groups[i]))
    return kept


@pytest.mark.parametrize("side", [0.02, 0.2, 0.8])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"limit": 300},
        {"groups": 4},
        {"groups": 900},
        {"gap": 1.0, "threshold": 0.7},
        {"is_inclusive": True},
        {"threshold": -0.5},
        {"threshold": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [300, 1700])
def test_many_boxes_are_suppressed_as_one_by_one(side, options, count):
    options = dict(options)
    rng = np.random.RandomState(7)
    scale = 100 if options.get("gap") else 1
    low = rng.uniform(size=(count, 2))
    boxes = (np.concatenate([low, low + rng.uniform(0.001, side, size=(count, 2))], 1) * scale).astype(np.float32)
    boxes = np.round(boxes * 64) / 64  # equal overlaps and touching edges
    threshold, gap = options.pop("threshold", 0.4), options.pop("gap", 0.0)
    groups = rng.randint(0, options.pop("groups"), size=count) if "groups" in options else None
    tensor = torch.from_numpy(boxes.astype(np.float32))
    area = areas(tensor) if not gap else (tensor[:, 2] - tensor[:, 0] + 1) * (tensor[:, 3] - tensor[:, 1] + 1)
    given = None if groups is None else torch.from_numpy(groups)
    with np.errstate(invalid="ignore"):
        expected = greedy(boxes.astype(np.float32), threshold, groups, gap=gap, **options)
    if threshold < 0:
        expected = greedy_of_everything(count, groups)
    assert suppress(tensor, area, threshold, groups=given, gap=gap, **options).tolist() == expected


def greedy_of_everything(count, groups):
    """What stays where every box removes all after it: the first of each group."""
    firsts = [0] if groups is None else sorted(np.unique(groups, return_index=True)[1].tolist())
    return firsts[:count]


def test_no_boxes_stay_no_boxes():
    assert suppress(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    assert suppress(torch.zeros(0, 4), torch.zeros(0), 0.5, groups=torch.zeros(0)).tolist() == []


class _Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that an operator gives."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.numel = max([self.numel, *(o.numel() for o in tree_leaves(out) if isinstance(o, torch.Tensor))])
        return out


def test_many_boxes_need_little_memory():
    rng = torch.Generator().manual_seed(1)
    low = torch.rand((3000, 2), generator=rng)
    boxes = torch.cat([low, low + 0.01], 1)
    with _Largest() as seen:
        suppress(boxes, areas(boxes), 0.5)
    assert seen.numel < 200_000  # all pairs are 9,000,000


@pytest.mark.parametrize("groups", [1, 2])
def test_the_modulated_convolution_has_the_gradient_of_its_definition(groups):
    op = TABLE["_contrib_ModulatedDeformableConvolution"]
    rng = torch.Generator().manual_seed(2)
    shapes = [(1, 4, 3, 3), (1, 8 * groups, 4, 4), (1, 4 * groups, 4, 4), (2, 4, 2, 2), (2,)]
    inputs = [torch.rand(s, generator=rng, dtype=torch.float64).requires_grad_() for s in shapes]
    attrs = op.parse({"kernel": (2, 2), "pad": (1, 1), "num_filter": 2, "num_deformable_group": groups})
    assert torch.autograd.gradcheck(lambda *values: op.forward(*values, **attrs), inputs)


@pytest.mark.parametrize("name", ["ROIPooling", "_contrib_ROIAlign", "_contrib_RROIAlign", "_contrib_PSROIPooling"])
def test_no_regions_and_missing_images(name):
    op, width = TABLE[name], 6 if name == "_contrib_RROIAlign" else 5
    attrs = SENSITIVE if name == "_contrib_PSROIPooling" else POOL
    data = torch.ones(2, 8, 4, 4)
    assert op.forward(data, torch.zeros(0, width), **op.parse(attrs)).shape[0] == 0
    rois = torch.tensor([[-1, 0, 0, 4, 4, 0], [1, 0, 0, 4, 4, 0], [2, 0, 0, 4, 4, 0]])[:, :width].float()
    out = op.forward(data, rois, **op.parse(attrs)).flatten(1)
    assert out[0].eq(0).all()
    assert out[2].eq(0).all()
    assert out[1].gt(0).any()
    sample = Sample(name, "missing", (Array(tuple(data.shape)), Array(tuple(rois.shape))), attrs, batch=())
    if name in ("ROIPooling", "_contrib_ROIAlign"):
        arrays = [data.numpy(), rois.numpy()]
        (answer,) = matrix.run(matrix.session(matrix.onnx_model(op, sample, arrays)), arrays)
        np.testing.assert_allclose(answer.reshape(3, -1), out.numpy(), rtol=1e-6)


def test_negative_overlaps_are_refused_in_onnx():
    op = TABLE["_contrib_Proposal"]
    builder = matrix.ModelBuilder((1, 1))
    shapes = [(1, 2, 4, 4), (1, 4, 4, 4), (1, 3)]
    inputs = [builder.variable(f"x{i}", "float32", (s, s)) for i, s in enumerate(shapes)]
    with pytest.raises(LoweringError, match=r"^_contrib_Proposal: .*got .*threshold=-0.5"):
        op.lower(builder, inputs, op.parse({**PROPOSE, "threshold": -0.5}))


@pytest.fixture(scope="module")
def recorded():
    with np.load(Path(__file__).parents[1] / "golden" / "detection.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def assert_recorded(answers, recorded, name, size):
    expected = [a for key, a in recorded.items() if key.startswith(f"{name}/{size}/")]
    assert len(answers) == len(expected)
    for answer, wanted in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", detection_cases.CASES)
def test_a_detector_is_mxnets_in_plain_onnx_runtime(name, recorded, tmp_path):
    net = detection_cases.prepared(mx, name)
    _, inputs = detection_cases.CASES[name]
    for size in detection_cases.BATCHES:
        result = net(*(mx.nd.array(a) for a in inputs(size)))
        result = result if isinstance(result, (list, tuple)) else [result]
        assert_recorded([r.asnumpy() for r in result], recorded, name, size)
    net.hybridize()
    net(*(mx.nd.array(a) for a in inputs(1)))
    *_, onnx_file = net.export(tmp_path / "net")
    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    for size in detection_cases.BATCHES:
        answers = session.run(None, dict(zip(names, inputs(size), strict=True)))
        assert_recorded(answers, recorded, name, size)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradient_of_roi_pooling_goes_to_the_first_maximum(dtype):
    values = [[-0.0, 0.0, -1, -1], [0.0, 0.0, -1, -1], [-3, -2, 5, 5], [-2, -2, 5, 5]]
    data = mx.nd.array([[values]], dtype=dtype)
    data.attach_grad()
    with mx.autograd.record():
        out = mx.nd.ROIPooling(data, mx.nd.array([[0, 0, 0, 3, 3]], dtype=dtype), pooled_size=(2, 2), spatial_scale=1.0)
    out.backward(mx.nd.array([[[[1, 2], [3, 4]]]], dtype=dtype))
    assert out.asnumpy().tolist() == [[[[0, -1], [-2, 5]]]]
    assert data.grad.asnumpy().tolist() == [[[[1, 0, 2, 0], [0, 0, 0, 0], [0, 3, 4, 0], [0, 0, 0, 0]]]]  # MXNet 1.9.1's
