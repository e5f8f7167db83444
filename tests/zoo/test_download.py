"""Downloads into the cache are complete and checked, whatever the connection, the server or the disk do."""

import dataclasses
import functools
import hashlib
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest
from support import weight_files as files
from support.disks import small_disk
from support.processes import PATIENCE, wait_for
from support.server import serving

from featviz.cli.main import run
from featviz.errors import FeatvizError
from featviz.zoo import registry
from featviz.zoo.entry import Source
from featviz.zoo.registry import load, outline
from featviz.zoo.weights import locate
from featviz.zoo.weights.convert import torch_name
from featviz.zoo.weights.download import fetch
from featviz.zoo.weights.load import flatten
from featviz.zoo.weights.weight_cache import cache_path

DATA = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
CODE = """
import sys
from featviz.zoo.entry import Source
from featviz.zoo.weights.download import fetch
print(fetch(Source(*sys.argv[1:]), loopback=True))
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server():
    with serving(files={"/models/a.pth": DATA}) as told:
        yield told


def source(server, sha256=SHA256, path="/models/a.pth"):
    return Source(server.address + path, sha256)


def left(cache):
    """The names of the files in the cache."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def refusal(*arguments, **options):
    with pytest.raises(FeatvizError) as caught:
        fetch(*arguments, loopback=True, progress=False, **options)
    said = str(caught.value)
    assert said.isprintable() and len(said) < 600
    return said


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8].upper(), None])
def test_a_complete_file_is_downloaded_once(server, cache, capsys, sha256):
    wanted = source(server, sha256)
    path = fetch(wanted, loopback=True)
    assert path == cache_path(wanted) and path.read_bytes() == DATA and left(cache) == ["a.pth"]
    assert f"fetching {wanted.url}, 0.3 MB" in capsys.readouterr().err
    assert fetch(wanted, loopback=True) == path and len(server.asked) == 1
    assert capsys.readouterr().err == ""


def test_a_cached_file_needs_no_connection(server):
    wanted = source(server)
    fetch(wanted, loopback=True, progress=False)
    # Nor is the scheme looked at then: nothing is asked.
    assert fetch(wanted).read_bytes() == DATA


def test_a_broken_connection_is_resumed_where_it_ended(server, cache):
    server.breaks.extend([100_000, 50_000])
    assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert left(cache) == ["a.pth"]


def test_a_partial_file_is_kept_for_the_next_attempt(server, cache):
    server.breaks.extend([100_000, 0])
    said = refusal(source(server))
    assert "the connection ended after 100,000 of 300,000 bytes; the part received is kept" in said
    assert "a.pth.partial" in left(cache) and "a.pth" not in left(cache)
    assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
    assert server.asked[-1][1] == "bytes=100000-" and left(cache) == ["a.pth"]


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_another_version_starts_over(server, sha256):
    server.breaks.extend([100_000, 0])
    refusal(source(server, sha256))
    server.files["/models/a.pth"], server.etag = DATA[::-1], '"two"'
    if sha256 is None:
        assert fetch(source(server, None), loopback=True, progress=False).read_bytes() == DATA[::-1]
    else:
        assert f"has the SHA-256 {hashlib.sha256(DATA[::-1]).hexdigest()}" in refusal(source(server))


def test_without_a_version_or_a_hash_it_starts_over(server):
    server.etag = None
    server.breaks.extend([100_000, 0])
    refusal(source(server, None))
    fetch(source(server, None), loopback=True, progress=False)
    assert [asked for _, asked in server.asked] == [None, None, None]
    assert cache_path(source(server)).read_bytes() == DATA


def test_a_server_that_ignores_ranges_sends_the_complete_file(server):
    server.ranges = False
    server.breaks.append(100_000)
    assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-"]


def test_a_reply_with_another_offset_is_refused(server):
    server.shift = 7
    server.breaks.append(100_000)
    assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("content", [DATA, DATA + b"more", DATA[:-1] + b"x"])
def test_a_partial_file_of_the_whole_size_or_more(server, cache, content):
    partial = cache_path(source(server)).with_name("a.pth.partial")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    if content.endswith(b"x"):
        assert "it is deleted" in refusal(source(server))
        assert left(cache) == []
    else:
        assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
        assert left(cache) == ["a.pth"]


