# SPDX-License-Identifier: Apache-2.0
"""The Python client of examples/python against a real coordinator, started as a process. No worker and no agent: a search waits in PROFILING."""

import hashlib
import itertools
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import grpc
except ImportError:
    print("skipped: Python's grpc is not installed (Debian: python3-grpcio)")
    sys.exit(77)

from hanas_client import HanasClient, describe_error, find_token, open_channel, token_place
from hanas.v1 import data_pb2, search_pb2, task_pb2, task_pb2_grpc
from tiny_job import tiny_job

BIN = pathlib.Path(os.environ["HANAS_BIN_DIR"])
SOURCE = pathlib.Path(os.environ["HANAS_SOURCE_DIR"])
START_DEADLINE = 30.0


class Coordinator:
    """A coordinator in a directory of its own. It can be killed and started again at the same address."""

    def __init__(self, directory: pathlib.Path):
        self._directory, self._port = directory, 0
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        port_file = self._directory / "port"
        port_file.unlink(missing_ok=True)
        command = [BIN / "hanas-coordinator", "--data-dir", self._directory / "state", "--listen", self.address, "--port-file", port_file]
        with open(self._directory / "log", "ab") as log:
            self._process = subprocess.Popen([*map(str, command), "--die-with-parent", str(os.getpid())], stderr=log)
        deadline = time.monotonic() + START_DEADLINE
        while not port_file.exists():
            try:
                status = self._process.wait(timeout=0.02)
                raise AssertionError(f"the coordinator ended with {status} before it listened")
            except subprocess.TimeoutExpired:
                assert time.monotonic() < deadline, "the coordinator does not listen"
        self._port = int(port_file.read_text())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=START_DEADLINE)


