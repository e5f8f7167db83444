"""One request for a file, or for the rest of it: over HTTPS alone, wherever it is sent on to."""

import http.client
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from featviz.errors import FeatvizError

# Seconds without a byte after which a connection is taken for broken.
PATIENCE = 30.0
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Reply:
    """A file's bytes from `offset` on; how many it has in all, where told; and what tells this version from another."""

    stream: http.client.HTTPResponse
    offset: int
    total: int | None
    version: str | None


class NothingLeft(Exception):  # noqa: N818
    """The server has no bytes from there on: the file has `total`, or it did not say."""

    def __init__(self, total: int | None) -> None:
        self.total = total


def check_url(url: str, *, loopback: bool) -> None:
    """Refuses all but https, and http of this machine where `loopback` says so (tests do).

    Raises: FeatvizError that names the scheme.
    """
    parts = urlsplit(url)
    own = loopback and parts.scheme == "http" and parts.hostname in LOOPBACK
    if (parts.scheme != "https" and not own) or not parts.hostname:
        raise FeatvizError(f"`{url[:200]}` is of the scheme `{parts.scheme}`; files are fetched over https alone")


@contextmanager
def ask(url: str, *, offset: int = 0, version: str | None = None, loopback: bool = False) -> Iterator[Reply]:
    """Asks for a file from `offset` on, if it is still of that version, else for the whole.

    Raises: FeatvizError for a scheme other than https; NothingLeft; HTTPError, OSError and HTTPException of urllib.
    """
    check_url(url, loopback=loopback)
    headers = {"User-Agent": "featviz", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if version is not None:
            headers["If-Range"] = version
    request = urllib.request.Request(url, headers=headers)
    try:
        stream = _opener(loopback).open(request, timeout=PATIENCE)
    except HTTPError as error:
        with error:
            if error.code == 416 and offset:
                raise NothingLeft(_number(r"bytes \*/(\d+)", error.headers.get("Content-Range"))) from None
        raise
    with stream:
        yield _reply(stream, offset)


def _reply(stream: Any, offset: int) -> Reply:
    head = stream.headers
    if head.get("Content-Encoding", "identity") != "identity":
        raise FeatvizError(f"the server packs the file as {head['Content-Encoding'][:40]}, unasked")
    length = _number(r"(\d+)", head.get("Content-Length"))
    etag = head.get("ETag")
    # A weak one may be the same for other bytes.
    version = etag if etag and not etag.startswith("W/") else head.get("Last-Modified")
    if stream.status == 206 and offset:
        begin = _number(r"bytes (\d+)-\d+/(?:\d+|\*)", head.get("Content-Range"))
        if begin != offset:
            raise NothingLeft(None)
        total = _number(r"bytes \d+-\d+/(\d+)", head.get("Content-Range"))
        return Reply(stream, offset, offset + length if total is None and length is not None else total, version)
    if stream.status != 200:
        raise FeatvizError(f"the server answers {stream.status} {stream.reason}; expected 200 OK")
    return Reply(stream, 0, length, version)


def _number(pattern: str, text: str | None) -> int | None:
    found = re.fullmatch(pattern, (text or "").strip())
    return int(found[1]) if found and len(found[1]) < 19 else None


def _opener(loopback: bool) -> urllib.request.OpenerDirector:
    """What opens addresses of https, through the user's proxy if one is set; nothing opens files or FTP."""
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPSHandler(),
        _Redirects(loopback),
    ]
    handlers.append(urllib.request.HTTPHandler() if loopback else urllib.request.ProxyHandler())
    opener = urllib.request.OpenerDirector()
    for handler in handlers:
        opener.add_handler(handler)
    return opener


class _Redirects(urllib.request.HTTPRedirectHandler):
    def __init__(self, loopback: bool) -> None:
        self.loopback = loopback

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request that follows, if it is to https as well."""
        try:
            check_url(newurl, loopback=self.loopback)
        except FeatvizError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)
