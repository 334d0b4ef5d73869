#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/api.md from proto/hanas/v1. Takes protoc and Python's protobuf (Debian: protobuf-compiler, python3-protobuf).

    docs/generate_api.py           prints the page
    docs/generate_api.py --write   replaces docs/api.md
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

SOURCE = pathlib.Path(__file__).resolve().parent.parent
# In the order of the page.
FILES = ["search.proto", "task.proto", "farm.proto", "data.proto"]

HEADER = """\
# The API

What a coordinator answers over gRPC: package `hanas.v1`, in `proto/hanas/v1`. [howto/write-a-client.md](howto/write-a-client.md) shows how to use it.
This page is generated from the comments there by `docs/generate_api.py --write`; a test holds it to them.

Beside these services every coordinator has `grpc.health.v1.Health`, for itself and for each service by name, and server reflection (v1 and v1alpha). Resources have names (`searches/7`, `tasks/12`, `workers/1`,
`devices/1`); numbers carry their unit in their name; a field that is not set has its type's zero value. Errors are gRPC codes with
`google.rpc.BadRequest` (the path of every wrong field) or `google.rpc.ErrorInfo` (a reason to branch on) as details: [errors.md](errors.md) lists the reasons.
Lists are given in pages of at most 1 MiB and as many elements as were asked for, and of what a `filter` holds for ([ListSearchesRequest](#listsearchesrequest)). A field
that is *required* is refused when it is missing; *output only* ones are the coordinator's to set, *immutable* ones are set when the resource is created. Messages are taken up to 16 MiB and not compressed. A client that takes
nothing of what a call sends for 30 seconds has the call cancelled.
On TCP every call but those of health shows the coordinator's token, `authorization: Bearer TOKEN`; else it ends with `UNAUTHENTICATED`, which has no details.
"""

FieldType = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    FieldType.TYPE_DOUBLE: "double",
    FieldType.TYPE_FLOAT: "float",
    FieldType.TYPE_INT64: "int64",
    FieldType.TYPE_UINT64: "uint64",
    FieldType.TYPE_INT32: "int32",
    FieldType.TYPE_UINT32: "uint32",
    FieldType.TYPE_BOOL: "bool",
    FieldType.TYPE_STRING: "string",
    FieldType.TYPE_BYTES: "bytes",
}
# Numbers of descriptor.proto, of which the paths of comments are made.
FILE_SYNTAX = 12
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_FIELD, MESSAGE_NESTED, MESSAGE_ENUM = 2, 3, 4
ENUM_VALUE, SERVICE_METHOD = 2, 2
# google.api.field_behavior, an extension of FieldOptions that Python's protobuf does not know by itself; OPTIONAL and IDENTIFIER say what
# the page says anyway.
FIELD_BEHAVIOR = 1052
BEHAVIORS = {2: "required", 3: "output only", 5: "immutable"}


