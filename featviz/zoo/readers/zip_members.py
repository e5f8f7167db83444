"""The members of a zip archive, located and checked; nothing is unpacked.

Python's zipfile does not serve: it trusts the sizes at the archive's end, lets members overlap, and of two members with
one name takes the last.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from featviz.zoo.readers.reading_errors import MalformedError, one_line

# The signatures and layouts of a zip archive's records (PKWARE's APPNOTE 4.3).
END, END_64, LOCATOR_64, ENTRY, LOCAL = b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\1\2", b"PK\3\4"
END_FORM, END_64_FORM, LOCATOR_FORM = "<4s4H2IH", "<4sQ2H2I4Q", "<4sIQI"
ENTRY_FORM, LOCAL_FORM = "<4s6H3I5H2I", "<4s5H3I2H"
ENCRYPTED = 1
FULL = 0xFFFFFFFF
MAX_DIRECTORY = 2**23


@dataclass(frozen=True, slots=True)
class Member:
    """A member: the offset of its local header, its size, its compression method (0 is none), and its CRC-32."""

    name: bytes
    start: int
    bytes: int
    compression: int
    crc: int


def read_directory(file: io.BufferedIOBase, size: int) -> dict[str, Member]:
    """The archive's members by name, for a file of `size` bytes.

    Raises:
        MalformedError: If the archive is damaged, or if members overlap, share a name, or would leave the folder.
    """
    end, count, begin, length = _end(file, size)
    if length > MAX_DIRECTORY or begin + length > end:
        raise MalformedError("its zip directory is outside the file, or too large")
    file.seek(begin)
    directory = file.read(length)
    members: dict[str, Member] = {}
    offset = 0
    for _ in range(count):
        member, offset = _entry(directory, offset)
        name = _safe_name(member.name)
        if name in members:
            raise MalformedError(f"its zip archive has two members `{one_line(name, limit=80)}`")
        members[name] = member
    if offset != length:
        raise MalformedError("the length of its zip directory is not that of its entries")
    # A zip bomb has members that share bytes.
    ends = sorted((member.start, member.start + 30 + len(member.name) + member.bytes) for member in members.values())
    starts = [start for start, _ in ends[1:]] + [begin]
    if any(end > start for (_, end), start in zip(ends, starts, strict=False)):
        raise MalformedError("its zip archive has members that overlap")
    return members


def read_member(file: io.BufferedIOBase, member: Member) -> np.ndarray:
    """The bytes of a member that is not compressed.

    Raises:
        MalformedError: If it is compressed, or if its bytes are damaged.
    """
    name = one_line(member.name.decode("utf-8", "replace"), limit=80)
    if member.compression:
        raise MalformedError(f"its member `{name}` is compressed, which torch.save never does")
    file.seek(member.start)
    head = file.read(30)
    if len(head) < 30 or not head.startswith(LOCAL):
        raise MalformedError(f"its member `{name}` is not where its zip directory says")
    *_, name_length, extra_length = struct.unpack(LOCAL_FORM, head)
    if file.read(name_length) != member.name:
        raise MalformedError(f"its member `{name}` has another name in its zip directory")
    file.seek(extra_length, 1)
    data = np.empty(member.bytes, np.uint8)
    if file.readinto(data.data) != member.bytes:
        raise MalformedError(f"its member `{name}` is cut short")
    if zlib.crc32(data.data) != member.crc:
        raise MalformedError(f"its member `{name}` is damaged: its checksum differs")
    return data


def require_member(members: Mapping[str, Member], name: str) -> Member:
    """The member of that name.

    Raises:
        MalformedError: If there is none.
    """
    if name not in members:
        raise MalformedError(f"its zip archive lacks `{one_line(name, limit=80)}`")
    return members[name]


def _end(file: io.BufferedIOBase, size: int) -> tuple[int, int, int, int]:
    """The end of the directory at the latest, the number of its entries, its begin, and its length."""
    tail_begin = max(0, size - 22 - 0xFFFF)
    file.seek(tail_begin)
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        raise MalformedError("it is cut short: its zip directory is missing")
    *_, count, length, begin, comment = struct.unpack_from(END_FORM, tail, at)
    if at + 22 + comment != len(tail):
        raise MalformedError("its zip directory ends in the middle of the file")
    end = tail_begin + at
    if at >= 20 and tail[at - 20 : at - 16] == LOCATOR_64:
        _, _, end_64, _ = struct.unpack_from(LOCATOR_FORM, tail, at - 20)
        file.seek(end_64) if end_64 < size else None
        record = file.read(56) if end_64 < size else b""
        if len(record) < 56 or not record.startswith(END_64):
            raise MalformedError("its zip directory's end is missing")
        *_, count, length, begin = struct.unpack(END_64_FORM, record)
        end = end_64
    if count > MAX_DIRECTORY // 46:
        raise MalformedError(f"its zip archive claims {count:,} members")
    return end, count, begin, length


def _entry(directory: bytes, offset: int) -> tuple[Member, int]:
    if len(directory) - offset < 46 or not directory.startswith(ENTRY, offset):
        raise MalformedError("its zip directory is damaged")
    _, _, _, flags, compression, _, _, crc, packed, size, name_length, extra_length, comment_length, _, _, _, start = (
        struct.unpack_from(ENTRY_FORM, directory, offset)
    )
    name_end = offset + 46 + name_length
    name = directory[offset + 46 : name_end]
    extra = directory[name_end : name_end + extra_length]
    end = name_end + extra_length + comment_length
    if end > len(directory):
        raise MalformedError("its zip directory is damaged")
    if flags & ENCRYPTED:
        raise MalformedError("its zip archive is encrypted")
    size, packed, start = _zip64_sizes(extra, [size, packed, start])
    if not compression and size != packed:
        raise MalformedError("its zip archive has a member of two sizes")
    return Member(name, start, packed, compression, crc), end


def _zip64_sizes(extra: bytes, sizes: list[int]) -> list[int]:
    """The sizes, those that do not fit 32 bits replaced by the 64-bit ones of the entry's extra field."""
    if FULL not in sizes:
        return sizes
    offset = 0
    while offset + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, offset)
        if kind == 1:
            wide = list(struct.unpack_from(f"<{min(length, len(extra) - offset - 4) // 8}Q", extra, offset + 4))
            return [wide.pop(0) if size == FULL and wide else size for size in sizes]
        offset += 4 + length
    return sizes


def _safe_name(raw: bytes) -> str:
    """A member's name as text, if it stays in its folder."""
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
