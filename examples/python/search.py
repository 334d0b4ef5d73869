#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Submits the tiny job to a coordinator, follows it to its end, and exports the networks that it found.

    examples/python/generate.sh build/python
    PYTHONPATH=build/python python3 examples/python/search.py --coordinator 127.0.0.1:7700 --out results
"""

import argparse
import sys

import grpc
from hanas_client import HanasClient, describe_error, phase_word
from hanas.v1 import search_pb2
from tiny_job import tiny_job


def run(client: HanasClient, name: str, request_id: str, out: str) -> int:
    search = client.create_search(tiny_job(name), request_id)
    print(f"{search.name}: {search.spec.name}")
    phase = None
    for event in client.watch(search.name):
        if event.phase != phase:
            phase = event.phase
            print(f"{phase_word(phase).lower()}")
        if event.text:
            print(f"  {event.text}")
    search = client.get_search(search.name)
    if search.phase != search_pb2.PHASE_SUCCEEDED:
        print(f"{search.name} ended as {phase_word(search.phase)}: {search.error}", file=sys.stderr)
        return 1
    report = client.export(search.name, out)
    for network in report.front:
        print(
            f"{out}/{network.onnx_file}: {100 * network.test_accuracy:.1f} % of {network.test_images} test images, "
            f"p50 {network.latency_p50_us:.1f} us on {report.device.cpu}, {network.precision}"
        )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coordinator", default="127.0.0.1:7700", metavar="ADDRESS", help="HOST:PORT or unix:/PATH")
    parser.add_argument("--name", default="tiny", help="of the search")
    parser.add_argument("--request-id", default="example-tiny", help="the same id gives the same search")
    parser.add_argument("--out", default="results", metavar="DIR", help="receives report.json and models/")
    arguments = parser.parse_args()
    with HanasClient(arguments.coordinator) as client:
        try:
            return run(client, arguments.name, arguments.request_id, arguments.out)
        except grpc.RpcError as error:
            print(describe_error(error), file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
