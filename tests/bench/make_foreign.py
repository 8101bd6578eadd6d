"""Write ONNX models as other tools export them, each with inputs in an `.npz` beside it, for `bench_foreign.py`.

    PYTHONPATH=.:cli:runtime python tests/bench/make_foreign.py FOLDER

Needs torch, and `onnxscript` for torch's newer exporter; models of tools that are not installed are left out with a
line that says so.
"""

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH = 2


@dataclass(frozen=True)
class Case:
    """A network and what it is given.

    Attributes:
        net: The module.
        inputs: Example arguments.
        opsets: Opsets of the older exporter.
        open_axes: By argument, the axes that are open; axis 0 if left out.
        has_dynamo: Whether torch's newer exporter takes it too.
    """

    net: nn.Module
    inputs: tuple[Tensor, ...]
    opsets: tuple[int, ...] = (17,)
    open_axes: tuple[dict[int, str], ...] | None = None
    has_dynamo: bool = True


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.one = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1))
        self.two = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1, groups=4), nn.BatchNorm2d(32), nn.LeakyReLU(0.1))
        self.down = nn.Conv2d(16, 32, 1, 2)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x))
        x = F.relu(x + self.one(x))
        x = F.relu6(self.two(x) + self.down(x))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1)).log_softmax(1)