def test_a_wrong_hash_deletes_the_file_and_says_both(server, cache):
    said = refusal(source(server, "7be5be79"))
    assert f"the file received has the SHA-256 {SHA256}; expected 7be5be79; it is deleted" in said
    assert f"get {server.address}/models/a.pth yourself and pass weights=FILE (--weights FILE" in said
    assert left(cache) == []


def test_redirects(server, cache):
    server.redirects |= {"/go": "/models/a.pth", "/file": "file:///etc/passwd", "/ftp": "ftp://127.0.0.1/a"}
    server.redirects |= {"/away": "http://example.org/a.pth", "/circle": "/circle"}
    assert fetch(source(server, path="/go"), loopback=True, progress=False).read_bytes() == DATA
    assert "answers 302" in refusal(source(server, path="/file"))
    assert "of the scheme `ftp`; files are fetched over https only" in refusal(source(server, path="/ftp"))
    assert "of the scheme `http`; files are fetched over https only" in refusal(source(server, path="/away"))
    assert "would lead to an infinite loop" in refusal(source(server, path="/circle"))
    assert left(cache) == ["go"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a", "file:///etc/passwd", "ftp://a/b", "data:,a", "a.pth", ""])
def test_other_schemes_are_refused(url, cache):
    with pytest.raises(FeatvizError, match="files are fetched over https only"):
        fetch(Source(url))
    assert left(cache) == []


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_server_that_has_no_such_file(server, cache, status):
    server.status = status
    assert f"`a.pth` cannot be fetched: 127.0.0.1 answers {status} " in refusal(source(server))
    assert left(cache) == []


def test_over_https_with_a_certificate_that_is_trusted_or_not(cache, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for variable in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with serving(context=context, files={"/models/a.pth": DATA}) as told:
        told.redirects["/plain"] = told.address.replace("https", "http") + "/models/a.pth"
        with pytest.raises(FeatvizError, match="no connection to 127.0.0.1: .*certificate verify failed"):
            fetch(source(told), progress=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with pytest.raises(FeatvizError, match="of the scheme `http`; files are fetched over https only"):
            fetch(source(told, path="/plain"), progress=False)
        told.breaks.append(100_000)
        assert fetch(source(told), progress=False).read_bytes() == DATA
        assert left(cache) == ["a.pth"]


def test_no_server(cache):
    with serving() as gone:
        pass
    said = refusal(source(gone))
    assert "`a.pth` cannot be fetched: no connection to 127.0.0.1: Connection refused; get http" in said
    assert left(cache) == []


def test_no_name_server(cache):
    with pytest.raises(FeatvizError, match="no connection to nowhere.invalid: .*pass weights=FILE"):
        fetch(Source("https://nowhere.invalid/a.pth"), progress=False)
    assert left(cache) == []


def test_replies_that_were_not_requested(server, cache):
    server.headers = {"Content-Encoding": "gzip"}
    assert "compresses the file as gzip, which was not requested" in refusal(source(server))
    server.headers = {"Content-Length": str(2**40)}
    assert "it has 1,099,511,627,776 bytes; expected at most 8,589,934,592" in refusal(source(server))
    assert left(cache) == []


def test_more_than_expected_without_a_length(server, cache, monkeypatch):
    monkeypatch.setattr("featviz.zoo.weights.download.MAX_BYTES", 200_000)
    monkeypatch.setattr("featviz.zoo.weights.download.CHUNK", 65_536)
    server.headers = {"Content-Length": None}
    assert "it has more than 200,000 bytes" in refusal(source(server))
    assert "a.pth" not in left(cache) and "a.pth.partial" not in left(cache)


def test_a_full_disk(server, tmp_path, monkeypatch):
    with small_disk(tmp_path / "disk") as disk:
        monkeypatch.setenv("FEATVIZ_CACHE", str(disk))
        assert "has room for 0.2 MB; 0.3 MB are needed (FEATVIZ_CACHE may name another folder)" in refusal(
            source(server)
        )
        # It is met in the middle where the server does not say how large the file is.
        server.headers = {"Content-Length": None}
        assert "a.pth` cannot be written: No space left on device" in refusal(source(server))
        assert sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) < 100
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "cannot be written: Read-only file system" in refusal(source(server, path="/models/b.pth"))


def test_a_cache_that_is_not_a_folder(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FEATVIZ_CACHE", str(tmp_path / "file"))
    assert "cannot be written: Not a directory" in refusal(source(server))


def start(server):
    return subprocess.Popen(
        [sys.executable, "-c", CODE, server.address + "/models/a.pth", SHA256],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_download_once(server, cache):
    server.gate = threading.Event()
    processes = [start(server)]
    wait_for(lambda: server.asked)
    processes.append(start(server))
    assert processes[1].stderr.readline() == "another process is fetching a.pth; this one waits\n"
    server.gate.set()
    ended = [process.communicate(timeout=PATIENCE) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert {out.strip() for out, _ in ended} == {str(cache_path(source(server)))}
    assert len(server.asked) == 1 and left(cache) == ["a.pth"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_is_resumed(server, cache, how):
    server.gate = threading.Event()
    process = start(server)
    wait_for(lambda: any(p.stat().st_size >= 2**16 for p in cache.rglob("*.partial")))
    process.send_signal(how)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0 and "a.pth" not in left(cache)
    kept = next(cache.rglob("*.partial")).stat().st_size
    server.gate.set()
    assert fetch(source(server), loopback=True, progress=False).read_bytes() == DATA
    assert server.asked[-1][1] == f"bytes={kept}-" and left(cache) == ["a.pth"]


def test_cache_paths_are_inside_the_cache(cache):
    for url in ("https://a.org/../../etc/passwd", "https://a.org/x/..", "https://u@a.org:1/b c?d=/../e", "https://a"):
        path = cache_path(Source(url))
        assert cache / "weights" in path.parents and ".." not in path.parts
        assert path == path.resolve() or os.path.islink(cache)
    assert cache_path(Source("https://a.org/model.safetensors")) != cache_path(
        Source("https://b.org/model.safetensors")
    )


@pytest.fixture
def fetched_entry(server, monkeypatch):
    """A network of the zoo whose source is this server."""
    own = {path: np.full(leaf.shape, 0.5, np.float32) for path, leaf in template("squeezenet1_1").items()}
    turn = {4: (3, 2, 0, 1), 1: (0,)}
    state = {torch_name(path): np.ascontiguousarray(a.transpose(turn[a.ndim])) for path, a in own.items()}
    server.files["/net.pth"] = files.saved(state)
    entry = dataclasses.replace(registry.find("squeezenet1_1"), sources=(Source(server.address + "/net.pth"),))
    monkeypatch.setattr(registry, "find", lambda name: entry)
    monkeypatch.setattr(locate, "fetch", functools.partial(fetch, loopback=True))
    return own


def template(name):
    return flatten(outline(name).weights["params"])


def test_a_network_is_fetched_when_it_is_loaded(server, fetched_entry, capsys):
    for _ in range(2):
        model = load("squeezenet1_1")
        jax.tree.map(np.testing.assert_array_equal, flatten(model.weights["params"]), fetched_entry)
        assert dict(model.source) == {"model": "squeezenet1_1"}
    assert len(server.asked) == 1
    assert capsys.readouterr().err.count("fetching http") == 1


def test_a_file_for_another_network_is_removed(server, fetched_entry, cache):
    server.files["/net.pth"] = files.saved({"a": np.ones(3, np.float32)})
    with pytest.raises(FeatvizError, match=r"lacks the tensor .* and is removed from the cache"):
        load("squeezenet1_1")
    assert left(cache) == []


def test_the_command_line_fails_in_one_line(server, fetched_entry, tmp_path, capsys):
    server.status = 404
    with pytest.raises(SystemExit) as ended:
        run(["render", "squeezenet1_1", "fire9:0", "-o", str(tmp_path / "a.png")])
    assert ended.value.code == 1
    out, said = capsys.readouterr()
    assert out == "" and len(said.splitlines()) == 1 and "answers 404" in said
