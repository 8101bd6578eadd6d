"""The files of old MXNets (tests/golden/make_eras.py), unpacked, with what is known of them."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ARCHIVES = Path(__file__).parents[1] / "golden" / "eras"
VERSIONS = sorted((p.stem for p in ARCHIVES.glob("*[0-9].zip")), key=lambda v: tuple(map(int, v.split("."))))


@dataclass(frozen=True)
class Era:
    """The archive of one version.

    Attributes:
        about: What its files are, as that MXNet tells.
        answers: Inputs and outputs, as it computes them.
        reread: What MXNet 1.9.1 makes of the files.
        again: Outputs that 1.9.1 computes otherwise.
        texts: The graphs as 1.9.1 writes them after loading them.
    """

    version: str
    about: dict
    answers: dict
    reread: dict
    again: dict
    texts: dict

    def unpack(self, folder):
        """Write the files of the archive to a folder."""
        with zipfile.ZipFile(ARCHIVES / f"{self.version}.zip") as archive:
            archive.extractall(folder)

    def inputs(self, name):
        """The inputs of a graph or block by name."""
        start = f"{name}/in/"
        return {key[len(start) :]: value for key, value in self.answers.items() if key.startswith(start)}

    def outputs(self, name):
        """The outputs of a graph or block, by 1.9.1 where they are not those of this version."""
        entry = self.about["graphs"].get(name) or self.about["blocks"][name]
        others = self.reread["other"].get(name, [])
        if entry["outputs"] is None:
            return [self.again[f"{name}/out/{i}"] for i in others]
        found, at = [], {}
        for i, (dtype, shape) in enumerate(entry["outputs"]):
            start, size = at.get(dtype, 0), int(np.prod(shape))
            at[dtype] = start + size
            own = self.answers[f"{name}/out/{dtype}"][start : start + size].reshape(shape)
            found.append(self.again[f"{name}/out/{i}"] if i in others else own)
        return found


def load_era(version):
    """Read what is known of the files of a version."""
    with zipfile.ZipFile(ARCHIVES / f"{version}.zip") as archive:
        about, answers = json.loads(archive.read("about.json")), _arrays(archive, "answers.npz")
    with zipfile.ZipFile(ARCHIVES / f"{version}-reread.zip") as archive:
        reread, again = json.loads(archive.read("reread.json")), _arrays(archive, "reread.npz")
        texts = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith("-symbol.json")}
    return Era(version, about, answers, reread, again, texts)


def _arrays(archive, name):
    with np.load(io.BytesIO(archive.read(name))) as file:
        return dict(file)
