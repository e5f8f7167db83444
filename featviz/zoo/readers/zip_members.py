"""Where the members of a zip archive lie in its file, checked; nothing is unpacked.

Not Python's zipfile: it trusts the sizes that the archive's end gives, lets members overlap, and of two with one name
takes the last.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from featviz.zoo.readers.reading_errors import MalformedError, one_line

# The records of a zip archive (PKWARE's APPNOTE 4.3): each has its signature, then these numbers.
END, END_64, LOCATOR_64, ENTRY, LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"PK\3\4"
END_FORM, END_64_FORM, LOCATOR_FORM = "<4s4H2IH", "<4sQ2H2I4Q", "<4sIQI"
ENTRY_FORM, LOCAL_FORM = "<4s6H3I5H2I", "<4s5H3I2H"
ENCRYPTED = 1
FULL = 0xFFFFFFFF
LARGEST_DIRECTORY = 2**23


@dataclass(frozen=True, slots=True)
class Member:
    """A member: where its local header lies, its bytes, how they are packed (0 is not), and their CRC-32."""

    name: bytes
    start: int
    bytes: int
    packing: int
    crc: int


def members(file: io.BufferedIOBase, size: int) -> dict[str, Member]:
    """The archive's members by name, for a file of `size` bytes.

    Raises: MalformedError if it is no whole archive, or if members overlap, share a name, or would leave the folder.
    """
    place, count, begin, length = _end(file, size)
    if length > LARGEST_DIRECTORY or begin + length > place:
        raise MalformedError("its zip directory lies outside the file, or is too large")
    file.seek(begin)
    directory = file.read(length)
    found: dict[str, Member] = {}
    at = 0
    for _ in range(count):
        member, at = _entry(directory, at)
        name = _safe(member.name)
        if name in found:
            raise MalformedError(f"its zip archive has two members `{one_line(name, limit=80)}`")
        found[name] = member
    if at != length:
        raise MalformedError("its zip directory has another length than its entries")
    # A bomb lays one member's bytes over another's.
    ends = sorted((member.start, member.start + 30 + len(member.name) + member.bytes) for member in found.values())
    starts = [start for start, _ in ends[1:]] + [begin]
    if any(end > start for (_, end), start in zip(ends, starts, strict=False)):
        raise MalformedError("its zip archive has members that overlap")
    return found


def read_member(file: io.BufferedIOBase, member: Member) -> np.ndarray:
    """The bytes of a member that is not compressed.

    Raises: MalformedError if it is, or if its bytes are not those that were written.
    """
    name = one_line(member.name.decode("utf-8", "replace"), limit=80)
    if member.packing:
        raise MalformedError(f"its member `{name}` is compressed, as torch.save never does")
    file.seek(member.start)
    head = file.read(30)
    if len(head) < 30 or not head.startswith(LOCAL):
        raise MalformedError(f"its member `{name}` is not where its zip directory says")
    *_, named, extra = struct.unpack(LOCAL_FORM, head)
    if file.read(named) != member.name:
        raise MalformedError(f"its member `{name}` has another name in its zip directory")
    file.seek(extra, 1)
    data = np.empty(member.bytes, np.uint8)
    if file.readinto(data.data) != member.bytes:
        raise MalformedError(f"its member `{name}` is cut short")
    if zlib.crc32(data.data) != member.crc:
        raise MalformedError(f"its member `{name}` is damaged: its checksum is another")
    return data


def within(found: Mapping[str, Member], name: str) -> Member:
    """The member of that name.

    Raises: MalformedError if there is none.
    """
    if name not in found:
        raise MalformedError(f"its zip archive lacks `{one_line(name, limit=80)}`")
    return found[name]


def _end(file: io.BufferedIOBase, size: int) -> tuple[int, int, int, int]:
    """Where the directory must have ended, the number of its entries, its begin, and its length."""
    tail_from = max(0, size - 22 - 0xFFFF)
    file.seek(tail_from)
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        raise MalformedError("it is cut short: its zip directory is missing")
    *_, count, length, begin, comment = struct.unpack_from(END_FORM, tail, at)
    if at + 22 + comment != len(tail):
        raise MalformedError("its zip directory ends in the middle of the file")
    place = tail_from + at
    if at >= 20 and tail[at - 20 : at - 16] == LOCATOR_64:
        _, _, place_64, _ = struct.unpack_from(LOCATOR_FORM, tail, at - 20)
        file.seek(place_64) if place_64 < size else None
        record = file.read(56) if place_64 < size else b""
        if len(record) < 56 or not record.startswith(END_64):
            raise MalformedError("its zip directory's end is missing")
        *_, count, length, begin = struct.unpack(END_64_FORM, record)
        place = place_64
    if count > LARGEST_DIRECTORY // 46:
        raise MalformedError(f"its zip archive tells of {count:,} members")
    return place, count, begin, length


def _entry(directory: bytes, at: int) -> tuple[Member, int]:
    if len(directory) - at < 46 or not directory.startswith(ENTRY, at):
        raise MalformedError("its zip directory is damaged")
    _, _, _, flags, packing, _, _, crc, packed, size, named, extra, comment, _, _, _, start = struct.unpack_from(
        ENTRY_FORM, directory, at
    )
    name = directory[at + 46 : at + 46 + named]
    fields = directory[at + 46 + named : at + 46 + named + extra]
    end = at + 46 + named + extra + comment
    if end > len(directory):
        raise MalformedError("its zip directory is damaged")
    if flags & ENCRYPTED:
        raise MalformedError("its zip archive is encrypted")
    size, packed, start = _wide(fields, [size, packed, start])
    if not packing and size != packed:
        raise MalformedError("its zip archive has a member of two sizes")
    return Member(name, start, packed, packing, crc), end


def _wide(fields: bytes, numbers: list[int]) -> list[int]:
    """The numbers, those that do not fit 32 bits from the entry's field of 64."""
    if FULL not in numbers:
        return numbers
    at = 0
    while at + 4 <= len(fields):
        kind, length = struct.unpack_from("<2H", fields, at)
        if kind == 1:
            wide = list(struct.unpack_from(f"<{min(length, len(fields) - at - 4) // 8}Q", fields, at + 4))
            return [wide.pop(0) if number == FULL and wide else number for number in numbers]
        at += 4 + length
    return numbers


def _safe(raw: bytes) -> str:
    """A member's name, if it stays in its folder."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedError("its zip archive has a name that is not UTF-8") from None
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or not name.isprintable() or not name:
        raise MalformedError(
            f"its zip archive has the name `{one_line(name, limit=80)}`, which leads out of its folder"
        )
    return name
