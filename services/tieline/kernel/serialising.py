"""Avro bodies by functions written for one schema each: straight-line code instead of a walk through the schema.

``writer_of`` and ``reader_of`` make the source of such a function and compile it, once a schema. They know the types
that the hub's schemas may have (``linting.avro_type``): a union is a type or null, a decimal is bytes. The bytes are
those that fastavro writes, and what is read from them is the same (a test holds every schema against it).

``maker_of`` is a reader that makes the record itself, with the checks of its model written between its lines. What does
not meet them it leaves to the model: it takes what the model would take, or raises ``Doubtful``.

A reader believes no length that the bytes claim: more items, a longer text or a longer number than there can be is an
error before anything is made of it. A schema within itself, or nested too deep, has no reader.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cache
from keyword import iskeyword
from typing import Any, TypeAlias, cast

from fastavro.schema import parse_schema

from tieline.kernel.demands import Demand, demand_of
from tieline.kernel.vocabulary import Model

Schema: TypeAlias = "str | list[Any] | dict[str, Any]"
Write = Callable[[bytearray, object], None]
"""Appends the Avro body of a record, given as an object with its fields as attributes."""
Read = Callable[[bytes, int], tuple[dict[str, Any], int]]
"""The record in bytes from a place on, and the place after it. Raises whatever the bytes provoke."""

Make = Callable[[bytes, int], tuple[Model, int]]
"""The same, the record as the model that mirrors it; ``Doubtful`` where its model is to be asked."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_MILLISECOND = dt.timedelta(milliseconds=1)
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])
_LONG_BITS = 64
MAX_ITEMS = 100_000  # of one array or map; the hub's longest lists have some thousands
MAX_DECIMAL_BYTES = 63  # twenty digits take nine; to make a number of a million bytes takes minutes
MAX_DEPTH = 64  # types within types


@cache
def writer_of(text: str) -> Write:
    """The function that writes the records of a schema (JSON). Raises ``TypeError`` for a type it does not know."""
    schema = parsed(text)
    source = _Source(schema, {"long": write_long, "day": _EPOCH_DAY, "epoch": _EPOCH, "ms": _MILLISECOND})
    source.line("def function(out, v0):")
    with source:
        _write(source, cast("Schema", schema), "v0")
    return cast("Write", source.compiled())


class Doubtful(Exception):
    """A value that may not be one of its model's."""


@cache
def reader_of(text: str) -> Read:
    """The function that reads the records of a schema (JSON). Raises ``TypeError`` for a type it does not know.

    That is also a type that holds itself, and one nested deeper than ``MAX_DEPTH``: bytes could make it of any depth.
    """
    return cast("Read", _reader(text, None))


@cache
def maker_of(text: str, model: type[Model]) -> Make:
    """The function that reads the records of a schema (JSON) as ``model``.

    Raises ``TypeError`` as ``reader_of`` does, and for a model that checks something which is not known here.
    """
    return cast("Make", _reader(text, demand_of(model)))


def _reader(text: str, demand: Demand | None) -> object:
    schema = parsed(text)
    source = _Source(
        schema,
        {"long": read_long, "day": _EPOCH_DAY, "epoch": _EPOCH, "ms": _MILLISECOND, "date": dt.date}
        | {"new": object.__new__, "put": object.__setattr__, "Doubtful": Doubtful},
    )
    source.line("def function(data, at):")
    with source:
        _read(source, cast("Schema", schema), "v0", demand)
        source.line("return v0, at")
    return source.compiled()


def parsed(text: str) -> dict[str, Any]:
    """A schema (JSON) as fastavro wants it, every name with its namespace."""
    return cast("dict[str, Any]", parse_schema(json.loads(text)))


