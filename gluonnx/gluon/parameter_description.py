"""What a parameter is, apart from its values: name, shape, dtype, storage, initializer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluonnx.errors import ParameterMismatchError
from gluonnx.symbol.symbol import Symbol, var
from gluonnx.util import is_np_shape

__all__ = ["Description", "as_shape"]

Shape = tuple[int, ...]
STORAGE_TYPES = ("default", "row_sparse", "csr")


class Description:
    """A parameter without its values; see `Parameter` for the arguments.

    Raises:
        ParameterMismatchError: A storage type is unknown.
    """

    def __init__(
        self,
        name: str,
        shape: int | Sequence[int] | None,
        dtype: Any,
        lr_mult: float,
        wd_mult: float,
        init: Any,
        stype: str,
        grad_stype: str,
    ) -> None:
        for key, value in (("stype", stype), ("grad_stype", grad_stype)):
            if value not in STORAGE_TYPES:
                raise ParameterMismatchError(
                    f"Parameter `{name}`: unknown storage type: expected one of {', '.join(STORAGE_TYPES)}, "
                    f"got {key}={value!r}."
                )
        self.name = name
        self.lr_mult = lr_mult
        self.wd_mult = wd_mult
        self.init = init
        self._stype = stype
        self._grad_stype = grad_stype
        self._shape: Shape | None = as_shape(shape)
        self._dtype = dtype
        self._var: Symbol | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.name} (shape={self.shape}, dtype={self._dtype})"

    @property
    def shape(self) -> Shape | None:
        """Shape, with 0 (-1 under `np_shape`) for unknown dimensions; can be set if it agrees with what is known.

        Raises:
            ParameterMismatchError: A known dimension would change.
        """
        if self._shape is not None and is_np_shape():
            return tuple(d or -1 for d in self._shape)
        return self._shape

    @shape.setter
    def shape(self, new_shape: Sequence[int]) -> None:
        new = as_shape(new_shape)
        assert new is not None
        if self._shape is None:
            self._shape = new
            return
        if len(self._shape) != len(new) or any(
            old not in (0, -1, size) for old, size in zip(self._shape, new, strict=True)
        ):
            raise ParameterMismatchError(
                f"Parameter `{self.name}`: the shape cannot change: Expected shape {new} is incompatible with given "
                f"shape {self._shape}."
            )
        self._shape = new

    @property
    def stype(self) -> str:
        """Storage type of the data."""
        return self._stype

    @property
    def grad_stype(self) -> str:
        """Storage type of the gradient."""
        return self._grad_stype

    def rename(self, name: str) -> None:
        """Give the parameter another name; dictionaries that hold it under the old one are their owner's to correct."""
        self.name = name
        self._var = None

    def var(self) -> Symbol:
        """Return the variable that stands for the parameter in symbols."""
        if self._var is None:
            self._var = var(
                self.name,
                shape=self.shape,
                dtype=self._dtype,
                lr_mult=self.lr_mult,
                wd_mult=self.wd_mult,
                init=self.init,
                stype=self._stype,
            )
        return self._var

    def _is_known(self) -> bool:
        return self._shape is not None and all(d > 0 for d in self._shape)

    def _take_saved_shape(self, saved: Shape) -> None:
        """Take the shape of an array from a file.

        Raises:
            ParameterMismatchError: It does not fit what is known.
        """
        if self._shape is not None:
            fits = len(self._shape) == len(saved) and all(
                own in (0, -1, given) for own, given in zip(self._shape, saved, strict=True)
            )
            if not fits:
                raise ParameterMismatchError(
                    f"Failed loading Parameter '{self.name}' from saved params: shape incompatible expected "
                    f"{self._shape} vs saved {saved}."
                )
        self._shape = saved


def as_shape(shape: int | Sequence[int] | None) -> Shape | None:
    """Return a shape as a tuple of ints; None stays None."""
    if shape is None:
        return None
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(d) for d in shape)
