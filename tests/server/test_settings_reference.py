"""The pages about settings are those that the settings give."""

import re
from pathlib import Path

import pytest

from inference_gateway.server import settings_reference
from inference_gateway.server.configuration import load
from inference_gateway.server.configuration.catalogue import SETTINGS, VARIABLES

ROOT = Path(__file__).parents[2]


def test_the_committed_pages_are_current(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    settings_reference.write_files(tmp_path)
    for name in (settings_reference.DOCUMENT, settings_reference.EXAMPLE):
        assert (ROOT / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8")


def test_every_variable_and_every_place_is_documented() -> None:
    page = settings_reference.markdown()
    for name in (*VARIABLES, *(setting.path for setting in SETTINGS)):
        assert f"`{name}`" in page


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_every_setting_says_what_it_means(setting: object) -> None:
    assert isinstance(setting, type(SETTINGS[0]))
    assert re.fullmatch(r"[A-Z].+\.", setting.field.description)


def test_the_example_on_the_page_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", settings_reference.markdown(), re.DOTALL)
    (tmp_path / "gateway.yaml").write_text(example)
    loaded = load(
        environ={"OPENAI_API_KEY": "a", "TOGETHER_API_KEY": "b"}, config=str(tmp_path / "gateway.yaml")
    )
    assert loaded.warnings == ()
    assert loaded.settings.providers["together"].name == "Together"


def test_the_example_file_changes_nothing_with_every_line_in_use(tmp_path: Path) -> None:
    lines = settings_reference.env_example().splitlines()
    values = [line.removeprefix("# ") for line in lines if re.match(r"# [A-Z0-9_]+=", line)]
    (tmp_path / ".env").write_text("\n".join(line for line in values if "gateway.yaml" not in line))
    loaded = load(environ={}, dotenv=str(tmp_path / ".env"))
    assert loaded.settings == load(environ={}, dotenv=None).settings
    assert loaded.warnings == ()


def test_the_table_masks_secrets_and_names_sources() -> None:
    table = settings_reference.table(
        load(environ={"OPENAI_API_KEY": "hush", "SERVER_PORT": "1"}, dotenv=None)
    )
    assert "hush" not in table
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
    assert rows["NAME"] == ["VALUE", "SOURCE"]
    assert rows["OPENAI_API_KEY"] == ["********", "environment"]
    assert rows["SERVER_PORT"] == ["1", "environment"]
    assert rows["MOCK_ENABLED"] == ["-", "default"]
