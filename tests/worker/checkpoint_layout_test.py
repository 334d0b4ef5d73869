# SPDX-License-Identifier: Apache-2.0
"""A checkpoint, read as anybody reads a safetensors file: with Python's struct and json, by the rules of the format alone."""

import json
import os
import pathlib
import struct
import subprocess
import unittest

PROGRAM = pathlib.Path(os.environ["HANAS_BINARY_DIR"]) / "tests" / "write_checkpoint"


def crc32c(data: bytes) -> int:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


class CheckpointLayoutTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        written = subprocess.run([PROGRAM], capture_output=True, check=True)
        cls.lines = [line.split() for line in written.stderr.decode().splitlines()]
        (length,) = struct.unpack_from("<Q", written.stdout)
        cls.text, cls.data = written.stdout[8 : 8 + length], written.stdout[8 + length :]
        cls.header = json.loads(cls.text)
        cls.metadata = cls.header["__metadata__"]
        cls.tensors = {name: entry for name, entry in cls.header.items() if name != "__metadata__"}

    def test_the_header_is_an_object_padded_with_spaces(self):
        self.assertEqual(len(self.text) % 8, 0)
        self.assertTrue(self.text.startswith(b"{"))
        self.assertTrue(self.text.rstrip(b" ").endswith(b"}"))

    def test_the_metadata_are_strings(self):
        self.assertEqual(set(self.metadata), {"checkpoint_version", "space_digest", "chain_digest", "step", "crc32c"})
        self.assertTrue(all(isinstance(value, str) for value in self.metadata.values()))
        self.assertEqual(self.metadata["step"], "42")

    def test_the_tensors_fill_the_data(self):
        end = 0
        for entry in sorted(self.tensors.values(), key=lambda entry: entry["data_offsets"]):
            self.assertEqual(set(entry), {"dtype", "shape", "data_offsets"})
            size = 4
            for extent in entry["shape"]:
                size *= extent
            self.assertEqual(entry["data_offsets"], [end, end + size])
            end += size
        self.assertEqual(end, len(self.data))

    def test_the_tensors_are_the_slots(self):
        self.assertGreater(len(self.lines), 10)
        self.assertEqual(set(self.tensors), {prefix + line[0] for line in self.lines for prefix in ("", "momentum/")})
        for name, shape, first, last in self.lines:
            for prefix in ("", "momentum/"):
                entry = self.tensors[prefix + name]
                self.assertEqual(entry["dtype"], "F32")
                self.assertEqual(entry["shape"], [int(extent) for extent in shape.split(",")])
                begin, end = entry["data_offsets"]
                numbers = struct.unpack(f"<{(end - begin) // 4}f", self.data[begin:end])
                self.assertAlmostEqual(numbers[0], float(first), delta=1e-5 * abs(float(first)))
                self.assertAlmostEqual(numbers[-1], float(last), delta=1e-5 * abs(float(last)))

    def test_the_checksum_is_of_the_header_without_it_and_the_data(self):
        header = json.loads(self.text)
        expected = header["__metadata__"].pop("crc32c")
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        self.assertEqual(f"{crc32c(text + self.data):08x}", expected)


if __name__ == "__main__":
    unittest.main()
