"""Files of trained weights, in a folder of this machine.

MXNet downloaded them from a server of the project. The server is gone, so only files that are there are used.
"""

import hashlib
import os
import re
from pathlib import Path

from gluonnx.base import data_dir
from gluonnx.context import Context
from gluonnx.errors import ArgumentError, DownloadError, FileAccessError, FormatError
from gluonnx.gluon.block import Block

__all__ = ["get_model_file", "purge"]

ROOT = str(Path(data_dir()) / "models")
"""Where MXNet keeps weights; `MXNET_HOME` when gluonnx was imported."""

NAMES = (
    "alexnet",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "inceptionv3",
    "mobilenet0.25",
    "mobilenet0.5",
    "mobilenet0.75",
    "mobilenet1.0",
    "mobilenetv2_0.25",
    "mobilenetv2_0.5",
    "mobilenetv2_0.75",
    "mobilenetv2_1.0",
    "resnet101_v1",
    "resnet101_v2",
    "resnet152_v1",
    "resnet152_v2",
    "resnet18_v1",
    "resnet18_v2",
    "resnet34_v1",
    "resnet34_v2",
    "resnet50_v1",
    "resnet50_v2",
    "squeezenet1.0",
    "squeezenet1.1",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
)
"""Networks for which MXNet published weights."""

DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8})\.params$")
"""A published file ends in the first eight digits of its SHA-1 digest."""


def get_model_file(name: str, root: str | os.PathLike[str] = ROOT) -> str:
    """Return the file `NAME-*.params` of a network's weights in the folder `root`.

    A file whose name ends in eight hexadecimal digits, as published, must have the SHA-1 digest that begins so.

    Differs: MXNet downloads a missing or damaged file; its server is gone, so this is an error here.

    Args:
        name: A network, as `get_model` calls it.
        root: Folder of the files; `~` is the home folder.

    Raises:
        ArgumentError: No weights of that name were ever published.
        DownloadError: There is no such file.
        FileAccessError: There are several.
        FormatError: The file is not the one that its name says.
    """
    if name not in NAMES:
        raise ArgumentError(
            f"model_zoo: Pretrained model for {name} is not available: expected one of {', '.join(NAMES)}, "
            f"got name={name!r}."
        )
    folder = Path(root).expanduser()
    found = sorted(folder.glob(f"{name}-*.params"))
    if not found:
        raise DownloadError(
            f"model_zoo `{name}`: no trained weights: expected a file {name}-*.params in {folder}, got none. The "
            "server from which MXNet downloaded them is gone. Put a file that you have there (MXNet kept them in "
            "~/.mxnet/models), name its folder with `root=`, or make the network without `pretrained=True` and call "
            "`load_parameters`."
        )
    if len(found) > 1:
        raise FileAccessError(
            f"model_zoo `{name}`: several files of weights: expected one {name}-*.params in {folder}, got "
            f"{', '.join(path.name for path in found)}. Keep one there, or call `load_parameters` with one."
        )
    path = found[0]
    named = DIGEST_IN_NAME.search(path.name)
    if named is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha1").hexdigest()
        if not digest.startswith(named[1]):
            raise FormatError(
                f"{path}: not the file that was published: expected a SHA-1 digest that begins with {named[1]}, got "
                f"{digest}. It is damaged; if it holds weights of your own, give it another name."
            )
    return str(path)


def purge(root: str | os.PathLike[str] = ROOT) -> None:
    """Delete every `.params` file in the folder `root`.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    for path in sorted(Path(root).expanduser().iterdir()):
        if path.suffix == ".params":
            path.unlink()


def load_pretrained(net: Block, name: str, root: str | os.PathLike[str], ctx: Context) -> None:
    """Give a network the trained weights of `name` that are in the folder `root`; see `get_model_file`."""
    net.load_parameters(get_model_file(name, root), ctx=ctx)
