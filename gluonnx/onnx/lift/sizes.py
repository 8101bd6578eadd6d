"""Sizes of dimensions that are not known: polynomials over the dimensions that a model leaves open."""

from collections.abc import Mapping
from functools import reduce
from math import gcd
from typing import TypeAlias

Monomial = tuple[str, ...]


class Size:
    """A polynomial with integer coefficients over named sizes, each of which is 0 or more.

    Operations give an int where the result is one. Equal polynomials are equal and have the same text.
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = dict(sorted((m, c) for m, c in terms.items() if c))

    @classmethod
    def named(cls, name: str) -> "Size":
        """Return the size that a model calls by a name."""
        return cls({(name,): 1})

    def __add__(self, other: "Dim") -> "Dim":
        terms = dict(self.terms)
        for monomial, count in _terms(other).items():
            terms[monomial] = terms.get(monomial, 0) + count
        return _dim(terms)

    __radd__ = __add__

    def __neg__(self) -> "Dim":
        return _dim({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: "Dim") -> "Dim":
        return self + (-other)

    def __rsub__(self, other: "Dim") -> "Dim":
        return (-self) + other

    def __mul__(self, other: "Dim") -> "Dim":
        terms: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                monomial = tuple(sorted(left + right))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _dim(terms)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(tuple(self.terms.items()))

    def __repr__(self) -> str:
        return "+".join("*".join([*([str(c)] if c != 1 or not m else []), *m]) for m, c in self.terms.items())

    @property
    def is_at_least_zero(self) -> bool:
        """Whether it is 0 or more whatever the sizes are."""
        return all(c >= 0 for c in self.terms.values())


Dim: TypeAlias = int | Size


def divide(size: Dim, by: Dim) -> Dim | None:
    """Return the quotient where the division leaves no rest, None where that is not known.

    Of two numbers, it is the quotient as ONNX defines it: rounded toward zero.
    """
    if isinstance(size, int) and isinstance(by, int):
        return None if not by else abs(size) // abs(by) * (1 if (size < 0) == (by < 0) else -1)
    divisor = _terms(by)
    if len(divisor) != 1:
        return 1 if size == by else None
    ((factors, count),) = divisor.items()
    if not count or reduce(gcd, (abs(c) for c in _terms(size).values()), 0) % abs(count):
        return None
    terms: dict[Monomial, int] = {}
    for monomial, c in _terms(size).items():
        rest = list(monomial)
        for factor in factors:
            if factor not in rest:
                return None
            rest.remove(factor)
        terms[tuple(rest)] = c // count
    return _dim(terms)


def differ(a: Dim, b: Dim) -> bool:
    """Whether two sizes differ whatever the open dimensions are."""
    rest = a - b
    if isinstance(rest, int):
        return rest != 0
    return (rest.terms.get((), 0) > 0 and rest.is_at_least_zero) or (
        rest.terms.get((), 0) < 0 and all(c <= 0 for c in rest.terms.values())
    )


def _terms(size: Dim) -> Mapping[Monomial, int]:
    return size.terms if isinstance(size, Size) else {(): size}


def _dim(terms: Mapping[Monomial, int]) -> Dim:
    kept = {m: c for m, c in terms.items() if c}
    if not kept:
        return 0
    return kept[()] if set(kept) == {()} else Size(kept)
