"""Modules joined into one text: each once, in order, and no two names that clash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from durable_nb.widgets import assets

FILES = sorted(path.name for path in assets.FOLDER.glob("*.js"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assets, "FOLDER", tmp_path)
    assets.module.cache_clear()
    return tmp_path


@pytest.fixture(autouse=True)
def fresh() -> None:
    assets.module.cache_clear()


def test_what_is_imported_comes_first_and_once(folder: Path) -> None:
    (folder / "low.js").write_text("export const low = 1;\n")
    (folder / "left.js").write_text('import { low } from "./low.js";\nexport const left = low;\n')
    (folder / "top.js").write_text(
        'import { left } from "./left.js";\nimport {\n  low,\n} from "./low.js";\nexport default { left, low };\n'
    )
    joined = assets.module("top.js")
    assert joined.index("const low") < joined.index("const left") < joined.index("export default")
    assert joined.count("const low") == 1
    assert "import" not in joined
    assert joined.count("export") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("export const low = 2;\n", "low is declared in low.js and in top.js"),
        ('import { low as high } from "./low.js";\n', "renames"),
        ('import * as low from "./low.js";\n', "cannot be joined"),
        ('import { x } from "https://elsewhere/x.js";\n', "cannot be joined"),
    ],
)
def test_what_cannot_be_joined_is_refused(folder: Path, text: str, problem: str) -> None:
    (folder / "low.js").write_text("export const low = 1;\n")
    (folder / "top.js").write_text(text)
    with pytest.raises(ValueError, match=problem):
        assets.module("low.js", "top.js")


def test_a_default_export_may_only_be_the_last(folder: Path) -> None:
    (folder / "low.js").write_text("export default 1;\n")
    (folder / "top.js").write_text("const top = 1;\n")
    with pytest.raises(ValueError, match="not the last"):
        assets.module("low.js", "top.js")


def test_the_timeline_needs_no_network_and_no_html_from_strings() -> None:
    joined = assets.module("timeline-widget.js")
    assert joined.count("export") == 1
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://", "https://"):
        assert forbidden not in joined


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("name", FILES)
def test_each_file_is_a_module_by_itself(name: str) -> None:
    text = (assets.FOLDER / name).read_bytes()
    subprocess.run(["node", "--check", "--input-type=module", "-"], input=text, check=True)
