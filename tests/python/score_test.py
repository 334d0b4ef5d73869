# SPDX-License-Identifier: Apache-2.0
"""examples/python/score.py against `hanas run`: on the original pictures, of all sizes and kinds, it finds what the report promised."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy
    import onnxruntime  # noqa: F401  score.py needs it
    from PIL import Image
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-numpy, python3-pil, python3-onnxruntime)")
    sys.exit(77)

BIN = pathlib.Path(os.environ["HANAS_BIN_DIR"])
SCORE = pathlib.Path(os.environ["HANAS_SOURCE_DIR"]) / "examples/python/score.py"
CLASSES = {"across": 0, "down": 1}
TRAIN, TEST = 150, 250  # of each class
# Two of the networks' inputs, so that some resize what is stored. Grain is what a resize without antialiasing makes patterns of.
JOB = """
name: stripes
dataset: {{name: stripes, format: image_folder, directory: stripes, validation_images: 40, fit: {fit}}}
space:
  resolutions: [{resolutions}]
  input_channels: {channels}
  num_classes: 2
  precisions: [w8a8]
  stem: {{widths: [8], kernel: 3, stride: 2, activation: relu}}
  stages:
    - {{kinds: [conv], widths: [8, 12], depths: [1, 2], stride: 2, kernels: [3]}}
  head: {{widths: [16], activation: relu}}
screening: alone
training: {{batch_size: 32, learning_rate: 0.1}}
sampling: {{networks: 8, steps: 15}}
evolution: {{rounds: 1, evaluations_per_round: 2, population: 4, surrogate_evaluations: 50}}
fine_tune: {{members: 2, steps: 40}}
measure: {{rounds: 5, max_rounds: 5, calibration_networks: 5, held_out_networks: 2}}
references: none
target: {{device: local}}
"""


def stripes(random, kind, grey):
    width, height = int(random.integers(40, 200)), int(random.integers(40, 160))
    extent = (height, width)[kind]
    line = 128 + 20 * numpy.sign(numpy.sin(2 * numpy.pi * (numpy.arange(extent) / extent * random.uniform(3, 5) + random.random())))
    pixels = line[:, None] if kind == 0 else line[None]
    pixels = (pixels + random.normal(0, 60, (height, width))).clip(0, 255).astype("uint8")
    return Image.fromarray(pixels) if grey else Image.merge("RGB", [Image.fromarray(pixels // share) for share in (1, 2, 3)])


def draw(directory, grey, parts):
    random = numpy.random.default_rng(1)
    for part, count in parts.items():
        for name, kind in CLASSES.items():
            folder = directory / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                picture = stripes(random, kind, grey)
                if i % 5 == 1:
                    picture.save(folder / f"{i}.PNG")
                elif i % 5 == 2:
                    exif = Image.Exif()
                    exif[0x0112] = 6  # stored turned, with the tag that says so
                    picture.rotate(90, expand=True).save(folder / f"{i}.jpg", exif=exif, quality=95)
                else:
                    picture.save(folder / f"{i}.JPEG", quality=95)


class ScoreTest(unittest.TestCase):
    def test_says_what_is_wrong(self):
        for arguments, words in (([], "score.py MODEL.onnx DATA_SET/test"), ([SCORE, "pictures"], "expected an ONNX file that can be read")):
            ended = subprocess.run([sys.executable, SCORE, *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(ended.returncode, 1)
            self.assertIn(words, ended.stderr)
            self.assertNotIn("Traceback", ended.stderr)

    def check(self, fit, resolutions, channels, split=True):
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            pictures = scratch / "data" / "stripes"
            draw(pictures, channels == 1, {"train": TRAIN, "test": TEST} if split else {"": TRAIN + TEST})
            (scratch / "job.yaml").write_text(JOB.format(fit=fit, resolutions=resolutions, channels=channels))
            out = scratch / "out"
            run = subprocess.run(
                [BIN / "hanas", "run", scratch / "job.yaml", "--data", scratch / "data", "--out", out, "--plain"],
                capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            self.assertIn("Pictures: decode to", run.stdout)
            report = json.loads((out / "report.json").read_text())
            for member in report["front"]:
                promised, images = int(member["testCorrect"]), int(report["testImages"])
                self.assertEqual(images, len(CLASSES) * (TEST if split else (TRAIN + TEST) // 6))
                self.assertGreater(promised, 0.6 * images, "a network that guesses shows nothing")
                model = next((out / "models").glob(f"*{member['id']}*.onnx"))
                where = [pictures / "test"] if split else [pictures, "--set-aside"]
                scored = subprocess.run([sys.executable, SCORE, model, *where], capture_output=True, text=True, check=True).stdout
                correct, of = (int(word) for word in scored.split()[:3:2])
                self.assertEqual(of, images)
                self.assertLessEqual(abs(correct - promised), 0.002 * images, f"{fit}: {scored}, promised {promised}")

    def test_stretched(self):
        self.check("stretch", "16, 24", 3)

    def test_cropped(self):
        self.check("crop", "24", 1)

    def test_set_aside(self):
        self.check("stretch", "24", 3, split=False)

    def test_padded(self):
        self.check("pad", "24, 32", 3)


if __name__ == "__main__":
    unittest.main()
