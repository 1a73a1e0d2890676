"""Lets the unmodified PaddleServing 0.9.0 wheels of 2021 run on today's Python, protobuf and numpy.

Three things stand in the way, and each is answered without changing a file of theirs:

1. Their `*_pb2` modules were made by protoc 3 and are refused by protobuf ≥ 4. Each carries its own
   serialized
   descriptor, from which `_DescriptorLoader` builds the same message classes.
2. `paddle_serving_client` is a native wheel for CPython 3.6–3.9. The pipeline server only asks
   `isinstance(x, Client)`.
3. `paddle_serving_server.serve` imports pytest for a self-test command we never call.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

WHEELS = ("paddle_serving_server", "paddle_serving_app")


class WheelsMissing(RuntimeError):
    """PaddleServing's wheels are not where the environment puts them."""


def wheels_folder() -> Path:
    """Where `make env` installs PaddleServing: apart, because its pins of 2021 must not reach ours."""
    return Path(sys.prefix) / "paddle_serving"


def install(folder: Path) -> None:
    """Make `import paddle_serving_server` work in this process.

    Raises:
        WheelsMissing: with what to do about it.
    """
    missing = [name for name in WHEELS if not (folder / name).is_dir()]
    if missing:
        raise WheelsMissing(f"{' and '.join(missing)} not found in {folder}: run `make env`")
    sys.path.append(str(folder))  # last: nothing of ours may be shadowed by it
    sys.meta_path.insert(0, _DescriptorFinder())
    client = ModuleType("paddle_serving_client")
    client.__dict__["Client"] = type("Client", (), {})
    sys.modules["paddle_serving_client"] = client
    sys.modules.setdefault("pytest", ModuleType("pytest"))


class _DescriptorFinder(MetaPathFinder):
    """Finds PaddleServing's `*_pb2` modules before the normal import would run their source."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not (fullname.startswith(WHEELS) and fullname.endswith("_pb2")):
            return None
        found = PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            return None
        return importlib.util.spec_from_loader(fullname, _DescriptorLoader(Path(found.origin)))


class _DescriptorLoader(Loader):
    """Builds a `*_pb2` module from the descriptor that its source holds as a bytes literal."""

    def __init__(self, source: Path) -> None:
        self._source = source

    def exec_module(self, module: ModuleType) -> None:
        serialized = self._serialized_descriptor()
        # A pool for each file: both wheels describe general_model_config.proto, and one pool would refuse the
        # second.
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(serialized)
        file = pool.FindFileByName(descriptor_pb2.FileDescriptorProto.FromString(serialized).name)
        module.__dict__["DESCRIPTOR"] = file
        for name, descriptor in file.message_types_by_name.items():
            module.__dict__[name] = message_factory.GetMessageClass(descriptor)

    def _serialized_descriptor(self) -> bytes:
        """The value of `serialized_pb=…` in the source: parsed, never executed."""
        for node in ast.walk(ast.parse(self._source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "serialized_pb":
                # b"…" in some files, _b("…") in others: the literal is the only constant in either.
                for part in ast.walk(node.value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, bytes):
                        return part.value
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        return part.value.encode("latin-1")
        raise ImportError(f"{self._source} holds no serialized descriptor")
