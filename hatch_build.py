"""Build hook: a wheel whose busiest modules are compiled, where that is asked for.

`INFERENCE_GATEWAY_COMPILE=1` before `pip wheel .` or `pip install .` asks for it; it takes a C compiler and
Python's headers. Which modules those are stands in pyproject.toml. Their Python stays beside them.
"""

import itertools
import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "INFERENCE_GATEWAY_COMPILE"


class CompilingBuildHook(BuildHookInterface[Any]):
    """Adds compiled modules to a wheel; leaves any other build alone."""

    def dependencies(self) -> list[str]:
        """Return what compiling takes: the compiler, and all that the sources import, for its types."""
        if not _is_wanted():
            return []
        extras = self.metadata.core.optional_dependencies.values()
        imported = [*self.metadata.core.dependencies, *itertools.chain.from_iterable(extras)]
        return [*self.config["requires"], *imported]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is written."""
        if version == "editable" or not _is_wanted():
            return
        self._built = tempfile.TemporaryDirectory(prefix="inference-gateway-")
        sources = [str(Path(self.root, "src", module)) for module in self.config["modules"]]
        library = _compile(sources, Path(self._built.name))
        compiled = [path for path in library.rglob("*") if path.is_file()]
        build_data["force_include"] |= {str(path): str(path.relative_to(library)) for path in compiled}
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what compiling left."""
        if hasattr(self, "_built"):
            self._built.cleanup()


def _is_wanted() -> bool:
    return os.environ.get(SWITCH) == "1"


def _compile(sources: list[str], folder: Path) -> Path:
    """Compile; return the folder that holds nothing but what is to be installed."""
    # Needed by nobody who builds without.
    from mypyc.build import mypycify
    from setuptools import Distribution

    extensions = mypycify(
        sources,
        opt_level="2",
        debug_level="0",
        target_dir=str(folder / "c"),
        group_name="inference_gateway",
    )
    distribution = Distribution({"ext_modules": extensions, "package_dir": {"": "src"}})
    command = distribution.get_command_obj("build_ext")
    library = folder / "library"
    command.build_lib, command.build_temp = str(library), str(folder / "objects")
    command.ensure_finalized()
    command.run()
    return library
