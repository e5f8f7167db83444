"""A server of files on loopback that misbehaves as it is told."""

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.processes import PATIENCE


@dataclass
class Server:
    """Files by path, and what goes wrong; `asked` has each request's path and its Range."""

    address: str = ""
    files: dict = field(default_factory=dict)
    redirects: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)  # those to put in place of the server's own; None leaves one out
    breaks: deque = field(default_factory=deque)  # after how many bytes each of the next replies ends
    ranges: bool = True
    status: int | None = None
    shift: int = 0  # by how much the reply to a Range begins too late
    etag: str | None = '"one"'
    gate: threading.Event | None = None  # what replies wait for after their first half
    asked: list = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "test", ""

    def log_message(self, *_):
        pass

    def do_GET(self):
        told = self.server.told
        asked = self.headers.get("Range")
        told.asked.append((self.path, asked))
        if self.path in told.redirects:
            self.send_response(302)
            self.send_header("Location", told.redirects[self.path])
            self.end_headers()
            return
        if told.status is not None or self.path not in told.files:
            self.send_error(told.status or 404)
            return
        whole = told.files[self.path]
        begin = 0
        same = self.headers.get("If-Range") in (None, told.etag)
        if asked and told.ranges and same:
            begin = int(asked.removeprefix("bytes=").rstrip("-")) + told.shift
        if begin >= len(whole) and begin:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(whole)}")
            self.end_headers()
            return
        self.send(whole, begin, told)

    def send(self, whole, begin, told):
        headers = {"Content-Length": str(len(whole) - begin), "ETag": told.etag}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(whole) - 1}/{len(whole)}"
        self.send_response(206 if begin else 200)
        for name, value in (headers | told.headers).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        body = whole[begin:]
        if told.breaks:
            body = body[: told.breaks.popleft()]
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if told.gate is not None:
            told.gate.wait(PATIENCE)
        self.wfile.write(body[half:])


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Says nothing: that clients break off is what is tested."""


@contextmanager
def serving(*, context=None, **told):
    """A server within; its address ends without a slash. With a `context` of TLS it speaks https."""
    listening = Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    scheme = "http" if context is None else "https"
    listening.told = Server(f"{scheme}://127.0.0.1:{listening.server_port}", **told)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield listening.told
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
