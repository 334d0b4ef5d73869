# SPDX-License-Identifier: Apache-2.0
"""Presets that are named after networks of torchvision are these networks: as many parameters and multiply-accumulates, the same
convolutions and linear layers in the same order, and, with one set of weights, the same logits. Nothing differs on purpose.

Two things are written down otherwise and mean the same. Squeeze-and-excite is of 1x1 convolutions there and of linear layers here: a linear
layer counts as a 1x1 convolution of one pixel. Batch normalisation is folded into the weights of an exported file, and the module gets
these weights and no normalisation; so it does not matter that MobileNetV3's epsilon is 0.001 there and 0.00001 here."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy
    import onnx
    import onnx.numpy_helper
    import torch
    import torchvision
except ImportError as missing:
    print(f"skipped: {missing} (Debian: python3-torchvision, python3-onnx)")
    sys.exit(77)

PROGRAM = pathlib.Path(os.environ["HANAS_BINARY_DIR"]) / "tests" / "write_preset"
SHIPPED_RESOLUTION = 224  # of all presets below
RESOLUTION = 128  # of the images that are answered
CLASSES = 1000
# Of the root mean square of the logits: the weights are the same numbers, rounded to half floats; only float32 sums are in another order.
TOLERANCE = 1e-4

# preset -> the module of torchvision that it is.
NETWORKS = {
    "efficientnet-b0": torchvision.models.efficientnet_b0,
    "mobilenet-v2": torchvision.models.mobilenet_v2,
    "mobilenet-v3-large": torchvision.models.mobilenet_v3_large,
    "mobilenet-v3-small": torchvision.models.mobilenet_v3_small,
    "resnet50": torchvision.models.resnet50,
}


def executed_layers(module, resolution: int) -> list:
    """The convolutions and linear layers of a module in the order in which it executes them, each with its output's shape."""
    executed = []
    hooks = [
        layer.register_forward_hook(lambda layer, _, output: executed.append((layer, output.shape)))
        for layer in module.modules()
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    with torch.no_grad():
        module(torch.zeros(1, 3, resolution, resolution))
    for hook in hooks:
        hook.remove()
    return executed


def described(layer, shape) -> dict:
    """A layer in the words of network.json."""
    if isinstance(layer, torch.nn.Linear):
        geometry = {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "height": 1, "width": 1}
        return {"in": layer.in_features, "out": layer.out_features, **geometry}
    for pair in (layer.kernel_size, layer.stride, layer.padding, layer.dilation):
        assert pair[0] == pair[1], layer
    geometry = {"kernel": layer.kernel_size[0], "stride": layer.stride[0], "padding": layer.padding[0], "dilation": layer.dilation[0]}
    return {"in": layer.in_channels, "out": layer.out_channels, **geometry, "groups": layer.groups, "height": shape[2], "width": shape[3]}


def macs(layer: dict) -> int:
    return layer["height"] * layer["width"] * layer["out"] * layer["in"] // layer["groups"] * layer["kernel"] ** 2


def weights_and_biases(model: onnx.ModelProto) -> list:
    """Of the convolutions and linear layers of a file, in order. Weights are half floats behind a Cast."""
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    casts = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    layers = []
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight, bias = (tensors[casts.get(name, name)] for name in node.input[1:3])
            assert weight.dtype == numpy.float16, node.name
            layers.append((torch.from_numpy(weight.astype(numpy.float32)), torch.from_numpy(bias.astype(numpy.float32))))
    return layers


def without_normalisations(module):
    """Changes the module in place."""
    for name, child in module.named_children():
        if isinstance(child, torch.nn.BatchNorm2d):
            setattr(module, name, torch.nn.Identity())
        else:
            without_normalisations(child)


class TorchvisionTest:
    """Of one preset."""

    @classmethod
    def setUpClass(cls):
        cls.module = NETWORKS[cls.preset](weights=None).eval()
        cls.parameters = sum(parameter.numel() for parameter in cls.module.parameters())
        cls.executed = executed_layers(cls.module, SHIPPED_RESOLUTION)
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            subprocess.run([PROGRAM, cls.preset, str(RESOLUTION), directory], check=True)
            cls.network = json.loads((directory / "network.json").read_text())
            cls.model = onnx.load(directory / "network.onnx")
            cls.images = torch.from_numpy(numpy.fromfile(directory / "images.f32", "<f4").reshape(-1, 3, RESOLUTION, RESOLUTION))
            cls.answers = {
                reader: torch.from_numpy(numpy.fromfile(directory / f"{reader}.f32", "<f4").reshape(-1, CLASSES))
                for reader in ("worker", "onnx")
            }

    def test_it_has_as_many_parameters(self):
        self.assertEqual(self.network["parameters"], self.parameters)

    def test_it_has_as_many_multiply_accumulates(self):
        self.assertEqual(self.network["macs"], sum(macs(described(*layer)) for layer in self.executed))

    def test_its_layers_are_the_same_in_the_same_order(self):
        self.assertEqual(len(self.network["layers"]), len(self.executed))
        for ours, theirs in zip(self.network["layers"], self.executed):
            name = ours["name"]
            self.assertEqual({key: value for key, value in ours.items() if key != "name"}, described(*theirs), name)

    def test_with_its_weights_the_module_gives_its_logits(self):
        tensors = weights_and_biases(self.model)
        self.assertEqual(len(tensors), len(self.executed))
        without_normalisations(self.module)
        for (layer, _), (weight, bias) in zip(self.executed, tensors):
            layer.weight = torch.nn.Parameter(weight.reshape(layer.weight.shape))
            layer.bias = torch.nn.Parameter(bias)
        with torch.no_grad():
            expected = self.module(self.images)
        magnitude = expected.square().mean().sqrt().item()
        self.assertGreater((expected[0] - expected[1]).abs().max().item(), 0.01 * magnitude, "the images have answers of their own")
        for reader, logits in self.answers.items():
            difference = (logits - expected).abs().max().item() / magnitude
            print(f"{self.preset}: {reader} {difference:.1e}")
            self.assertLess(difference, TOLERANCE, reader)


def load_tests(loader, tests, pattern):
    """One test case for each preset."""
    suite = unittest.TestSuite()
    for preset in NETWORKS:
        case = type(f"Torchvision[{preset}]", (TorchvisionTest, unittest.TestCase), {"preset": preset})
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite


if __name__ == "__main__":
    unittest.main()