class ClientTest(unittest.TestCase):
    def setUp(self):
        self._temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self._temporary.cleanup)
        self.directory = pathlib.Path(self._temporary.name)
        self.coordinator = Coordinator(self.directory)
        self.addCleanup(lambda: self.coordinator.kill())
        self.client = HanasClient(self.coordinator.address)
        self.addCleanup(self.client.close)

    def assertRefused(self, code: grpc.StatusCode, call, *arguments) -> grpc.RpcError:
        with self.assertRaises(grpc.RpcError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.code(), code, raised.exception.details())
        return raised.exception

    def test_submits_once_however_often_it_asks(self):
        first = self.client.create_search(tiny_job(), "the-same")
        again = self.client.create_search(tiny_job(), "the-same")
        other = self.client.create_search(tiny_job(), "another")
        self.assertEqual(first.name, again.name)
        self.assertNotEqual(first.name, other.name)

    def test_what_a_job_leaves_out_is_filled_in_and_a_zero_stays_a_zero(self):
        sparse = tiny_job()
        sparse.references = search_pb2.REFERENCES_NONE
        sparse.training.label_smoothing = 0
        stored = self.client.get_search(self.client.create_search(sparse, "sparse").name).spec
        self.assertEqual(stored.training.steps, sparse.training.steps)
        self.assertEqual(stored.training.clip_norm, 1)
        self.assertTrue(stored.training.augmentation.flip)
        self.assertEqual(stored.training.augmentation.shift, 2)
        self.assertEqual(len(stored.training.phases), 2)
        self.assertEqual(stored.dataset.directory, "drawn")
        self.assertEqual(stored.target.backend, "xnnpack")
        self.assertEqual(stored.references, search_pb2.REFERENCES_NONE)
        self.assertTrue(stored.training.HasField("label_smoothing"))
        self.assertEqual(stored.training.label_smoothing, 0)
        # What was stored says everything, so that it is itself when it is sent again.
        again = self.client.get_search(self.client.create_search(stored, "again").name).spec
        self.assertEqual(again, stored)

    def test_a_space_can_be_named_instead_of_spelt_out(self):
        job = tiny_job()
        job.dataset.format = search_pb2.DatasetSpec.FORMAT_IMAGE_FOLDER
        job.space.Clear()
        job.space.preset = "resnet8"
        job.space.num_classes = 7
        stored = self.client.get_search(self.client.create_search(job, "named").name).spec.space
        self.assertEqual((stored.preset, stored.name, stored.num_classes, len(stored.stages)), ("", "tiny", 7, 3))
        job.space.preset = "resnet9"
        wrong = describe_error(self.assertRefused(grpc.StatusCode.INVALID_ARGUMENT, self.client.create_search, job, "unknown"))
        self.assertIn("space.preset: expected a preset", wrong)
        self.assertIn("did you mean resnet8?", wrong)

    def test_the_job_in_python_is_the_job_file(self):
        job = SOURCE / "examples" / "tiny.yaml"
        command = [BIN / "hanas", "submit", "--coordinator", self.coordinator.address, job]
        name = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout.split()[0]
        sent = self.client.create_search(tiny_job(), "in-python").name
        self.assertEqual(self.client.get_search(name).spec, self.client.get_search(sent).spec)

    def test_lists_page_by_page(self):
        names = [self.client.create_search(tiny_job(), f"request-{i}").name for i in range(5)]
        self.assertEqual([search.name for search in self.client.list_searches(page_size=2)], names)
        self.client.cancel(names[2])
        self.assertEqual([search.name for search in self.client.list_searches(filter="phase = CANCELLED")], names[2:3])
        wrong = describe_error(self.assertRefused(grpc.StatusCode.INVALID_ARGUMENT, next, self.client.list_searches(filter="phase = DONE")))
        self.assertIn("filter: at character 9: expected one of", wrong)

    def test_watches_until_the_end_and_resumes_in_the_middle(self):
        name = self.client.create_search(tiny_job(), "watched").name
        stream = self.client.watch(name)
        first = next(stream)
        self.assertEqual(self.client.cancel(name).phase, search_pb2.PHASE_CANCELLED)
        events = [event for event in itertools.chain([first], stream) if event.kind != "progress"]
        self.assertEqual(events[-1].phase, search_pb2.PHASE_CANCELLED)
        self.assertEqual([event.sequence for event in events], list(range(1, len(events) + 1)))
        resumed = [event for event in self.client.watch(name, after_sequence=events[0].sequence) if event.kind != "progress"]
        self.assertEqual(resumed, events[1:])

    def test_a_watch_goes_on_after_the_coordinator_was_killed(self):
        name = self.client.create_search(tiny_job(), "killed").name
        pauses = []

        def restart(seconds: float) -> None:  # instead of sleeping
            pauses.append(seconds)
            if len(pauses) == 1:
                self.coordinator.start()
                self.client.create_search(tiny_job(), "wait-until-it-answers")
                self.client.cancel(name)

        stream = self.client.watch(name, sleep=restart)
        seen = [next(stream).sequence]
        self.coordinator.kill()
        rest = [event for event in stream if event.kind != "progress"]
        self.assertGreaterEqual(len(pauses), 1)
        self.assertEqual(rest[-1].phase, search_pb2.PHASE_CANCELLED)
        sequences = [event.sequence for event in rest]
        self.assertEqual(sequences, sorted(set(sequences)))
        self.assertGreaterEqual(sequences[0], seen[-1])

    def test_a_refusal_names_every_wrong_field(self):
        spec = tiny_job()
        spec.training.batch_size = 0
        spec.space.stages[0].blocks[0].kernels[0] = 4
        text = describe_error(self.assertRefused(grpc.StatusCode.INVALID_ARGUMENT, self.client.create_search, spec, "bad"))
        self.assertIn("training.batch_size", text)
        self.assertIn("kernels", text)
        self.assertEqual(list(self.client.list_searches()), [])

    def test_hundreds_of_mistakes_are_twenty_and_a_number(self):
        spec = tiny_job()
        spec.space.resolutions.extend(-n for n in range(1, 61))
        spec.space.stages[0].widths.extend([0] * 60)
        text = describe_error(self.assertRefused(grpc.StatusCode.INVALID_ARGUMENT, self.client.create_search, spec, "very-bad"))
        self.assertIn("space.resolutions[", text)
        self.assertRegex(text, r"\n  and \d+ more")

    def test_deletes_what_is_over_or_is_told_to_cancel(self):
        first, second = (self.client.create_search(tiny_job(), f"request-{i}").name for i in range(2))
        refusal = describe_error(self.assertRefused(grpc.StatusCode.FAILED_PRECONDITION, self.client.delete, first))
        self.assertIn("SEARCH_NOT_OVER", refusal)
        self.client.delete(first, cancel=True)
        self.client.cancel(second)
        self.client.delete(second)
        self.assertEqual(list(self.client.list_searches()), [])
        self.assertIn("SEARCH_NOT_FOUND", describe_error(self.assertRefused(grpc.StatusCode.NOT_FOUND, self.client.get_search, first)))

    def test_unknown_and_unfinished_searches_are_refused(self):
        self.assertRefused(grpc.StatusCode.NOT_FOUND, self.client.get_search, "searches/4711")
        name = self.client.create_search(tiny_job(), "unfinished").name
        self.assertRefused(grpc.StatusCode.FAILED_PRECONDITION, self.client.export, name, self.directory / "out")
        self.assertFalse((self.directory / "out").exists())

    def test_downloads_an_artifact_whole_or_not_at_all(self):
        content = os.urandom(3 << 20)
        artifact = data_pb2.ArtifactRef(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        with open_channel(self.coordinator.address) as channel:
            parts = [
                task_pb2.UploadArtifactRequest(
                    artifact=artifact if offset == 0 else None, offset=offset, data=content[offset : offset + (1 << 20)]
                )
                for offset in range(0, len(content), 1 << 20)
            ]
            task_pb2_grpc.ArtifactServiceStub(channel).UploadArtifact(iter(parts), timeout=30)
        self.client.download(artifact.sha256, self.directory / "artifact")
        self.assertEqual((self.directory / "artifact").read_bytes(), content)
        self.assertRefused(grpc.StatusCode.NOT_FOUND, self.client.download, "0" * 64, self.directory / "missing")
        self.assertEqual(list(self.directory.glob("missing*")), [])

    def test_without_the_token_nothing_is_answered(self):
        token = self.directory / "token"
        token.write_text("0" * 64)
        token.chmod(0o600)
        with HanasClient(self.coordinator.address, token_file=token) as stranger:
            error = self.assertRefused(grpc.StatusCode.UNAUTHENTICATED, stranger.get_search, "searches/1")
            self.assertIn("token", describe_error(error))
            self.assertRefused(grpc.StatusCode.UNAUTHENTICATED, next, stranger.watch("searches/1"))
            token.write_text(find_token())
            self.assertEqual(list(stranger.list_searches()), [])
            token.chmod(0o644)
            with self.assertRaisesRegex(PermissionError, "0644"):
                stranger.get_search("searches/1")
            token.unlink()
            self.assertRefused(grpc.StatusCode.UNAUTHENTICATED, stranger.get_search, "searches/1")
        self.assertEqual(token_place().stat().st_mode & 0o777, 0o600)
        self.assertNotIn(find_token(), (self.directory / "log").read_text())

    def test_the_coordinator_stops_cleanly_while_it_is_watched(self):
        name = self.client.create_search(tiny_job(), "stopped").name
        stream = self.client.watch(name, patience=0)
        next(stream)
        self.assertEqual(self.coordinator.stop(), 0)
        with self.assertRaises(grpc.RpcError) as raised:
            list(stream)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
