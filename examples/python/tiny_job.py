# SPDX-License-Identifier: Apache-2.0
"""examples/tiny.yaml as messages: what a program that makes its own jobs writes. Outside the
space it says what it cares about; the rest has the defaults of docs/job-file.md, which also says what every field means."""

from hanas.v1 import data_pb2 as data  # spaces and networks
from hanas.v1 import search_pb2 as pb


def precision(weight_bits: int, activation_bits: int) -> data.Precision:
    return data.Precision(weight_bits=weight_bits, activation_bits=activation_bits)


W8A8, W16A16 = precision(8, 8), precision(16, 16)


def block(kernels: list[int], squeeze_excite: list[bool]) -> data.BlockSpec:
    """Every list is a gene: the choices of the search."""
    return data.BlockSpec(
        kernels=kernels,
        expansions=[2],
        squeeze_excite=squeeze_excite,
        activations=[data.ACTIVATION_RELU],
        expand_precisions=[W8A8, W16A16],
        depthwise_precisions=[W8A8, W16A16],
        project_precisions=[W8A8, W16A16],
    )


def tiny_job(name: str = "tiny") -> pb.SearchSpec:
    return pb.SearchSpec(
        name=name,
        dataset=pb.DatasetSpec(name="drawn", validation_images=200),
        space=data.SpaceSpec(
            name="tiny",
            resolutions=[16, 20],
            input_channels=1,
            num_classes=10,
            stem=data.StemSpec(widths=[8], kernel=3, stride=2, activation=data.ACTIVATION_RELU, precisions=[W8A8]),
            stages=[
                data.StageSpec(widths=[8], depths=[1, 2], stride=2, blocks=[block([3], [False]), block([3], [False])]),
                data.StageSpec(widths=[16], depths=[1], stride=2, blocks=[block([3, 5], [False, True])]),
            ],
            head=data.HeadSpec(
                widths=[32], activation=data.ACTIVATION_RELU, precisions=[W8A8], hidden_precisions=[W8A8, W16A16], classifier_precisions=[W8A8, W16A16]
            ),
        ),
        training=pb.TrainingSpec(steps=20, batch_size=32, learning_rate=0.05),
        sampling=pb.SamplingSpec(networks=10, validation_images=100, calibration_images=64),
        evolution=pb.EvolutionSpec(rounds=1, evaluations_per_round=4, population=8, surrogate_evaluations=200),
        fine_tune=pb.FineTuneSpec(members=2, steps=5),
        final=pb.FinalSpec(members=2, steps=5),
        measure=pb.MeasureSpec(max_rounds=5, calibration_networks=5, held_out_networks=2),
        limits=[pb.Limit(of="latency", at_most=20_000), pb.Limit(of="size", at_most=2_000_000)],  # microseconds, bytes
    )
