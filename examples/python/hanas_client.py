# SPDX-License-Identifier: Apache-2.0
"""A client of a HA-NAS coordinator, small enough to copy into a program of your own.

It needs grpcio, protobuf and the stubs that protoc makes of proto/hanas/v1 (examples/python/generate.sh makes them):

    client = HanasClient("127.0.0.1:7700")
    search = client.create_search(spec, request_id="nightly-2026-01-31")
    for event in client.watch(search.name):
        print(event.text)
    client.export(search.name, "results")

A coordinator on TCP asks every call for its token: find_token() says where it is looked for. Errors are grpc.RpcError with the server's code;
describe_error() turns one into lines for people. Thread-safe: a channel may be shared.
"""

import hashlib
import os
import pathlib
import time
from typing import Callable, Iterator

import grpc
from google.protobuf import json_format
from hanas.v1 import search_pb2, search_pb2_grpc, task_pb2, task_pb2_grpc

TERMINAL_PHASES = frozenset({search_pb2.PHASE_SUCCEEDED, search_pb2.PHASE_FAILED, search_pb2.PHASE_CANCELLED})

TOKEN_DIGITS = 64

# A dead peer is noticed in 20 s while a call is in progress.
_KEEPALIVE = (("grpc.keepalive_time_ms", 10_000), ("grpc.keepalive_timeout_ms", 10_000))


def phase_word(phase: int) -> str:
    """"TRAINING" of PHASE_TRAINING: what the programs of HA-NAS write."""
    return search_pb2.Phase.Name(phase).removeprefix("PHASE_")


def token_place(token_file: os.PathLike | str | None = None) -> pathlib.Path | None:
    """The file that holds the token: `token_file`, else that of HANAS_TOKEN_FILE, else the user's own, which the first coordinator makes.
    None when the token itself is in HANAS_TOKEN."""
    named = token_file or os.environ.get("HANAS_TOKEN_FILE")
    if named:
        return pathlib.Path(named)
    if os.environ.get("HANAS_TOKEN"):
        return None
    state = os.environ.get("XDG_STATE_HOME", "")
    return (pathlib.Path(state) if state.startswith("/") else pathlib.Path.home() / ".local" / "state") / "hanas" / "token"


def find_token(token_file: os.PathLike | str | None = None) -> str | None:
    """The token in token_place(); None when the file is not there. PermissionError when others than its owner may read it, ValueError when
    there is no token in it. No message holds what was found."""
    place = token_place(token_file)
    if place is None:
        text = os.environ["HANAS_TOKEN"]
    else:
        try:
            mode = place.stat().st_mode & 0o7777
            text = place.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return None
        if mode & 0o077:
            raise PermissionError(f"expected a file that only its owner may use (mode 0600), found mode {mode:04o}: {place}")
    token = text.strip().lower()
    if len(token) != TOKEN_DIGITS or not set(token) <= set("0123456789abcdef"):
        raise ValueError(f"expected {TOKEN_DIGITS} hexadecimal digits in {place or 'HANAS_TOKEN'}, found something else")
    return token


