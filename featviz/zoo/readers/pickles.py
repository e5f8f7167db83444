"""Pickles read by an interpreter of our own, in which no opcode imports or calls anything.

Python's unpickler imports the names in a pickle, calls them, and sets attributes; a subclass whose `find_class` admits
few names still does the latter two to objects that the file chose. Here a name is text that must be on the caller's
list, and a call in the pickle becomes a call of the caller's `make` with that text and a tuple. Only the opcodes that
torch.save writes are known; any other ends the reading. Steps, bytes and the length of texts are bounded, far above
what a state dict of ten thousand tensors needs.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from featviz.zoo.readers.reading_errors import Budget, MalformedError, one_line

MAX_STEPS = 500_000
MAX_BYTES = 2**25
MAX_TEXT = 2**14


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a pickle would import, as text."""

    full: str


@dataclass(frozen=True)
class Rules:
    """How a caller interprets a pickle; each function may raise MalformedError.

    Attributes:
        knows: Whether a name may occur.
        make: The value of calling a name with arguments.
        stored: The value of something outside the pickle, by its identity.
        build: Sets the state of an object that `make` or the pickle made.
    """

    knows: Callable[[str], bool]
    make: Callable[[str, tuple], object]
    stored: Callable[[object], object]
    build: Callable[[object, object], None]


def _refuse(*_: object) -> NoReturn:
    raise MalformedError("it holds more than plain values")


# For a pickle that holds only numbers, texts, lists and dicts.
PLAIN = Rules(knows=lambda name: False, make=_refuse, stored=_refuse, build=_refuse)