class _Source:
    """Source text as it grows: its indentation, the names it uses, the types that the schema has named."""

    def __init__(self, schema: Mapping[str, Any], names: Mapping[str, object]) -> None:
        self._lines: list[str] = []
        self._depth = 0
        self._names = dict(names)
        self._variables = 0
        self._types: dict[str, dict[str, Any]] = {}
        self._nested = 0
        self._title = str(schema.get("name", "record"))

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1

    def line(self, text: str) -> None:
        """One line, at the depth of now."""
        self._lines.append("    " * self._depth + text)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """One type further in. Raises ``TypeError`` where there is no end to it."""
        self._nested += 1
        if self._nested > MAX_DEPTH:
            raise TypeError(f"{self._title}: types within types, more than {MAX_DEPTH} deep")
        yield
        self._nested -= 1

    def variable(self) -> str:
        """A name that nothing else has."""
        self._variables += 1
        return f"v{self._variables}"

    def constant(self, value: object) -> str:
        """The name under which the function finds a value."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def kind_of(self, schema: Schema) -> tuple[str, dict[str, Any]]:
        """Kind and content of a type; one that was named before is looked up."""
        whole: dict[str, Any] = self._types.get(schema, {"type": schema}) if isinstance(schema, str) else {}
        if isinstance(schema, dict):
            whole = schema
            if "name" in schema:
                self._types[schema["name"]] = schema
        return str(whole.get("logicalType", whole.get("type", "union"))), whole

    def compiled(self) -> object:
        """The function. Of the schema its source has numbers and names only, and Avro's names are plain words."""
        try:
            code = compile("\n".join(self._lines), f"<avro {self._title}>", "exec")
        except SyntaxError as error:  # Python has a depth of its own: twenty loops within each other
            raise TypeError(f"{self._title}: lists within lists, too deep") from error
        exec(code, self._names)  # noqa: S102  - see above
        return self._names["function"]


def _write(source: _Source, schema: Schema, value: str) -> None:
    """Lines that append ``value``, the name of a variable."""
    kind, whole = source.kind_of(schema)
    if isinstance(schema, list):
        none, other = _branches(schema)
        source.line(f"if {value} is None: out.append({2 * none})")
        source.line("else:")
        with source:
            source.line(f"out.append({2 - 2 * none})")
            _write(source, other, value)
    elif kind == "record":
        for field in whole["fields"]:
            inner = source.variable()
            source.line(f"{inner} = {_attribute(value, field['name'])}")
            _write(source, field["type"], inner)
    elif kind in {"array", "map"}:
        _write_many(source, kind, whole, value)
    elif kind == "decimal":
        source.line(f"{source.constant(_decimal_writer(whole['precision'], whole.get('scale', 0)))}(out, {value})")
    elif kind == "enum":
        places = {symbol: _long_bytes(place) for place, symbol in enumerate(whole["symbols"])}
        source.line(f"out += {source.constant(places)}[str({value})]")
    elif kind in {"string", "bytes"}:
        if kind == "string":
            source.line(f"{value} = {value}.encode()")
        source.line(f"n = len({value})")
        source.line("if n < 64: out.append(n + n)")
        source.line("else: long(out, n)")
        source.line(f"out += {value}")
    else:
        source.line(_written(kind, value))


def _written(kind: str, value: str) -> str:
    match kind:
        case "boolean":
            return f"out.append(1 if {value} else 0)"
        case "int" | "long":
            return f"long(out, {value})"
        case "date":
            return f"long(out, {value}.toordinal() - day)"
        case "timestamp-millis":
            return f"long(out, ({value} - epoch) // ms)"
        case _:
            raise _unknown(kind)


def _write_many(source: _Source, kind: str, whole: Mapping[str, Any], value: str) -> None:
    item = source.variable()
    source.line(f"if {value}:")
    with source:
        source.line(f"long(out, len({value}))")
        if kind == "array":
            source.line(f"for {item} in {value}:")
        else:
            key = source.variable()
            source.line(f"for {key}, {item} in {value}.items():")
        with source:
            if kind == "map":
                _write(source, "string", key)
            _write(source, whole["items" if kind == "array" else "values"], item)
    source.line("out.append(0)")


_MIRRORED: Mapping[str, str] = {
    "record": "model",
    "array": "tuple",
    "map": "dict",
    "string": "str",
    "bytes": "bytes",
    "decimal": "decimal",
    "boolean": "bool",
    "int": "int",
    "long": "int",
    "enum": "enum",
    "date": "date",
    "timestamp-millis": "datetime",
}
"""By type of Avro: the type of a model that holds the same values."""


def _read(source: _Source, schema: Schema, value: str, demand: Demand | None) -> None:
    """Lines that read what stands at ``at`` into the variable ``value`` and move on."""
    with source.inside():
        _read_one(source, schema, value, demand)