class _ShowToken(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Sends "authorization: Bearer TOKEN" with every call; the token is read for each, so that one that is made or changed later counts."""

    def __init__(self, token_file):
        self._token_file = token_file

    def _call(self, continuation, details, request):
        if token := find_token(self._token_file):
            details = details._replace(metadata=[*(details.metadata or ()), ("authorization", f"Bearer {token}")])
        return continuation(details, request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_unary = _call


def open_channel(address: str, token_file: os.PathLike | str | None = None) -> grpc.Channel:
    """A channel to a coordinator: HOST:PORT, with the token, or unix:/PATH, where the system knows who calls and nobody asks."""
    channel = grpc.insecure_channel(address, options=_KEEPALIVE)
    return channel if address.startswith("unix:") else grpc.intercept_channel(channel, _ShowToken(token_file))


class HanasClient:
    """One coordinator. Every call but a watch has a deadline; UNAVAILABLE means that nobody answers there, UNAUTHENTICATED that it has another token."""

    def __init__(self, address: str, timeout: float = 30.0, token_file: os.PathLike | str | None = None):
        """`address` and `token_file` are as in open_channel(); `timeout` is that of single calls, in seconds. Does not connect yet."""
        self._channel = open_channel(address, token_file)
        self._searches = search_pb2_grpc.SearchServiceStub(self._channel)
        self._artifacts = task_pb2_grpc.ArtifactServiceStub(self._channel)
        self._timeout = timeout

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> "HanasClient":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def create_search(self, spec: search_pb2.SearchSpec, request_id: str) -> search_pb2.Search:
        """Stores the search durably before it returns. The same `request_id` gives the same search, so a call that failed half-way may be
        made again. INVALID_ARGUMENT names every field that is wrong."""
        request = search_pb2.CreateSearchRequest(spec=spec, request_id=request_id)
        return self._searches.CreateSearch(request, timeout=self._timeout, wait_for_ready=True)

    def get_search(self, name: str) -> search_pb2.Search:
        return self._searches.GetSearch(search_pb2.GetSearchRequest(name=name), timeout=self._timeout)

    def list_searches(self, page_size: int = 100, filter: str = "") -> Iterator[search_pb2.Search]:
        """The searches that `filter` holds for ("phase = FAILED"; docs/api.md says what it may be), else all, page by page, oldest first; of
        their specifications only what a list needs (get_search has all)."""
        request = search_pb2.ListSearchesRequest(page_size=page_size, filter=filter)
        while True:
            page = self._searches.ListSearches(request, timeout=self._timeout)
            yield from page.searches
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def cancel(self, name: str) -> search_pb2.Search:
        return self._searches.CancelSearch(search_pb2.CancelSearchRequest(name=name), timeout=self._timeout)

    def delete(self, name: str, cancel: bool = False) -> None:
        """For good. One that goes on is refused with FAILED_PRECONDITION (reason SEARCH_NOT_OVER) unless it is to be cancelled first."""
        if cancel and self.get_search(name).phase not in TERMINAL_PHASES:
            self.cancel(name)
        self._searches.DeleteSearch(search_pb2.DeleteSearchRequest(name=name), timeout=self._timeout)

    def watch(
        self, name: str, after_sequence: int = 0, patience: float = 300.0, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[search_pb2.SearchEvent]:
        """Events in order, each once, until the search has ended. A coordinator that restarts, or a link that breaks, is tried again for
        `patience` seconds after the last event: the sequence of an event is the token from which the next stream goes on."""
        pause, last_heard = 0.2, time.monotonic()
        while True:
            try:
                request = search_pb2.WatchSearchRequest(name=name, after_sequence=after_sequence)
                for event in self._searches.WatchSearch(request):
                    pause, last_heard = 0.2, time.monotonic()
                    after_sequence = max(after_sequence, event.sequence)
                    yield event
                return
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() - last_heard > patience:
                    raise
            sleep(pause)
            pause = min(2 * pause, 5.0)

    def report(self, name: str, target: str = "") -> search_pb2.Report:
        """For the target of that name, else the first; `Report.targets` names all. FAILED_PRECONDITION until the search has succeeded."""
        return self._searches.GetReport(search_pb2.GetReportRequest(name=name, target=target), timeout=self._timeout)

    def download(self, sha256: str, path: os.PathLike | str) -> None:
        """Writes an artifact to `path`: all of it with the right digest, or nothing. ValueError when what arrives has another digest."""
        part = pathlib.Path(f"{os.fspath(path)}.part")
        digest = hashlib.sha256()
        try:
            with open(part, "wb") as file:
                for chunk in self._artifacts.DownloadArtifact(task_pb2.DownloadArtifactRequest(sha256=sha256), timeout=300):
                    digest.update(chunk.data)
                    file.write(chunk.data)
            if digest.hexdigest() != sha256:
                raise ValueError(f"expected an artifact with sha256 {sha256}, found {digest.hexdigest()}")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def export(self, name: str, directory: os.PathLike | str) -> search_pb2.Report:
        """Writes report.json and models/<network>.onnx below `directory`, and returns the report with the names of the files."""
        report = self.report(name)
        models = pathlib.Path(directory) / "models"
        models.mkdir(parents=True, exist_ok=True)
        for network in [*report.front, *report.references]:
            if not network.onnx_sha256:
                continue
            # An id comes from elsewhere: nothing but a plain name becomes part of a path.
            stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in network.id)[:100] or "network"
            network.onnx_file = f"models/{stem}.onnx"
            self.download(network.onnx_sha256, pathlib.Path(directory) / network.onnx_file)
        (pathlib.Path(directory) / "report.json").write_text(json_format.MessageToJson(report), encoding="utf-8")
        return report


def describe_error(error: grpc.RpcError) -> str:
    """The code, the message, and a line for every field that the server found wrong."""
    try:
        from google.rpc import error_details_pb2, status_pb2  # of googleapis-common-protos, where it is installed
    except ImportError:
        from rpc import error_details_pb2
        status_pb2 = error_details_pb2
    lines = [f"{error.code().name}: {error.details()}"]
    if error.code() == grpc.StatusCode.UNAUTHENTICATED:
        lines.append(f"  the token was looked for in {token_place() or 'HANAS_TOKEN'}, unless another file was named")
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            reason, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(reason):
                lines.append(f"  reason: {reason.reason}")
            elif detail.Unpack(request):
                lines += [f"  {v.field}: {v.description}" if v.field else f"  {v.description}" for v in request.field_violations]
    return "\n".join(lines)