@dataclass
class _Machine:
    stream: io.BufferedIOBase
    rules: Rules
    stack: list[object] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, object] = field(default_factory=dict)
    budget: Budget = field(default_factory=lambda: Budget(MAX_BYTES, f"its pickle has more than {MAX_BYTES:,} bytes"))

    def take(self, count: int) -> bytes:
        self.budget.spend(count)
        data = self.stream.read(count)
        if len(data) < count:
            raise MalformedError("its pickle is cut short")
        return data

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, form: str) -> str:
        length = self.number(form)
        if length > MAX_TEXT:
            raise MalformedError(f"its pickle has a text of {length:,} bytes; expected at most {MAX_TEXT:,}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("its pickle has a text that is not UTF-8") from None

    def line(self) -> str:
        data = self.stream.readline(256)
        self.budget.spend(len(data))
        if not data.endswith(b"\n") or not data.isascii():
            raise MalformedError("its pickle has an invalid name")
        return data[:-1].decode("ascii")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        # Values below a mark are out of reach until the mark is used.
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise MalformedError("its pickle takes from an empty stack")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or type(self.stack[-1]) is not kind:
            raise MalformedError(f"its pickle fills something that is not a {kind.__name__}")
        return self.stack[-1]

    def since_mark(self) -> list[object]:
        if not self.marks:
            raise MalformedError("its pickle lacks a mark")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def pops(self, count: int) -> tuple:
        return tuple([self.pop() for _ in range(count)][::-1])

    def remember(self, number: int) -> None:
        value = self.pop()
        self.push(value)
        self.memo[number] = value

    def recall(self, number: int) -> None:
        if number not in self.memo:
            raise MalformedError("its pickle recalls what it never kept")
        self.push(self.memo[number])

    def name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise MalformedError("its pickle has an invalid name")
        full = f"{module}.{name}"
        if not self.rules.knows(full):
            raise MalformedError(
                f"it names `{one_line(full, limit=80)}`, which is not part of a tensor; nothing was run"
            )
        self.push(Name(full))

    def call(self) -> None:
        function, arguments = self.pops(2)
        if type(function) is not Name or type(arguments) is not tuple:
            raise MalformedError("its pickle calls something that is not a name")
        self.push(self.rules.make(function.full, arguments))

    def build(self) -> None:
        target, state = self.pops(2)
        self.rules.build(target, state)
        self.push(target)

    def append(self, values: list[object]) -> None:
        self.top(list).extend(values)

    def update(self, values: list[object]) -> None:
        target = self.top(dict)
        if len(values) % 2:
            raise MalformedError("its pickle has a key without a value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Hashing a nested key would recurse to its full depth.
            if type(key) not in (str, int):
                raise MalformedError("its pickle has a key that is neither a text nor a number")
            target[key] = value


def _long(machine: _Machine) -> None:
    machine.push(int.from_bytes(machine.take(machine.number("<B")), "little", signed=True))


OPCODES: dict[bytes, Callable[[_Machine], object]] = {
    b"\x80": lambda m: m.number("<B"),  # PROTO
    b"\x95": lambda m: m.number("<Q"),  # FRAME
    b"(": lambda m: m.marks.append(len(m.stack)),  # MARK
    b"N": lambda m: m.push(None),  # NONE
    b"\x88": lambda m: m.push(True),  # NEWTRUE
    b"\x89": lambda m: m.push(False),  # NEWFALSE
    b"J": lambda m: m.push(m.number("<i")),  # BININT
    b"K": lambda m: m.push(m.number("<B")),  # BININT1
    b"M": lambda m: m.push(m.number("<H")),  # BININT2
    b"\x8a": _long,  # LONG1, at most 255 bytes
    b"G": lambda m: m.push(m.number(">d")),  # BINFLOAT
    b"X": lambda m: m.push(m.text("<I")),  # BINUNICODE
    b"\x8c": lambda m: m.push(m.text("<B")),  # SHORT_BINUNICODE
    b"T": lambda m: m.push(m.text("<I")),  # BINSTRING, of Python 2
    b"U": lambda m: m.push(m.text("<B")),  # SHORT_BINSTRING
    b")": lambda m: m.push(()),  # EMPTY_TUPLE
    b"t": lambda m: m.push(tuple(m.since_mark())),  # TUPLE
    b"\x85": lambda m: m.push(m.pops(1)),  # TUPLE1
    b"\x86": lambda m: m.push(m.pops(2)),  # TUPLE2
    b"\x87": lambda m: m.push(m.pops(3)),  # TUPLE3
    b"]": lambda m: m.push([]),  # EMPTY_LIST
    b"a": lambda m: m.append([m.pop()]),  # APPEND
    b"e": lambda m: m.append(m.since_mark()),  # APPENDS
    b"}": lambda m: m.push({}),  # EMPTY_DICT
    b"s": lambda m: m.update(list(m.pops(2))),  # SETITEM
    b"u": lambda m: m.update(m.since_mark()),  # SETITEMS
    b"h": lambda m: m.recall(m.number("<B")),  # BINGET
    b"j": lambda m: m.recall(m.number("<I")),  # LONG_BINGET
    b"q": lambda m: m.remember(m.number("<B")),  # BINPUT
    b"r": lambda m: m.remember(m.number("<I")),  # LONG_BINPUT
    b"\x94": lambda m: m.remember(len(m.memo)),  # MEMOIZE
    b"c": lambda m: m.name(m.line(), m.line()),  # GLOBAL
    b"\x93": lambda m: m.name(*m.pops(2)),  # STACK_GLOBAL
    b"Q": lambda m: m.push(m.rules.stored(m.pop())),  # BINPERSID
    b"R": _Machine.call,  # REDUCE
    b"\x81": _Machine.call,  # NEWOBJ
    b"b": _Machine.build,  # BUILD
}


def read_pickle(stream: io.BufferedIOBase, *, rules: Rules = PLAIN) -> object:
    """The value of the pickle at the stream's position, which moves behind the pickle.

    Raises:
        MalformedError: If it is not a pickle, holds an unknown opcode or name, or is too large.
    """
    machine = _Machine(stream, rules)
    if stream.read(1) != b"\x80":
        raise MalformedError("there is no pickle where one was expected")
    machine.number("<B")
    for _ in range(MAX_STEPS):
        opcode = machine.take(1)
        if opcode == b".":
            if len(machine.stack) != 1 or machine.marks:
                raise MalformedError("its pickle ends with values left over")
            return machine.stack[0]
        step = OPCODES.get(opcode)
        if step is None:
            raise MalformedError(f"its pickle has the opcode 0x{opcode.hex()}, which torch.save does not write")
        step(machine)
    raise MalformedError(f"its pickle has more than {MAX_STEPS:,} steps")