class _Perceptron(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 32), nn.SiLU())
        self.tail = nn.Sequential(nn.Hardswish(), nn.Dropout(0.3), nn.PReLU(32), nn.Mish(), nn.Linear(32, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(self.layers(x)).softmax(-1)


class _Translator(nn.Module):
    """A transformer of encoder and decoder, over token numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 32)
        self.place = nn.Embedding(64, 32)
        self.body = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
        self.head = nn.Linear(32, 50)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        length = target.shape[1]
        mask = torch.triu(torch.full((length, length), float("-inf")), diagonal=1)
        x = self.words(source) + self.place(torch.arange(source.shape[1]))
        y = self.words(target) + self.place(torch.arange(length))
        return self.head(self.body(x, y, tgt_mask=mask))


class _Recurrent(nn.Module):
    def __init__(self, kind: str, hidden: int = 12) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(8, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * hidden, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, state = self.rnn(x)
        return self.head(y), state[0] if isinstance(state, tuple) else state


class _Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 12, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        y, _ = self.rnn(packed)
        out, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return out


class _Bag(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(30, 8, mode="mean")
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.bag(x))


class _Sound(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv1d(2, 8, 5, 2, 2, padding_mode="reflect"), nn.InstanceNorm1d(8), nn.ELU())
        self.glu = nn.Sequential(nn.Conv1d(8, 16, 3, 1, 2, dilation=2), nn.GLU(1), nn.GroupNorm(2, 8))
        self.up = nn.ConvTranspose1d(8, 2, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.up(self.glu(self.down(x))))


class _Volume(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.Softplus(), nn.MaxPool3d(2))
        self.up = nn.ConvTranspose3d(4, 2, 2, 2, output_padding=1)
        self.mean = nn.AvgPool3d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.mean(self.up(self.conv(x)))


class _UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, 2, 1)
        self.up, self.c = nn.ConvTranspose2d(16, 8, 3, 2, 1, 1), nn.Conv2d(16, 12, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.a(x))
        y = torch.cat([a, self.up(F.relu(self.b(a)))], 1)
        y = F.interpolate(self.c(y), scale_factor=2, mode="bilinear", align_corners=False)
        y = F.interpolate(y, size=(20, 24), mode="nearest")
        y = F.interpolate(y, scale_factor=1.5, mode="bicubic", align_corners=False)
        return self.shuffle(F.pad(y, (1, 2, 0, 1)))


class _Warp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.find = nn.Linear(3 * 8 * 8, 6)
        nn.init.normal_(self.find.weight, std=0.01)
        self.find.bias.data.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))

    def forward(self, x: Tensor) -> Tensor:
        grid = F.affine_grid(self.find(x.flatten(1)).view(-1, 2, 3), [x.shape[0], 3, 6, 6], align_corners=False)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


class _Sampler(nn.Module):
    def forward(self, x: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
        zeros = F.grid_sample(x, grid, mode="bicubic", padding_mode="zeros", align_corners=True)
        return zeros, F.grid_sample(x, grid, mode="nearest", padding_mode="reflection", align_corners=False)


class _Sums(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 5, 6))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.einsum("bij,jkl->bikl", x, self.w), torch.einsum("bij,bkj->bik", x, y)


class _Picker(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        score = self.score(x).squeeze(-1)
        best, index = score.topk(3, dim=1)
        chosen = x.gather(1, index.unsqueeze(-1).expand(-1, -1, 6))
        order = torch.argsort(score, dim=1, descending=True)
        return best.cumsum(1), chosen, order


class _Scatterer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(6))

    def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = x * self.w
        base = torch.zeros_like(y)
        added = base.scatter_add(1, index, y)
        put = base.scatter(1, index, y * 2)
        edited = y.clone()
        edited[:, 2:4] = 1.5
        edited[:, 0] = added[:, 1]
        return added, put, torch.where(edited > 0.3, edited, put)


class _Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x * self.w
        return y[x > 0], torch.nonzero(x > 0.5)


class _Looped(nn.Module):
    """A loop and a branch that a script keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(6, 6)

    def forward(self, x: Tensor, steps: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for k in range(int(steps)):
            x = torch.tanh(self.cell(x))
            total = total + x if k % 2 == 0 else total - x
        return total if bool(total.sum() > 0) else total * 2


class _Sequences(nn.Module):
    """A list that a loop of a script fills."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x[:, 0])
        kept: list[Tensor] = []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            kept.append(h)
        return torch.stack(kept, 1)


class _Statistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = x @ self.w
        low = y.min(1, keepdim=True)
        return (
            y.std(1),
            y.var((1, 2), unbiased=False),
            y.logsumexp(2),
            low.values,
            low.indices,
            y.norm(dim=2),
            y.clamp(-0.5, 0.5).prod(2),
            y.roll(1, 1).flip(2),
            torch.triu(y).tril(1),
            y.unfold(1, 2, 1).sum(-1),
            y.argmax(2),
            torch.remainder(y, 0.3),
            F.one_hot(y.argmax(2), 4).float() @ self.w.T,
        )


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.scale = nn.Parameter(torch.ones(16))

    def forward(self, x: Tensor) -> Tensor:
        b, t, _ = x.shape
        normed = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale
        q, k, v = self.qkv(normed).view(b, t, 3, 4, 4).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + self.out(y.transpose(1, 2).reshape(b, t, 16))


class _Classic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5)
        self.norm = nn.LocalResponseNorm(3)
        self.fc = nn.Linear(6 * 4 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(self.norm(F.selu(self.conv(x))), 3, 3, ceil_mode=True)
        return F.hardtanh(self.fc(x.reshape(x.size(0), -1)))


def _cases() -> Iterator[tuple[str, Case]]:
    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape) * 2 - 1

    def ints(high: int, *shape: int) -> Tensor:
        return torch.randint(0, high, shape)

    time = ({0: "batch", 1: "time"},)
    every = (7, 9, 11, 13, 15, 17, 20)
    yield "residual", Case(_Residual(), (rand(BATCH, 3, 32, 32),), every)
    yield "perceptron", Case(_Perceptron(), (rand(BATCH, 20),), (9, 13, 17, 20))
    two = (*time, {0: "batch", 1: "length"})
    yield "translator", Case(_Translator(), (ints(50, BATCH, 7), ints(50, BATCH, 5)), (14, 17), two)
    for kind in ("LSTM", "GRU", "RNN"):
        yield kind.lower(), Case(_Recurrent(kind), (rand(BATCH, 6, 8),), (9, 13, 17), time)
    yield "packed", Case(_Packed(), (rand(BATCH, 6, 8), torch.tensor([6, 4])), (11, 17), None, False)
    yield "bag", Case(_Bag(), (ints(30, BATCH, 5),), (13, 17))
    yield "sound", Case(_Sound(), (rand(BATCH, 2, 32),), (11, 17), ({0: "batch", 2: "time"},))
    yield "volume", Case(_Volume(), (rand(BATCH, 1, 8, 8, 8),), (11, 17))
    yield "unet", Case(_UNet(), (rand(BATCH, 3, 8, 10),), (11, 17))
    yield "warp", Case(_Warp(), (rand(BATCH, 3, 8, 8),), (20,))
    yield "sampler", Case(_Sampler(), (rand(BATCH, 2, 5, 6), rand(BATCH, 4, 3, 2) * 1.2), (16, 20))
    yield "sums", Case(_Sums(), (rand(BATCH, 3, 4), rand(BATCH, 2, 4)), (12, 17))
    yield "picker", Case(_Picker(), (rand(BATCH, 7, 6),), (11, 17))
    yield "scatterer", Case(_Scatterer(), (rand(BATCH, 6), ints(6, BATCH, 6)), (11, 16, 17))
    yield "masked", Case(_Masked(), (rand(BATCH, 5),), (11, 17))
    yield "statistics", Case(_Statistics(), (rand(BATCH, 4, 3),), (14, 17, 18))
    yield "attention", Case(_Attention(), (rand(BATCH, 6, 16),), (14, 18), time)
    yield "classic", Case(_Classic(), (rand(BATCH, 1, 16, 16),), (10, 17))
    looped = torch.jit.script(_Looped())
    yield "looped", Case(looped, (rand(BATCH, 6), torch.tensor(3)), (11, 17), ({0: "batch"}, {}), False)
    yield "sequences", Case(torch.jit.script(_Sequences()), (rand(BATCH, 4, 6),), (11, 17), time, False)


def _save(folder: Path, name: str, write: Callable[[Path], None], arrays: dict[str, np.ndarray]) -> bool:
    """Write a model and its inputs; say what went wrong otherwise."""
    path = folder / f"{name}.onnx"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(path)
    except Exception as err:
        print(f"{name}: not exported: {type(err).__name__}: {str(err).strip().splitlines()[:1]}", file=sys.stderr)
        path.unlink(missing_ok=True)
        return False
    model = onnx.load(path, load_external_data=False)
    used = {i.name for i in model.graph.input}
    np.savez(path.with_suffix(".npz"), **{n: a for n, a in arrays.items() if n in used})
    return True


def _from_torch(folder: Path) -> None:
    has_newer = importlib.util.find_spec("onnxscript") is not None
    if not has_newer:
        print("torch's newer exporter: needs onnxscript, which is not installed", file=sys.stderr)
    for name, case in _cases():
        case.net.eval()
        names = [f"x{k}" for k in range(len(case.inputs))]
        arrays = {n: t.numpy() for n, t in zip(names, case.inputs, strict=True)}
        axes = case.open_axes or tuple({0: "batch"} for _ in names)
        options: dict[str, Any] = {"input_names": names, "dynamic_axes": dict(zip(names, axes, strict=True))}
        for opset in case.opsets:

            def older(path: Path, opset: int = opset, case: Case = case, options: dict[str, Any] = options) -> None:
                torch.onnx.export(case.net, case.inputs, str(path), opset_version=opset, dynamo=False, **options)

            _save(folder, f"{name}_{opset}", older, arrays)
        if has_newer and case.has_dynamo:
            dims: dict[str, Any] = {}
            shapes = tuple({a: dims.setdefault(d, torch.export.Dim.DYNAMIC) for a, d in ax.items()} for ax in axes)

            def newer(path: Path, case: Case = case, shapes: Any = shapes, names: list[str] = names) -> None:
                program = torch.onnx.export(
                    case.net, case.inputs, input_names=names, dynamic_shapes=shapes, dynamo=True, verbose=False
                )
                program.save(str(path))

            _save(folder, f"{name}_dynamo", newer, arrays)


def _quantized(folder: Path) -> None:
    """Quantize two of the models as ONNX Runtime's tool does: with measured ranges, and while running."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):
        def __init__(self, path: Path) -> None:
            with np.load(path) as file:
                self.feeds = iter([{n: file[n] for n in file.files}])

        def get_next(self) -> Any:
            return next(self.feeds, None)

    for name in ("residual_17", "perceptron_17", "translator_17", "lstm_17"):
        source = folder / f"{name}.onnx"
        inputs = source.with_suffix(".npz")
        with np.load(inputs) as file:
            arrays = {n: file[n] for n in file.files}
        for label, form, kind in (
            ("qdq", QuantFormat.QDQ, QuantType.QInt8),
            ("qoperator", QuantFormat.QOperator, QuantType.QUInt8),
        ):

            def static(path: Path, form: Any = form, kind: Any = kind, source: Path = source) -> None:
                quantize_static(
                    source, path, Reader(source.with_suffix(".npz")), quant_format=form, activation_type=kind,
                    weight_type=QuantType.QInt8, per_channel=form is QuantFormat.QDQ,
                )  # fmt: skip

            _save(folder, f"{name}_{label}", static, arrays)
        _save(folder, f"{name}_dynamic", lambda path, source=source: quantize_dynamic(source, path), arrays)


def _half(folder: Path) -> None:
    if importlib.util.find_spec("onnxconverter_common") is None:
        print("float16: needs onnxconverter-common, which is not installed", file=sys.stderr)
        return
    from onnxconverter_common import float16

    for name in ("residual_17", "perceptron_17"):
        with np.load(folder / f"{name}.npz") as file:
            arrays = {n: file[n] for n in file.files}

        def write(path: Path, name: str = name) -> None:
            onnx.save(float16.convert_float_to_float16(onnx.load(folder / f"{name}.onnx"), keep_io_types=True), path)

        _save(folder, f"{name}_half", write, arrays)


def _from_sklearn(folder: Path) -> None:
    if importlib.util.find_spec("skl2onnx") is None or importlib.util.find_spec("sklearn") is None:
        print("scikit-learn: needs scikit-learn and skl2onnx, which are not installed", file=sys.stderr)
        return
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    for name, fitted in {
        "sklearn_mlp": MLPRegressor(hidden_layer_sizes=(8,), max_iter=20).fit(x, y),
        "sklearn_scaler": StandardScaler().fit(x),
        "sklearn_logistic": LogisticRegression().fit(x, y),
        "sklearn_forest": RandomForestClassifier(3).fit(x, y),
    }.items():

        def write(path: Path, fitted: Any = fitted) -> None:
            path.write_bytes(to_onnx(fitted, x[:1], options={"zipmap": False} if hasattr(fitted, "classes_") else None).SerializeToString())  # fmt: skip  # noqa: E501

        _save(folder, name, write, {"X": x[:BATCH]})


def main() -> None:
    """Write all models into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    _from_torch(folder)
    _quantized(folder)
    _half(folder)
    _from_sklearn(folder)
    print(f"{len(list(folder.glob('*.onnx')))} models in {folder}")


if __name__ == "__main__":
    main()
