"""One row of the operator table: what a declaration says, and the questions that are asked of it."""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor

from gluonnx.errors import AttributeValueError, InputError, LoweringError
from gluonnx.ops.attributes import REQUIRED, Attribute, attribute, shortened, to_text
from gluonnx.ops.declaration import RUNTIME_KEYWORDS, Attrs, Gradient, Input, Shapes, SparseRule, Unsupported, Wiring

Rule = TypeVar("Rule", bound=Callable[..., Any])

COUNTING = frozenset({"num_args", "num_arrays", "num_out_data", "num_outputs", "num_weights", "sections"})
"""Attributes that tell how many inputs or outputs an operator has, and so how many names a graph must have for them."""
MAX_COUNT = 1 << 16
"""Largest number of inputs or outputs that an attribute may tell; MXNet has no limit but memory."""


class Operator:
    """One row of the table.

    Attributes:
        name: MXNet's registered name, the `op` of symbol-json.
        aliases: Other registered names.
        inputs: Declared inputs, in order. A variadic operator has one, its pattern.
        variadic: Whether the last input repeats.
        count_attribute: Attribute that holds the number of variadic inputs (`num_args`), if any.
        attributes: Typed attributes, in MXNet's order.
        forward: The torch function.
        runtime: Which of `RUNTIME_KEYWORDS` the torch function takes.
        method: Names under which NDArray and Symbol have it as a method.
        view: Whether the torch function may return its input or a view of it. An imperative call outside `record`
            copies then, because MXNet's operators never share memory with their inputs.
        shapes: How unknown dimensions follow from known ones.
        variable_init: Description of the initializer that a made-up variable carries, by input name.
        source: Where its semantics are stated.
        sparse_rule: What it does with sparse storage; None: it computes on dense forms.
        is_open: Whether its inputs and attributes depend on the call (`Custom`).
        named: For a variadic operator, the names of its inputs where attributes fix their number, else none.
        subgraphs: Names of the subgraphs that it runs.
    """

    is_open = False

    __slots__ = (
        "_auxiliary_rule",
        "_counting",
        "_draws",
        "_dtype_rule",
        "_gradient",
        "_lowering",
        "_output_rule",
        "_outputs",
        "_parameter_rule",
        "_quick",
        "_unread",
        "_visible",
        "_when",
        "_wirings",
        "aliases",
        "attributes",
        "count_attribute",
        "doc",
        "forward",
        "inputs",
        "method",
        "name",
        "named",
        "runtime",
        "shapes",
        "source",
        "sparse_rule",
        "subgraphs",
        "variable_init",
        "variadic",
        "view",
    )

    def __init__(
        self,
        forward: Callable[..., Any],
        name: str,
        aliases: Sequence[str],
        *,
        source: str,
        aux: str | Callable[[Attrs], Sequence[int]],
        outputs: str | Callable[[Attrs], Sequence[str]],
        visible: int | Callable[[Attrs], int] | None,
        unread: int | Callable[[Attrs], int],
        when: Mapping[str, Callable[[Attrs], bool]],
        count_attribute: str | None,
        no_effect: Iterable[Attribute],
        method: Sequence[str],
        view: bool,
        variable_init: Mapping[str, str],
        shapes: Shapes = "derived",
        gradient: Gradient | Callable[[Attrs], Gradient] = "chain",
        named: Callable[[Attrs], Sequence[str]] = lambda attrs: (),
        subgraphs: str = "",
        wirings: Callable[[Attrs], Sequence[Wiring]] | None = None,
        draws: Callable[[Attrs], bool] | None = None,
    ) -> None:
        self.name = name
        self.named = named
        self.subgraphs = tuple(subgraphs.split())
        self._wirings = wirings
        self._draws = draws
        self.aliases = tuple(aliases)
        self.forward = forward
        self.source = source
        self.doc = inspect.getdoc(forward) or ""
        self.method = tuple(method)
        self.view = view
        self.shapes = shapes
        self.variable_init = dict(variable_init)
        self._gradient = gradient
        self.count_attribute = count_attribute
        self._outputs = outputs
        self._visible = visible
        self._unread = unread
        self._when = dict(when)
        self._lowering: tuple[Callable[..., Any], frozenset[str]] | Unsupported | None = None
        self._quick: tuple[Callable[..., Any], frozenset[str]] | None = None
        self.sparse_rule: SparseRule | None = None
        self._parameter_rule: tuple[Callable[..., Any], tuple[str, ...], frozenset[str]] | None = None
        self._output_rule: tuple[Callable[..., Any], frozenset[str]] | None = None
        self._dtype_rule: tuple[Callable[..., Any], tuple[str, ...], frozenset[str]] | None = None
        hints = typing.get_type_hints(forward, include_extras=True)
        self._auxiliary_rule = aux if callable(aux) else None
        auxiliary = frozenset(() if callable(aux) else aux.split())
        inputs: list[Input] = []
        attributes: dict[str, Attribute] = {}
        runtime: set[str] = set()
        self.variadic = False
        for p in inspect.signature(forward).parameters.values():
            if p.kind is p.KEYWORD_ONLY:
                if p.name in RUNTIME_KEYWORDS:
                    runtime.add(p.name)
                else:
                    default = REQUIRED if p.default is p.empty else p.default
                    attributes[p.name] = attribute(p.name, hints[p.name], default)
            elif p.kind is not p.VAR_KEYWORD:
                self.variadic = self.variadic or p.kind is p.VAR_POSITIONAL
                inputs.append(Input(p.name, p.default is None, p.name in auxiliary))
        for extra in no_effect:
            attributes[extra.name] = extra
        if count_attribute is not None:
            attributes.setdefault(count_attribute, attribute(count_attribute, int, None, has_effect=False))
        self.inputs = tuple(inputs)
        self.attributes = attributes
        self._counting = tuple(name for name in attributes if name in COUNTING)
        self.runtime = frozenset(runtime)

    def __repr__(self) -> str:
        return f"<Operator {self.name}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The registered name and its aliases."""
        return (self.name, *self.aliases)

    # Declaration -----------------------------------------------------------------------------------------------------

    def onnx(self, lowering: Rule) -> Rule:
        """Decorator: declare the ONNX lowering `(g, *inputs, *, attributes it reads) -> Value or tuple of Values`."""
        self._lowering = (lowering, _keywords(lowering, self))
        return lowering

    def no_onnx(self, reason: str) -> None:
        """Declare that ONNX cannot express the operator, and why."""
        self._lowering = Unsupported(reason)

    def parameters(self, rule: Rule) -> Rule:
        """Decorator: declare the shapes of parameter inputs from the shapes of the others.

        The rule's positional parameters name the inputs whose shapes it reads, its keywords the attributes.
        """
        self._parameter_rule = (rule, _positional(rule), _keywords(rule, self))
        return rule

    def output_shapes(self, rule: Rule) -> Rule:
        """Decorator: declare the shapes of the visible outputs from those of the inputs, for the ordinary cases.

        The rule's positional parameters are the shapes of the inputs of a node, in order, its keywords the attributes.
        It returns a shape for each output, or None where the torch function, run on meta tensors, is to tell or to
        raise. That is always right; but it takes about 1 ms, and for some functions loads parts of torch that take 1 s.
        """
        self._output_rule = (rule, _keywords(rule, self))
        return rule

    def dtypes(self, rule: Rule) -> Rule:
        """Decorator: declare dtypes by input and output name, where they are not all one or the `dtype` attribute.

        The rule's positional parameters are the dtypes of the inputs that it names (canonical names, None where
        unknown), its keywords the attributes. It leaves out what it cannot tell.
        """
        self._dtype_rule = (rule, _positional(rule), _keywords(rule, self))
        return rule

    def sparse(self, rule: Rule, *, is_recorded: bool = False, takes_dense: bool = False) -> Rule:
        """Declare what the operator does with sparse storage; see `SparseRule`. Also a decorator."""
        self.sparse_rule = SparseRule(rule, _keywords(rule, self), is_recorded, takes_dense)
        return rule

    def quick(self, rule: Rule) -> Rule:
        """Decorator: declare what an imperative call with given attributes comes down to.

        The rule's keywords are attributes. It returns a function of tensors that gives what the torch function gives,
        with all that follows from the attributes done, or None where there is no such function. The function may leave
        out checks that only tell an error better: where it raises, the torch function is called and tells it. What it
        returns shares no memory with its inputs, even where `view` is set; it may leave out hidden outputs and states
        that stay as they are. Where the operator asks for `training`, it is called outside of training only.
        """
        self._quick = (rule, _keywords(rule, self))
        return rule

    def quick_call(self, attrs: Attrs) -> Callable[..., Any] | None:
        """Return the function that the `quick` rule gives for typed attributes, None without one."""
        if self._quick is None:
            return None
        rule, keywords = self._quick
        found: Callable[..., Any] | None = rule(**{k: attrs[k] for k in keywords})
        return found

    @property
    def takes_dense(self) -> bool:
        """Whether the rule for sparse storage is asked for dense inputs too."""
        return self.sparse_rule is not None and self.sparse_rule.takes_dense

    # Use -------------------------------------------------------------------------------------------------------------

    def parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every attribute the torch function reads, typed, with defaults filled in.

        Args:
            given: Attribute values as Python objects or as MXNet's text.

        Raises:
            AttributeValueError: An attribute is unknown, missing, or not of its type.
        """
        attributes = self.attributes
        for key in given:
            if key not in attributes:
                raise AttributeValueError(
                    f"{self.name}: unknown attribute: expected one of {', '.join(attributes) or 'none'}, got "
                    f"{shortened(key)}."
                )
        parsed: dict[str, Any] = {}
        for name, spec in attributes.items():
            if name in given:
                value = given[name]
                try:
                    typed = spec.parse(value)
                except (ValueError, TypeError, OverflowError):
                    raise AttributeValueError(
                        f"{self.name}: attribute `{name}` has a wrong value: expected {spec.describe}, "
                        f"got {name}={shortened(value)}."
                    ) from None
            elif spec.required:
                raise AttributeValueError(
                    f"{self.name}: attribute `{name}` is missing: expected {spec.describe}. Pass `{name}=`."
                )
            else:
                typed = spec.default
            if spec.has_effect:
                parsed[name] = typed
        for name in self._counting:
            self._check_number(name, parsed.get(name))
        return parsed

    def _check_number(self, name: str, value: Any) -> None:
        """Raise unless a number of inputs or outputs is one that a graph can have."""
        if isinstance(value, int) and value > MAX_COUNT:
            raise AttributeValueError(
                f"{self.name}: attribute `{name}` is too large: expected at most {MAX_COUNT}, got {name}={value}."
            )

    def input_count(self, given: Mapping[str, Any]) -> int | None:
        """Return the number of inputs that the attributes of a variadic operator tell, None if they do not.

        Raises:
            AttributeValueError: It is no number, or too large.
        """
        name = self.count_attribute
        if name is None or given.get(name) in (None, "", "None"):
            return None
        try:
            value = int(self.attributes[name].parse(given[name]))
        except (ValueError, TypeError, OverflowError):
            raise AttributeValueError(
                f"{self.name}: attribute `{name}` has a wrong value: expected a number, got "
                f"{name}={shortened(given[name])}."
            ) from None
        self._check_number(name, value)
        return value

    def to_text(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return attributes as MXNet's text, in the order given."""
        return {key: to_text(value) for key, value in given.items()}

    def active_inputs(self, attrs: Attrs, count: int | None = None) -> tuple[Input, ...]:
        """Return the inputs that a node with these attributes has (no `bias` under `no_bias=True`).

        Args:
            attrs: Typed attributes.
            count: Number of inputs of a variadic operator.
        """
        if self.variadic:
            if names := self.named(attrs):
                return tuple(Input(name) for name in names)
            fixed, pattern = self.inputs[:-1], self.inputs[-1]
            repeat = (count or 0) - len(fixed)
            return (*fixed, *(Input(f"{pattern.name}{i}") for i in range(repeat)))
        when = self._when
        if not when:
            return self.inputs
        return tuple(i for i in self.inputs if i.name not in when or when[i.name](attrs))

    def output_names(self, attrs: Attrs) -> tuple[str, ...]:
        """Return the names of all outputs, hidden ones included."""
        if callable(self._outputs):
            return tuple(self._outputs(attrs))
        return tuple(self._outputs.split())

    def visible_outputs(self, attrs: Attrs) -> int:
        """Return how many outputs a caller sees (BatchNorm hides its mean and variance)."""
        if self._visible is None:
            return len(self.output_names(attrs))
        return self._visible(attrs) if callable(self._visible) else self._visible

    def unread_outputs(self, attrs: Attrs) -> int:
        """Return how many more outputs MXNet's node has, which nothing can read (a mask, a workspace)."""
        return self._unread(attrs) if callable(self._unread) else self._unread

    def wirings(self, attrs: Attrs) -> Sequence[Wiring]:
        """Return how each subgraph of a node with these attributes is joined to it."""
        return () if self._wirings is None else self._wirings(attrs)

    def draws(self, attrs: Attrs) -> bool:
        """Return whether a node with these attributes draws random numbers at inference."""
        if self._draws is not None:
            return self._draws(attrs)
        return "generator" in self.runtime and "training" not in self.runtime

    @property
    def carries_values(self) -> bool:
        """Whether the shapes of its outputs may follow from values of its inputs that follow from shapes."""
        return False

    @property
    def is_branch(self) -> bool:
        """Whether its first input, a condition, says which of its two subgraphs runs; only with `carries_values`."""
        return False

    def infer_outputs(self, inputs: Sequence[Tensor | None], attrs: Attrs) -> Sequence[Tensor | None]:
        """Return outputs for an operator with `carries_values`: meta tensors, or arrays where values are known.

        Args:
            inputs: Each one likewise; None where nothing is known.
            attrs: Typed attributes.
        """
        raise NotImplementedError(f"{self.name}: shapes follow from running it")

    @property
    def is_single_output(self) -> bool:
        """Whether the torch function returns one tensor whatever its attributes."""
        return isinstance(self._outputs, str) and " " not in self._outputs and not self.has_state

    @property
    def has_state(self) -> bool:
        """Whether the operator may have auxiliary inputs."""
        return self._auxiliary_rule is not None or any(spec.auxiliary for spec in self.inputs)

    def auxiliary_positions(self, attrs: Attrs) -> tuple[int, ...]:
        """Return the positions of auxiliary inputs of a node with these attributes.

        The torch function returns their new values (or None) after its outputs.
        """
        if self._auxiliary_rule is not None:
            return tuple(self._auxiliary_rule(attrs))
        return tuple(i for i, spec in enumerate(self.inputs) if spec.auxiliary)

    @property
    def unsupported_reason(self) -> str | None:
        """Why the operator has no ONNX lowering, None if it has one."""
        if isinstance(self._lowering, Unsupported):
            return self._lowering.reason
        return "no lowering is declared" if self._lowering is None else None

    @property
    def is_lowering_declared(self) -> bool:
        """Whether the table says how, or why not, the operator is expressed in ONNX."""
        return self._lowering is not None

    def lower(self, g: Any, inputs: Sequence[Any], attrs: Attrs) -> tuple[Any, ...]:
        """Add the operator to an ONNX graph and return its values, one for each output that the lowering gives.

        Raises:
            LoweringError: ONNX cannot express the operator, or this use of it.
        """
        if self._lowering is None or isinstance(self._lowering, Unsupported):
            raise LoweringError(f"{self.name}: has no ONNX form: {self.unsupported_reason}.")
        rule, keywords = self._lowering
        result = rule(g, *inputs, **{k: attrs[k] for k in keywords})
        return result if isinstance(result, tuple) else (result,)

    @property
    def has_parameter_rule(self) -> bool:
        """Whether shapes of some inputs follow from the others."""
        return self._parameter_rule is not None

    def parameter_shapes(
        self, shapes: Mapping[str, tuple[int, ...] | None], attrs: Attrs
    ) -> dict[str, tuple[int, ...]]:
        """Return the shapes of parameter inputs; empty if the inputs that the rule reads are not all known.

        Args:
            shapes: Known input shapes by input name, None where unknown.
            attrs: Typed attributes.
        """
        if self._parameter_rule is None:
            return {}
        rule, positional, keywords = self._parameter_rule
        known = [shapes.get(name) for name in positional]
        if any(s is None for s in known):
            return {}
        try:
            result: dict[str, tuple[int, ...]] = rule(*known, **{k: attrs[k] for k in keywords})
        except IndexError as err:
            given = ", ".join(f"{name}={shape}" for name, shape in zip(positional, known, strict=True))
            raise InputError(f"{self.name}: wrong rank: expected inputs with more axes, got {given}.") from err
        return result

    def told_shapes(self, shapes: Sequence[tuple[int, ...]], attrs: Attrs) -> Sequence[tuple[int, ...]] | None:
        """Return the shapes of the outputs if they follow from those of the inputs without running anything.

        Args:
            shapes: Shape of each input that a node has.
            attrs: Typed attributes.
        """
        if self._output_rule is not None:
            rule, keywords = self._output_rule
            told: Sequence[tuple[int, ...]] | None = rule(*shapes, **{k: attrs[k] for k in keywords})
            return told
        if self.shapes not in ("same", "broadcast") or len(set(shapes)) != 1:
            return None
        # An axis may be out of range.
        return None if "axis" in self.attributes or len(self.output_names(attrs)) != 1 else shapes[:1]

    @property
    def has_dtype_rule(self) -> bool:
        """Whether dtypes follow by a rule of the operator's own."""
        return self._dtype_rule is not None

    def infer_dtypes(self, known: Mapping[str, str | None], attrs: Attrs) -> dict[str, str | None]:
        """Return the dtypes of inputs and outputs, by name, None where they do not follow.

        Args:
            known: Dtypes by name of the inputs that a node has and of its outputs, None where unknown.
            attrs: Typed attributes.
        """
        if self._dtype_rule is not None:
            rule, positional, keywords = self._dtype_rule
            told: dict[str, str | None] = rule(*(known.get(n) for n in positional), **{k: attrs[k] for k in keywords})
            return {name: dtype or told.get(name) for name, dtype in known.items()}
        declared = attrs.get("dtype")
        if declared is not None:
            outputs = frozenset(self.output_names(attrs))
            return {name: declared if name in outputs else dtype for name, dtype in known.items()}
        common = next((d for d in known.values() if d is not None), None)
        return {name: dtype or common for name, dtype in known.items()}

    def is_loss(self, attrs: Attrs) -> bool:
        """Whether the operator makes its own gradient, whatever gradient comes in."""
        return self._gradient_kind(attrs) == "loss"

    def has_gradient(self, attrs: Attrs) -> bool:
        """Whether gradients go through the operator, or start at it."""
        return self._gradient_kind(attrs) != "none"

    @property
    def declared_gradient(self) -> Gradient | None:
        """What it does with an incoming gradient; None where that depends on the attributes."""
        return None if callable(self._gradient) else self._gradient

    def refuses_gradient(self, attrs: Attrs) -> bool:
        """Whether no graph can be bound in which a gradient comes to the operator."""
        return self._gradient_kind(attrs) == "refused"

    def _gradient_kind(self, attrs: Attrs) -> Gradient:
        return self._gradient(attrs) if callable(self._gradient) else self._gradient

    def check_count(self, given: int, attrs: Attrs) -> None:
        """Raise InputError unless `given` inputs fit the operator."""
        if self.variadic and not self.named(attrs):
            if given < len(self.inputs):
                raise InputError(f"{self.name}: too few inputs: expected at least {len(self.inputs)}, got {given}.")
            return
        active = self.active_inputs(attrs)
        required = sum(not i.optional or i.name in self._when for i in active)
        if not required <= given <= len(active):
            names = ", ".join(i.name for i in active)
            raise InputError(f"{self.name}: wrong number of inputs: expected {len(active)} ({names}), got {given}.")


def _positional(rule: Callable[..., Any]) -> tuple[str, ...]:
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return tuple(p.name for p in inspect.signature(rule).parameters.values() if p.kind not in named)


def _keywords(rule: Callable[..., Any], op: Operator) -> frozenset[str]:
    parameters = inspect.signature(rule).parameters.values()
    bodies = op.runtime & {"bodies"}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return bodies.union(name for name, spec in op.attributes.items() if spec.has_effect)
    keywords = frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    unknown = keywords - op.attributes.keys() - bodies
    if unknown:
        raise TypeError(f"{op.name}: a rule reads attributes that are not declared: {sorted(unknown)}")
    return keywords
