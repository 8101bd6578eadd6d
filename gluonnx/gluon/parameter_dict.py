"""ParameterDict: the parameters of a block, and reading them from files."""

import re
from collections.abc import Collection, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any

import numpy as np

from gluonnx import initializer
from gluonnx.context import Context
from gluonnx.errors import (
    ParameterError,
    ParameterFileError,
    ParameterMismatchError,
)
from gluonnx.formats.saved_names import hint, without_scope
from gluonnx.gluon.constant import Constant
from gluonnx.gluon.parameter_description import as_shape
from gluonnx.gluon.parameter_value import Parameter
from gluonnx.ndarray.files import load as load_arrays
from gluonnx.ndarray.files import save as save_arrays
from gluonnx.ndarray.ndarray import NDArray
from gluonnx.ops.dtypes import as_dtype

__all__ = ["ParameterDict"]


class ParameterDict:
    """The parameters of a block, by name, in order of creation.

    Args:
        prefix: Put before the names of parameters that `get` creates.
        shared: A dictionary whose parameters `get` takes over instead of creating new ones.
    """

    def __init__(self, prefix: str = "", shared: "ParameterDict | None" = None) -> None:
        self._prefix = prefix
        self._params: dict[str, Parameter] = {}
        self._shared = shared

    def __repr__(self) -> str:
        name = f"{self._prefix} " if self._prefix else ""
        body = "\n".join(_indent(repr(p)) for p in self.values())
        return f"{name}(\n{body}\n)"

    def __getitem__(self, key: str) -> Parameter:
        return self._params[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __contains__(self, key: object) -> bool:
        return key in self._params

    def items(self) -> ItemsView[str, Parameter]:
        """Return (name, parameter) pairs."""
        return self._params.items()

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._params.keys()

    def values(self) -> ValuesView[Parameter]:
        """Return the parameters."""
        return self._params.values()

    @property
    def prefix(self) -> str:
        """Put before the names of parameters that `get` creates."""
        return self._prefix

    def get(self, name: str, **kwargs: Any) -> Parameter:
        """Return the parameter `prefix + name`: an own one, a shared one, or a new one made with `kwargs`.

        Raises:
            ParameterMismatchError: An existing parameter differs from what `kwargs` ask for.
        """
        name = self.prefix + name
        found = self._find(name)
        if found is None:
            found = self._params[name] = Parameter(name, **kwargs)
            return found
        for key, value in kwargs.items():
            self._agree(found, key, value)
        return found

    def get_constant(self, name: str, value: Any = None) -> Constant:
        """Return the constant `prefix + name`: an own one, a shared one, or a new one of this value.

        Raises:
            KeyError: There is none, and no value is given.
            ParameterMismatchError: There is a parameter of that name that is no constant, or has another value.
        """
        name = self.prefix + name
        found = self._find(name)
        if found is None:
            if value is None:
                raise KeyError(
                    f"No constant named '{name}'. Please specify value if you want to create a new constant."
                )
            found = self._params[name] = Constant(name, value)
            return found
        if not isinstance(found, Constant):
            raise ParameterMismatchError(f"Parameter '{name}' already exists but it is not a constant.")
        if value is not None:
            given = value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)
            if found.shape != given.shape or not (found.value.asnumpy() == given).all():
                raise ParameterMismatchError(f"Constant '{name}' already exists but its value doesn't match new value.")
        return found

    def _find(self, name: str) -> Parameter | None:
        if name in self._params:
            return self._params[name]
        if self._shared is not None:
            found = self._shared._find(name)
            if found is not None:
                self._params[name] = found
                return found
        return None

    def _agree(self, param: Parameter, key: str, value: Any) -> None:
        """Check that an existing parameter is as asked for, and complete its shape."""
        if not hasattr(param, key):
            setattr(param, key, value)
            return
        existing = getattr(param, key)
        if existing is None:
            if value is not None:
                setattr(param, key, value)
            return
        if key == "shape" and value is not None:
            wanted = as_shape(value)
            assert wanted is not None
            if len(wanted) == len(existing) and all(
                a == b or a in (0, -1) or b in (0, -1) for a, b in zip(wanted, existing, strict=True)
            ):
                param._shape = tuple(max(a, b) for a, b in zip(wanted, existing, strict=True))
                return
        elif key == "dtype" and value is not None and as_dtype(value) == as_dtype(existing):
            return
        if value is not None and value != existing:
            raise ParameterMismatchError(
                f"Cannot retrieve Parameter '{param.name}' because desired attribute does not match with stored for "
                f"attribute '{key}': desired '{value}' vs stored '{existing}'."
            )

    def update(self, other: "ParameterDict") -> None:
        """Take over every parameter of `other`.

        Raises:
            ParameterMismatchError: Two different parameters have the same name.
        """
        for name, param in other.items():
            if self._params.get(name, param) is not param:
                raise ParameterMismatchError(
                    f"Cannot update self with other because they have different Parameters with the same name '{name}'."
                )
        self._params.update(other._params)

    def initialize(
        self,
        init: Any = None,
        ctx: Context | Sequence[Context] | None = None,
        verbose: bool = False,
        force_reinit: bool = False,
    ) -> None:
        """Initialize every parameter.

        Args:
            init: Initializer of the parameters that have none of their own; `Uniform()` if None.
            ctx: Context, or several for a copy on each.
            verbose: Whether the initializer tells what it does.
            force_reinit: Initialize again those that are already.
        """
        chosen = initializer.Uniform() if init is None else initializer.create(init)
        if verbose:
            chosen.set_verbosity(verbose=verbose)
        for param in self.values():
            param.initialize(None, ctx, chosen, force_reinit=force_reinit)

    def zero_grad(self) -> None:
        """Set every gradient to 0."""
        for param in self.values():
            param.zero_grad()

    def reset_ctx(self, ctx: Context | Sequence[Context]) -> None:
        """Move every parameter to other contexts."""
        for param in self.values():
            param.reset_ctx(ctx)

    def list_ctx(self) -> list[Context]:
        """Return every context on which some parameter is initialized."""
        return list(dict.fromkeys(c for p in self.values() for c in p.list_ctx()))

    def setattr(self, name: str, value: Any) -> None:
        """Set an attribute of every parameter, such as `grad_req` or `lr_mult`."""
        for param in self.values():
            setattr(param, name, value)

    def save(self, filename: Any, strip_prefix: str = "") -> None:
        """Write every parameter to a `.params` file.

        Args:
            filename: The file.
            strip_prefix: Taken off the front of each name.

        Raises:
            ParameterError: A name does not begin with `strip_prefix`, or a parameter has not been initialized.
        """
        arrays: dict[str, NDArray] = {}
        for param in self.values():
            if not param.name.startswith(strip_prefix):
                raise ParameterError(
                    f"ParameterDict.save: a name does not begin with the prefix: expected {strip_prefix!r}, got "
                    f"{param.name!r}. It may belong to a shared block; use Block.save_parameters instead."
                )
            param._check_initialized()
            arrays[param.name[len(strip_prefix) :]] = param._reduce(copy=False)
        save_arrays(filename, arrays)

    def load(
        self,
        filename: Any,
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Read parameters from a `.params` file.

        Args:
            filename: The file.
            ctx: Context, or several, for parameters that have not been initialized.
            allow_missing: Leave parameters alone that the file does not have.
            ignore_extra: Ignore arrays that are no parameter.
            restore_prefix: Put before each name of the file.
            cast_dtype: Convert where dtypes differ.
            dtype_source: `"current"`: to the parameter's dtype; `"saved"`: take over the file's.

        Raises:
            ParameterFileError: Parameters are missing, extra or do not fit; all of them in one message.
        """
        loaded = load_arrays(filename)
        if not isinstance(loaded, Mapping):
            raise ParameterFileError(
                f"{filename}: arrays have no names: expected a file of named parameters, got {len(loaded)} arrays. It "
                f"was saved from a list, which mx.nd.load('{filename}') reads."
            )
        self._take(
            loaded,
            ctx,
            allow_missing,
            ignore_extra,
            restore_prefix,
            str(filename),
            cast_dtype,
            dtype_source,
            takes_over=True,
        )

    def load_dict(
        self,
        param_dict: Mapping[str, NDArray],
        ctx: Context | Sequence[Context] | None = None,
        allow_missing: bool = False,
        ignore_extra: bool = False,
        restore_prefix: str = "",
        filename: str | None = None,
        cast_dtype: bool = False,
        dtype_source: str = "current",
    ) -> None:
        """Take values from arrays by name; see `load` for the other arguments.

        Args:
            param_dict: Arrays by the name of their parameter, perhaps with `arg:` or `aux:` in front.
            ctx: See `load`.
            allow_missing: See `load`.
            ignore_extra: See `load`.
            restore_prefix: See `load`.
            filename: Where the arrays come from, for messages.
            cast_dtype: See `load`.
            dtype_source: See `load`.

        Raises:
            ParameterFileError: Parameters are missing, extra or do not fit; all of them in one message.
        """
        if not isinstance(param_dict, Mapping):
            raise ParameterFileError(
                f"{filename or 'param_dict'}: arrays have no names: expected arrays by name, got "
                f"a {type(param_dict).__name__}, which mx.nd.load gives for a file that was saved from a list."
            )
        self._take(
            param_dict,
            ctx,
            allow_missing,
            ignore_extra,
            restore_prefix,
            filename or "param_dict",
            cast_dtype,
            dtype_source,
            takes_over=False,
        )

    def _take(
        self,
        arrays: Mapping[str, NDArray],
        ctx: Context | Sequence[Context] | None,
        allow_missing: bool,
        ignore_extra: bool,
        restore_prefix: str,
        where: str,
        cast_dtype: bool,
        dtype_source: str,
        *,
        takes_over: bool,
    ) -> None:
        load_all(
            {p.name: p for p in self.values()},
            {restore_prefix + without_scope(name): value for name, value in arrays.items()},
            where,
            ctx,
            allow_missing,
            ignore_extra,
            cast_dtype,
            dtype_source,
            names=list(arrays),
            takes_over=takes_over,
        )


def load_all(
    params: Mapping[str, Parameter],
    arrays: dict[str, NDArray],
    where: str,
    ctx: Context | Sequence[Context] | None,
    allow_missing: bool,
    ignore_extra: bool,
    cast_dtype: bool,
    dtype_source: str,
    *,
    names: Collection[str] | None = None,
    takes_over: bool = False,
) -> None:
    """Load arrays into parameters of the same names; nothing is changed unless everything fits.

    The arrays are taken out of `arrays` as they are loaded, so that a large file is not held twice. `names` are those
    in the file, where `arrays` has others. With `takes_over` nobody else has the arrays, and a parameter may keep the
    memory of its array.

    Raises:
        ParameterFileError: Some parameters are missing, extra or do not fit; the message lists them all.
    """
    problems: list[str] = []
    if not allow_missing:
        missing = [n for n in params if n not in arrays]
        if missing:
            problems.append(
                f"Parameter {_quote(missing)} is missing in file '{where}', which contains parameters: "
                f"{_quote(arrays)}. Set allow_missing=True to ignore missing parameters."
            )
    if not ignore_extra:
        extra = [n for n in arrays if n not in params]
        if extra:
            problems.append(
                f"Parameter {_quote(extra)} loaded from file '{where}' is not present in this block, which has: "
                f"{_quote(params)}. Set ignore_extra=True to ignore."
            )
    for name, param in params.items():
        if name in arrays:
            problem = misfit(param, arrays[name], cast_dtype)
            if problem:
                problems.append(problem)
    if problems:
        told = "" if any(name in arrays for name in params) else hint(names or arrays, params, where)
        raise ParameterFileError("\n".join([told, *problems] if told else problems))
    for name, param in params.items():
        if name in arrays:
            param._load_init(arrays.pop(name), ctx, cast_dtype, dtype_source, takes_over=takes_over)


def misfit(param: Parameter, data: NDArray, cast_dtype: bool) -> str | None:
    """Return why an array cannot become a parameter's value, None if it can."""
    own = param.shape
    if own is not None and (
        len(own) != len(data.shape) or any(a not in (0, -1, b) for a, b in zip(own, data.shape, strict=True))
    ):
        return (
            f"Failed loading Parameter '{param.name}' from saved params: shape incompatible expected {own} vs saved "
            f"{data.shape}."
        )
    if not cast_dtype and param.dtype is not None and as_dtype(param.dtype) != as_dtype(data.dtype):
        return (
            f"Failed loading Parameter '{param.name}' from saved params: dtype incompatible expected "
            f"{as_dtype(param.dtype).name} vs saved {as_dtype(data.dtype).name}. Set cast_dtype=True to cast the dtype "
            "of saved params."
        )
    return None


def select(params: ParameterDict, pattern: str) -> ParameterDict:
    """Return the parameters whose names match a regular expression."""
    chosen = ParameterDict(params.prefix)
    expression = re.compile(pattern)
    for name, param in params.items():
        if expression.match(name):
            chosen._params[name] = param
    return chosen


def _quote(names: Any, limit: int = 24) -> str:
    listed = [f"'{n}'" for n in names]
    more = f", and {len(listed) - limit} more" if len(listed) > limit else ""
    return (", ".join(listed[:limit]) + more) or "none"


def _indent(text: str) -> str:
    return "  " + text.replace("\n", "\n  ")
