"""Requests for a file, or for the rest of it, over HTTPS only, redirects included."""

import http.client
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from featviz.errors import FeatvizError

# Seconds without a byte after which a connection counts as broken.
TIMEOUT = 30.0
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Reply:
    """A server's reply.

    Attributes:
        stream: The file's bytes.
        offset: The position of the first of them in the file.
        total: The size of the complete file, where the server says it.
        version: A text that differs from version to version, where the server gives one.
    """

    stream: http.client.HTTPResponse
    offset: int
    total: int | None
    version: str | None


class RangeNotSatisfiable(Exception):  # noqa: N818
    """The server has no bytes from the requested offset on; the file has `total`, or the server does not say."""

    def __init__(self, total: int | None) -> None:
        self.total = total


def check_url(url: str, *, loopback: bool) -> None:
    """Raises an error unless the address is HTTPS, or with `loopback`, for tests, HTTP of this machine.

    Raises:
        FeatvizError: That names the scheme.
    """
    parts = urlsplit(url)
    local = loopback and parts.scheme == "http" and parts.hostname in LOOPBACK
    if (parts.scheme != "https" and not local) or not parts.hostname:
        raise FeatvizError(f"`{url[:200]}` is of the scheme `{parts.scheme}`; files are fetched over https only")


@contextmanager
def request_file(url: str, *, offset: int = 0, version: str | None = None, loopback: bool = False) -> Iterator[Reply]:
    """Requests a file from `offset` on, if it is still of that version, else from its beginning.

    Raises:
        FeatvizError: For a scheme other than https.
        RangeNotSatisfiable: If the file ends before `offset`.
        HTTPError, OSError, HTTPException: As urllib raises them.
    """
    check_url(url, loopback=loopback)
    headers = {"User-Agent": "featviz", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if version is not None:
            headers["If-Range"] = version
    request = urllib.request.Request(url, headers=headers)
    try:
        stream = _opener(loopback).open(request, timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416 and offset:
                raise RangeNotSatisfiable(_parse_int(r"bytes \*/(\d+)", error.headers.get("Content-Range"))) from None
        raise
    with stream:
        yield _reply(stream, offset)


def _reply(stream: http.client.HTTPResponse, offset: int) -> Reply:
    head = stream.headers
    if head.get("Content-Encoding", "identity") != "identity":
        raise FeatvizError(
            f"the server compresses the file as {head['Content-Encoding'][:40]}, which was not requested"
        )
    length = _parse_int(r"(\d+)", head.get("Content-Length"))
    etag = head.get("ETag")
    # A weak tag may be the same for different bytes.
    version = etag if etag and not etag.startswith("W/") else head.get("Last-Modified")
    if stream.status == 206 and offset:
        begin = _parse_int(r"bytes (\d+)-\d+/(?:\d+|\*)", head.get("Content-Range"))
        if begin != offset:
            raise RangeNotSatisfiable(None)
        total = _parse_int(r"bytes \d+-\d+/(\d+)", head.get("Content-Range"))
        return Reply(stream, offset, offset + length if total is None and length is not None else total, version)
    if stream.status != 200:
        raise FeatvizError(f"the server answers {stream.status} {stream.reason}; expected 200 OK")
    return Reply(stream, 0, length, version)


def _parse_int(pattern: str, text: str | None) -> int | None:
    found = re.fullmatch(pattern, (text or "").strip())
    return int(found[1]) if found and len(found[1]) < 19 else None


def _opener(loopback: bool) -> urllib.request.OpenerDirector:
    """An opener of HTTPS addresses, through the user's proxy if one is set; it opens neither files nor FTP."""
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
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The next request, if it is HTTPS too."""
        try:
            check_url(newurl, loopback=self.loopback)
        except FeatvizError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)