def _read_one(source: _Source, schema: Schema, value: str, demand: Demand | None) -> None:
    kind, whole = source.kind_of(schema)
    if demand is not None and not isinstance(schema, list) and _MIRRORED.get(kind) != demand.kind:
        raise TypeError(f"{kind} is mirrored by {demand.kind}")
    if isinstance(schema, list):
        none, other = _branches(schema)
        if demand is not None and not demand.nullable:
            raise TypeError(f"{demand.kind} that may be null, and its model takes no null")
        source.line("n = data[at]; at += 1")
        source.line(f"if n == {2 * none}: {value} = None")
        source.line(f"elif n != {2 - 2 * none}: raise ValueError('no branch of a union')")
        source.line("else:")
        with source:
            _read(source, other, value, demand)
    elif kind == "record":
        inner = {field["name"]: source.variable() for field in whole["fields"]}
        if demand is not None and list(demand.fields) != list(inner):
            raise TypeError(f"{whole['name']} is not what {demand.model} mirrors")
        for field in whole["fields"]:
            _read(source, field["type"], inner[field["name"]], demand and demand.fields[field["name"]])
        content = f"{{{', '.join(f'{name!r}: {one}' for name, one in inner.items())}}}"
        source.line(f"{value} = {content}" if demand is None else _made(source, demand, value, content, inner))
    elif kind in {"array", "map"}:
        _read_many(source, kind, whole, value, demand)
    elif kind in {"string", "bytes", "decimal"}:
        _read_chunk(source, kind, whole, value, demand)
    elif kind == "boolean":
        source.line(f"{value} = data[at] != 0; at += 1")
    else:
        source.line("n, at = long(data, at)")
        source.line(_number_read(source, kind, whole, value, demand))


def _made(source: _Source, demand: Demand, value: str, content: str, names: Iterable[str]) -> str:
    """A line that makes a record as pydantic makes it of valid content: every field given, nothing beside them."""
    made = source.constant(demand.model)
    given = source.constant(set(names))
    return (
        f"{value} = new({made}); put({value}, '__dict__', {content}); "
        f"put({value}, '__pydantic_fields_set__', {given}.copy()); "
        f"put({value}, '__pydantic_extra__', None); put({value}, '__pydantic_private__', None)"
    )


def _read_chunk(source: _Source, kind: str, whole: Mapping[str, Any], value: str, demand: Demand | None) -> None:
    """A text, bytes or a decimal: a length, and so many bytes."""
    source.line("n = data[at]; at += 1")
    # Longer than a byte, or odd, which would be negative: seldom, and looked at closely.
    source.line("if n & 129:")
    with source:
        source.line("n, at = long(data, at - 1)")
        if kind == "decimal":
            source.line(f"if n > {MAX_DECIMAL_BYTES}: raise ValueError('a decimal of too many digits')")
    source.line("else: n >>= 1")
    source.line("end = at + n")
    source.line("if n < 0 or end > len(data): raise EOFError('the bytes end within a value')")
    chunk = "data[at:end]"
    if kind == "decimal":
        precision, scale = whole["precision"], whole.get("scale", 0)
        scaleb = source.constant(Context(prec=precision).scaleb)
        source.line(f"n = int.from_bytes({chunk}, 'big', signed=True)")
        if demand is not None:
            if demand.exact is None or (demand.exact.digits, demand.exact.scale) != (precision, scale):
                raise TypeError(f"a decimal of {precision} digits, {scale} after the point, is not what a model checks")
            source.line(f"if not {-(10**precision)} < n < {10**precision}: raise Doubtful")
        source.line(f"{value} = {scaleb}(n, -{scale})")
    else:
        if demand is not None and demand.shortest:
            source.line(f"if n < {demand.shortest}: raise Doubtful")
        if demand is not None and demand.longest is not None:
            source.line(f"if n > {demand.longest}: raise Doubtful")
        source.line(f"{value} = {chunk}" + (".decode()" if kind == "string" else ""))
        if demand is not None and demand.fits is not None:
            source.line(f"if not {source.constant(demand.fits)}({value}): raise Doubtful")
    source.line("at = end")


