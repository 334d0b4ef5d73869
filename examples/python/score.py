#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores an exported network on pictures in folders of classes: score.py MODEL.onnx DATA_SET/test

Prepares each picture as the file's metadata says, so that it finds what the report promised, whatever made the pictures. For a set without
test pictures, of which hanas set some aside: score.py MODEL.onnx DATA_SET --set-aside (or DATA_SET/train; of a set
without damaged pictures). Needs python3-numpy,
python3-pil and python3-onnxruntime.
"""
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy
import onnxruntime
from PIL import Image, ImageOps

folders = [word for word in sys.argv[2:] if word != "--set-aside"]
if len(folders) != 1:
    sys.exit(__doc__)
# Debian's build of the library says of every operator that it knows it twice: what is wrong is told by the exception.
errors = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
try:
    session, wrong = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"]), None
except Exception as error:  # there is a type of its own for each reason
    wrong = error
os.dup2(errors, 2)
if wrong is not None:
    sys.exit(f"score.py: expected an ONNX file that can be read, found: {wrong}")
about = session.get_modelmeta().custom_metadata_map
if "hanas.preprocessing" not in about:
    sys.exit(f"score.py: expected a file that hanas exported, found one without its metadata: {sys.argv[1]}")
labels, how = json.loads(about["hanas.labels"]), json.loads(about["hanas.preprocessing"])
if "picture" not in how:
    sys.exit("score.py: expected a model of pictures in files, found one of IDX files")
missing = [label for label in labels if not (Path(folders[0]) / label).is_dir()]
if missing:
    sys.exit(f"score.py: expected a folder for each of {len(labels)} classes in {folders[0]}, found none for {', '.join(missing[:8])}")
side, fit, padding = (how["picture"][key] for key in ("side", "fit", "padding"))
mode = "RGB" if len(how["mean"]) == 3 else "L"


def square(path):
    picture = Image.open(path)
    picture.draft(mode, (2 * side, 2 * side))  # JPEG: reduced while it is decoded
    picture = ImageOps.exif_transpose(picture).convert(mode)
    if fit == "pad":
        return ImageOps.pad(picture, (side, side), Image.BILINEAR, color=(padding,) * len(mode))
    if fit == "crop":
        edge = min(picture.size)
        left, top = ((extent - edge) // 2 for extent in picture.size)
        picture = picture.crop((left, top, left + edge, top + edge))
    return picture.resize((side, side), Image.BILINEAR)


def resized(pixels, extent):  # along the first axis: between neighbours, without antialiasing
    at = numpy.maximum(0, (numpy.arange(extent) + 0.5) * len(pixels) / extent - 0.5)
    low = at.astype(int)
    share = (at - low)[:, None, None]
    return pixels[low] * (1 - share) + pixels[numpy.minimum(low + 1, len(pixels) - 1)] * share


def prepared(path):
    pixels = numpy.asarray(square(path), numpy.float32).reshape(side, side, -1)
    pixels = resized(resized(pixels, how["height"]).swapaxes(0, 1), how["width"]).swapaxes(0, 1)
    return ((pixels / 255 - how["mean"]) / how["stddev"]).transpose(2, 0, 1)[None].astype(numpy.float32)


def pictures_of(folder):
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    inside = (path for path in folder.rglob("*") if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    pictures = sorted(path for path in inside if path.suffix.lower() in kinds and path.is_file())
    if "--set-aside" in sys.argv:  # of each class a sixth, the files with the lowest SHA-256
        pictures.sort(key=lambda path: hashlib.sha256(path.read_bytes()).hexdigest())
        pictures = pictures[: 0 if len(pictures) < 2 else max(1, len(pictures) // 6)]
    return pictures


correct = total = 0
for label in labels:
    for path in pictures_of(Path(folders[0]) / label):
        try:
            found = session.run(None, {"image": prepared(path)})[0].argmax()
        except (OSError, SyntaxError) as damaged:
            print(f"left out: {path}: {damaged}", file=sys.stderr)
            continue
        total += 1
        correct += labels[int(found)] == label
print(f"{correct} of {total} are right: {100 * correct / max(1, total):.2f} %")
