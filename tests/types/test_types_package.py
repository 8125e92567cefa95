"""The wire types as a package: what it needs, and what it offers."""

import inspect
import subprocess
import sys

import pytest
from pydantic import BaseModel, TypeAdapter

from inference_gateway import models, types

STRANGERS = frozenset(
    {"httpx2", "requests", "msgspec", "yaml", "inference_gateway.server", "inference_gateway.client"}
)


def test_the_types_need_nothing_but_pydantic() -> None:
    script = "import sys, inference_gateway.models; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert STRANGERS.isdisjoint(loaded.split())


def test_models_offers_every_wire_type() -> None:
    tools_of_the_trade = {"Open", "RootStr", "RootValue", "WireModel"}
    assert set(models.__all__) == set(types.__all__) - tools_of_the_trade
    assert all(getattr(models, name) is getattr(types, name) for name in models.__all__)


@pytest.mark.parametrize("name", models.__all__)
def test_every_wire_type_has_a_schema_and_a_sentence(name: str) -> None:
    kind = getattr(models, name)
    assert TypeAdapter(kind).json_schema()
    if inspect.isclass(kind):
        assert kind.__doc__ != BaseModel.__doc__
        assert kind.__doc__
