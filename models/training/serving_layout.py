"""Writes a Paddle model in PaddleServing's folder layout.

PaddleServing's own converter needs `paddle.fluid`, gone since Paddle 2.5. What it wrote beside the model
files is small: a description of the inputs and outputs, once as protobuf text and once as protobuf bytes. We
write the same bytes.

    out_dir/
      model.json  model.pdiparams             copied
      serving_server_conf.prototxt            read by the pipeline server
      serving_server_conf.stream.prototxt     read by the C++ server
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ELEMENT_TYPES = {
    "int64": 0,
    "float32": 1,
    "int32": 2,
    "float64": 3,
    "int16": 4,
    "float16": 5,
    "uint8": 7,
    "int8": 8,
    "bool": 9,
}
_MODEL_SUFFIXES = (".json", ".pdmodel", ".pdiparams")


@dataclass(frozen=True)
class ServingVar:
    """One input or output of the model.

    Attributes:
        name: as the saved model names it (`paddle.inference` `get_input_names`, `get_output_names`).
        dtype: numpy's name of the values' type.
        shape: without the batch dimension; empty for one number a row.
        alias: the name that clients use; empty: the same as `name`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    alias: str = ""


def write_serving_layout(
    model_dir: Path, out_dir: Path, feeds: Sequence[ServingVar], fetches: Sequence[ServingVar]
) -> None:
    """Copy the model of `model_dir` to `out_dir` and describe it there for PaddleServing.

    Args:
        model_dir: holds one `*.json` (or `*.pdmodel`) and one `*.pdiparams`.
        out_dir: created if missing; files of the same names are replaced.
        feeds: the model's inputs.
        fetches: the model's outputs, in the model's order.

    Raises:
        FileNotFoundError: `model_dir` lacks the model or its parameters.
        ValueError: a dtype that PaddleServing does not know.
    """
    files = sorted(path for path in model_dir.iterdir() if path.suffix in _MODEL_SUFFIXES)
    if len({path.suffix for path in files}) < 2:
        raise FileNotFoundError(f"{model_dir} needs model.json and model.pdiparams")
    text = "".join([_text("feed", var) for var in feeds] + [_text("fetch", var) for var in fetches])
    binary = b"".join([_message(1, var) for var in feeds] + [_message(2, var) for var in fetches])
    out_dir.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, out_dir / path.name)
    (out_dir / "serving_server_conf.prototxt").write_text(text, encoding="utf-8")
    (out_dir / "serving_server_conf.stream.prototxt").write_bytes(binary)


def _element_type(var: ServingVar) -> int:
    if var.dtype not in _ELEMENT_TYPES:
        raise ValueError(f"{var.name}: PaddleServing has no dtype {var.dtype!r}")
    return _ELEMENT_TYPES[var.dtype]


def _text(kind: str, var: ServingVar) -> str:
    """A `FeedVar` or `FetchVar` of PaddleServing's `GeneralModelConfig`, as protobuf text."""
    lines = [
        f'  name: "{var.name}"',
        f'  alias_name: "{var.alias or var.name}"',
        "  is_lod_tensor: false",
        f"  {kind}_type: {_element_type(var)}",
        *(f"  shape: {length}" for length in var.shape),
    ]
    return "\n".join([f"{kind}_var {{", *lines, "}", ""])


def _message(field: int, var: ServingVar) -> bytes:
    """The same, as field `field` of the serialized `GeneralModelConfig`."""
    body = (
        _bytes_field(1, var.name.encode())
        + _bytes_field(2, (var.alias or var.name).encode())
        + _varint_field(3, 0)
        + _varint_field(4, _element_type(var))
        + b"".join(_varint_field(5, length) for length in var.shape)
    )
    return _bytes_field(field, body)


def _bytes_field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Protobuf's variable-length encoding of a number ≥ 0: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