def _number_read(source: _Source, kind: str, whole: Mapping[str, Any], value: str, demand: Demand | None) -> str:
    match kind:
        case "int" | "long":
            return f"{value} = n"
        case "date":
            return f"{value} = date.fromordinal(n + day)"
        case "timestamp-millis":
            return f"{value} = epoch + n * ms"
        case "enum":
            symbols: Mapping[int, object] = dict(enumerate(whole["symbols"]))
            if demand is not None:
                if demand.enum is None or {str(one.value) for one in demand.enum} != set(whole["symbols"]):
                    raise TypeError(f"{whole['name']} is not what {demand.enum} mirrors")
                symbols = {place: demand.enum(symbol) for place, symbol in enumerate(whole["symbols"])}
            return f"{value} = {source.constant(symbols)}[n]"
        case _:
            raise _unknown(kind)


def _read_many(source: _Source, kind: str, whole: Mapping[str, Any], value: str, demand: Demand | None) -> None:
    item, count, key = source.variable(), source.variable(), source.variable()
    source.line(f"{value} = {'[]' if kind == 'array' else '{}'}")
    source.line(f"{count}, at = long(data, at)")
    source.line(f"while {count}:")
    with source:
        # A block may say how long it is: then its count is negative.
        source.line(f"if {count} < 0: n, at = long(data, at); {count} = -{count}")
        # An item has a byte at least, so that a count is known for a lie before an item is read.
        source.line(f"if {count} > len(data) - at: raise EOFError('fewer items than the bytes claim')")
        source.line(f"if {count} > {MAX_ITEMS} - len({value}): raise ValueError('more than {MAX_ITEMS} items')")
        source.line(f"for _ in range({count}):")
        with source:
            if kind == "map":
                _read(source, "string", key, demand and demand.keys)
            _read(source, whole["items" if kind == "array" else "values"], item, demand and demand.inner)
            source.line(f"{value}.append({item})" if kind == "array" else f"{value}[{key}] = {item}")
        source.line(f"{count}, at = long(data, at)")
    if demand is not None and kind == "array":
        source.line(f"{value} = tuple({value})")


def _branches(union: list[Any]) -> tuple[int, Schema]:
    """Which branch of a union is null, and the other one."""
    if len(union) != 2 or "null" not in union:  # noqa: PLR2004  - a type or null
        raise TypeError(f"{union}: a union is a type or null")
    none = union.index("null")
    return none, union[1 - none]


def _attribute(value: str, name: str) -> str:
    # A family may call a field ``class``, which Python lets nobody write after a dot.
    return f"getattr({value}, {name!r})" if iskeyword(name) else f"{value}.{name}"


def _unknown(kind: str) -> TypeError:
    return TypeError(f"{kind} is no type that the hub's schemas may have; see linting.avro_type")


def _decimal_writer(precision: int, scale: int) -> Callable[[bytearray, Decimal], None]:
    limit, scaleb = 10**precision, _EXACT.scaleb

    def write(out: bytearray, value: Decimal) -> None:
        scaled = scaleb(value, scale)
        number = int(scaled)
        if number != scaled or not -limit < number < limit:
            # Invariant 11: a digit that does not fit is never left out.
            raise ValueError(f"{value} has not at most {precision} digits, {scale} of them after the point")
        size = number.bit_length() // 8 + 1
        out.append(size + size)  # a length of one byte: the schemas' decimals have less than 64
        out += number.to_bytes(size, "big", signed=True)

    return write


def write_long(out: bytearray, number: int) -> None:
    """Append a whole number of 64 bits: zigzag, seven bits a byte, the lowest first. Raises ``OverflowError``."""
    rest = (number << 1) ^ (number >> _LONG_BITS - 1)
    if rest >> _LONG_BITS:
        raise OverflowError(f"{number} is longer than 64 bits")
    while rest > 127:  # noqa: PLR2004  - seven bits, and one that says that more follow
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)


def read_long(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of 64 bits, and the place after it. Raises ``IndexError`` where the bytes end, ``ValueError``."""
    byte = data[at]
    rest, shift = byte & 127, 7
    while byte > 127:  # noqa: PLR2004  - as above
        at += 1
        byte = data[at]
        rest |= (byte & 127) << shift
        shift += 7
        if rest >> _LONG_BITS:
            raise ValueError("a number is longer than 64 bits")
    return (rest >> 1) ^ -(rest & 1), at + 1


def _long_bytes(number: int) -> bytes:
    out = bytearray()
    write_long(out, number)
    return bytes(out)