class Page:
    """The text of one proto file. `comments` maps the path of an element to what stands above it and beside it."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto):
        self._file = file
        self._comments = {}
        for location in file.source_code_info.location:
            text = " ".join((location.leading_comments + location.trailing_comments).split())
            # A heading between messages ("---- leasing ----") is nobody's description.
            self._comments[tuple(location.path)] = re.sub(r"-{3,} .* -{3,} ?", "", text)
        self._lines: list[str] = []

    def _comment(self, path: tuple[int, ...]) -> str:
        return self._comments.get(path, "")

    def _text(self, text: str) -> str:
        return text.replace("|", "\\|")

    def render(self) -> str:
        for i, service in enumerate(self._file.service):
            self._service(service, (FILE_SERVICE, i))
        for i, message in enumerate(self._file.message_type):
            self._message(message, (FILE_MESSAGE, i), "")
        for i, enum in enumerate(self._file.enum_type):
            self._enum(enum, (FILE_ENUM, i), "")
        return "\n".join(self._lines)

    def _heading(self, level: int, title: str, path: tuple[int, ...]) -> None:
        self._lines += ["", f"{'#' * level} {title}", ""]
        if self._comment(path):
            self._lines += [self._comment(path), ""]

    def _table(self, head: list[str], rows: list[list[str]]) -> None:
        self._lines.append("| " + " | ".join(head) + " |")
        self._lines.append("|" + "---|" * len(head))
        self._lines += ["| " + " | ".join(row) + " |" for row in rows]

    def _service(self, service, path) -> None:
        self._heading(3, service.name, path)
        rows = []
        for i, method in enumerate(service.method):
            take = ("stream " if method.client_streaming else "") + link(method.input_type)
            give = ("stream " if method.server_streaming else "") + link(method.output_type)
            rows.append([f"`{method.name}`", take, give, self._text(self._comment(path + (SERVICE_METHOD, i)))])
        self._table(["method", "takes", "answers", ""], rows)

    def _message(self, message, path, outer: str) -> None:
        name = outer + message.name
        self._heading(4, name, path)
        rows = []
        for i, field in enumerate(message.field):
            text = "; ".join(filter(None, [behavior_of(field), self._comment(path + (MESSAGE_FIELD, i))]))
            if field.HasField("oneof_index") and not field.proto3_optional:
                text = f"one of `{message.oneof_decl[field.oneof_index].name}`" + (f"; {text}" if text else "")
            rows.append([f"`{field.name}`", type_of(field), str(field.number), self._text(text)])
        if rows:
            self._table(["field", "type", "number", "meaning"], rows)
        else:
            self._lines.append("No fields.")
        for i, enum in enumerate(message.enum_type):
            self._enum(enum, path + (MESSAGE_ENUM, i), name + ".")
        for i, nested in enumerate(message.nested_type):
            self._message(nested, path + (MESSAGE_NESTED, i), name + ".")

    def _enum(self, enum, path, outer: str) -> None:
        self._heading(4, outer + enum.name, path)
        rows = [[f"`{value.name}`", str(value.number), self._text(self._comment(path + (ENUM_VALUE, i)))] for i, value in enumerate(enum.value)]
        self._table(["value", "number", "meaning"], rows)


def behavior_of(field) -> str:
    """ "required" of a field that is annotated so. The annotations are varints among the bytes of the options: (key, value) again and again."""
    found, data = [], field.options.SerializeToString()
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number, shift = 0, 0
    for key, value in zip(numbers[::2], numbers[1::2]):
        if key == FIELD_BEHAVIOR << 3 and value in BEHAVIORS:
            found.append(BEHAVIORS[value])
    return ", ".join(found)


def link(type_name: str) -> str:
    name = type_name.removeprefix(".hanas.v1.")
    if name == type_name:
        return f"`{type_name.removeprefix('.')}`"
    return f"[{name}](#{name.lower().replace('.', '')})"  # the anchor of its heading


def type_of(field) -> str:
    base = SCALARS[field.type] if field.type in SCALARS else link(field.type_name)
    if field.label == FieldType.LABEL_REPEATED:
        return f"repeated {base}"
    return f"optional {base}" if field.proto3_optional else base


def api_page() -> str:
    paths = [f"hanas/v1/{name}" for name in FILES]
    there = {path.name for path in (SOURCE / "proto" / "hanas" / "v1").glob("*.proto")}
    if there != set(FILES):
        raise SystemExit(f"generate_api.py: expected the files {sorted(FILES)} in proto/hanas/v1, found {sorted(there)}; put new ones into FILES")
    with tempfile.NamedTemporaryFile() as descriptors:
        subprocess.run(
            ["protoc", "-I", SOURCE / "proto", "-I", SOURCE / "third_party", "--include_source_info", f"--descriptor_set_out={descriptors.name}", *paths],
            check=True,
            stderr=subprocess.DEVNULL,
            cwd=SOURCE,
        )
        found = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(descriptors.name).read_bytes())
    files = {file.name: file for file in found.file}
    text = HEADER
    for path in paths:
        opening = next(location for location in files[path].source_code_info.location if list(location.path) == [FILE_SYNTAX])
        about = " ".join(" ".join([*opening.leading_detached_comments, opening.leading_comments]).split())
        about = about.replace("SPDX-License-Identifier: Apache-2.0", "").strip()
        text += f"\n## proto/{path}\n" + (f"\n{about}\n" if about else "") + Page(files[path]).render() + "\n"
    return text


def main() -> None:
    if sys.argv[1:] == ["--write"]:
        (SOURCE / "docs" / "api.md").write_text(api_page(), encoding="utf-8")
    elif not sys.argv[1:]:
        sys.stdout.write(api_page())
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
