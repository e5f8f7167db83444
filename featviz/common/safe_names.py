"""Any name as the name of a file or a folder, on every system."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

# Bytes of a file's name, which may have 255 on most disks, that a name may take; the rest is for suffixes.
MAX_NAME = 200
# Bytes that are kept of a longer name, before its hash.
KEPT_PREFIX = 120
# Windows keeps these for devices, with any extension:
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def safe_name(name: str) -> str:
    """A name as a file name: percent-encoded; a name that is too long is cut, and its hash appended.

    Different names stay different, also those that are no text of UTF-8, those that begin or end with a dot, and
    those of Windows' devices. For names that differ in case alone see `distinct_names`.

    >>> safe_name("mixed4a/3x3"), safe_name(".."), safe_name("aux"), safe_name("norm.")
    ('mixed4a%2F3x3', '%2E%2E', '%61ux', 'norm%2E')
    >>> len(safe_name("x" * 999))
    137
    """
    text = quote(name, safe="", errors="surrogatepass")
    if DEVICES.fullmatch(text):
        text = f"%{ord(text[0]):02X}{text[1:]}"
    if text.startswith("."):
        text = "%2E" + text[1:]
    if text.endswith("."):
        text = text[:-1] + "%2E"
    if text and len(text) <= MAX_NAME:
        return text
    prefix = text[:KEPT_PREFIX].rsplit("%", 1)[0]
    # No encoded name contains `=`, so this name belongs to nothing else.
    return f"{prefix}={_hash(name)}"


def distinct_names(names: Iterable[str]) -> dict[str, str]:
    """Names whose files are different ones on disks that ignore case too, by the names themselves.

    A name keeps its form unless another one differs from it in case alone; then those that have capitals get a suffix,
    the same in any order.

    >>> distinct_names(["conv", "Conv", "Pool"])
    {'conv': 'conv', 'Conv': 'Conv~c0bd66cc', 'Pool': 'Pool'}
    """
    files = {name: safe_name(name).lower() for name in names}
    count = Counter(files.values())
    return {
        name: name if count[file] == 1 or name == name.lower() else f"{name}~{_hash(name)[:8]}"
        for name, file in files.items()
    }


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
