"""A pickle read by an interpreter of our own, in which no opcode imports or calls anything.

Python's unpickler imports what a pickle names, calls it, and sets its attributes; a subclass whose `find_class`
admits a few names still does the latter two to objects that the file chose. Here a name is text, which must be one of
those that the caller knows; what the file calls is handed to the caller as that text and a tuple, and becomes what the
caller makes of it. Only the opcodes that torch.save writes are known, so that others end the reading. Steps, bytes and
the length of texts are bounded: a state dict of ten thousand tensors stays far below.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from featviz.zoo.readers.reading_errors import MalformedError, one_line

STEPS = 500_000
BYTES = 2**25
TEXT = 2**14


@dataclass(frozen=True, slots=True)
class Name:
    """What a pickle would import, as text."""

    full: str


@dataclass(frozen=True)
class Rules:
    """What the caller makes of a pickle: which names it knows, and the values of what the file would do.

    `make` gets a name and arguments, `stored` the identity of something kept outside the pickle, and `build` an object
    that `make` or the pickle made, with its state; each gives a value or raises MalformedError.
    """

    knows: Callable[[str], bool]
    make: Callable[[str, tuple], Any]
    stored: Callable[[Any], Any]
    build: Callable[[Any, Any], None]


def _refuse(*_: Any) -> Any:
    raise MalformedError("it holds more than plain values")


# Of a pickle that holds numbers, texts, lists and dicts alone.
PLAIN = Rules(knows=lambda name: False, make=_refuse, stored=_refuse, build=_refuse)


@dataclass
class _Machine:
    stream: io.BufferedIOBase
    rules: Rules
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    left: int = BYTES

    def take(self, count: int) -> bytes:
        self.left -= count
        if self.left < 0:
            raise MalformedError(f"its pickle has more than {BYTES:,} bytes")
        data = self.stream.read(count)
        if len(data) < count:
            raise MalformedError("its pickle is cut short")
        return data

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self, form: str) -> str:
        length = self.number(form)
        if length > TEXT:
            raise MalformedError(f"its pickle has a text of {length:,} bytes; at most {TEXT:,} were expected")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise MalformedError("its pickle has a text that is not UTF-8") from None

    def line(self) -> str:
        data = self.stream.readline(256)
        self.left -= len(data)
        if not data.endswith(b"\n") or not data.isascii():
            raise MalformedError("its pickle has a name that is none")
        return data[:-1].decode("ascii")

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        # What lies below a mark is not for what comes after it.
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise MalformedError("its pickle takes from an empty stack")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0) or type(self.stack[-1]) is not kind:
            raise MalformedError(f"its pickle fills what is no {kind.__name__}")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
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

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise MalformedError("its pickle has a name that is none")
        full = f"{module}.{name}"
        if not self.rules.knows(full):
            raise MalformedError(
                f"it names `{one_line(full, limit=80)}`, which is no part of a tensor; nothing was run"
            )
        self.push(Name(full))

    def call(self) -> None:
        function, arguments = self.pops(2)
        if type(function) is not Name or type(arguments) is not tuple:
            raise MalformedError("its pickle calls what is no name")
        self.push(self.rules.make(function.full, arguments))

    def build(self) -> None:
        target, state = self.pops(2)
        self.rules.build(target, state)
        self.push(target)

    def append(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def update(self, values: list[Any]) -> None:
        target = self.top(dict)
        if len(values) % 2:
            raise MalformedError("its pickle has a key without a value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # A key of any depth would be hashed to the bottom.
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


def read_pickle(stream: io.BufferedIOBase, *, rules: Rules = PLAIN) -> Any:
    """The value of the pickle that begins where the stream stands; the stream is left behind its end.

    Raises: MalformedError if it is none, holds an opcode or a name that is not known, or is too large.
    """
    machine = _Machine(stream, rules)
    if stream.read(1) != b"\x80":
        raise MalformedError("there is no pickle where one was expected")
    machine.number("<B")
    for _ in range(STEPS):
        opcode = machine.take(1)
        if opcode == b".":
            if len(machine.stack) != 1 or machine.marks:
                raise MalformedError("its pickle ends with values left over")
            return machine.stack[0]
        step = OPCODES.get(opcode)
        if step is None:
            raise MalformedError(f"its pickle has the opcode 0x{opcode.hex()}, which torch.save does not write")
        step(machine)
    raise MalformedError(f"its pickle has more than {STEPS:,} steps")
