"""Signatures of stored definitions: whose they are, and what breaks them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.sources import digest_of
from durable_nb.notebook.trust import Signer, Verdict, jupyter_secret

SOURCE = "x = 1\n"


def row(**fields: Any) -> DefinitionRow:
    made = DefinitionRow(digest_of(SOURCE), "Order", "workflow", SOURCE, "cell [1]", 17)
    return msgspec.structs.replace(made, **fields)


def signed(secret: bytes = b"mine") -> DefinitionRow:
    made = row()
    return row(signature=Signer(lambda: secret).sign(made))


def test_what_this_user_signed_may_run_by_itself() -> None:
    judged = Signer(lambda: b"mine").judge(signed())
    assert judged is Verdict.SIGNED
    assert judged.may_run


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"signature": ""}, Verdict.UNSIGNED),
        ({"signature": "hmac-sha256:00"}, Verdict.FOREIGN),
        ({"signature": "\udcff"}, Verdict.FOREIGN),
        ({"name": "Other"}, Verdict.FOREIGN),
        ({"kind": "activity"}, Verdict.FOREIGN),
        ({"source": "import os\n"}, Verdict.TAMPERED),
        ({"digest": "0" * 64}, Verdict.TAMPERED),
        ({"source": "import os\n", "digest": digest_of("import os\n")}, Verdict.FOREIGN),
    ],
)
def test_whatever_else_is_in_a_row_does_not(changed: dict[str, str], verdict: Verdict) -> None:
    judged = Signer(lambda: b"mine").judge(msgspec.structs.replace(signed(), **changed))
    assert judged is verdict
    assert not judged.may_run
    assert judged.may_be_allowed is (verdict is not Verdict.TAMPERED)


def test_origin_and_time_may_change_since_they_say_nothing_about_the_code() -> None:
    moved = msgspec.structs.replace(signed(), origin="elsewhere", created_at=99)
    assert Signer(lambda: b"mine").judge(moved).may_run


def test_somebody_elses_signature_is_not_ours() -> None:
    assert Signer(lambda: b"mine").judge(signed(b"theirs")) is Verdict.FOREIGN


@pytest.mark.parametrize("links", [True, False])
def test_a_secret_is_put_in_place_as_a_whole_and_that_of_a_faster_process_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    file, link, mkstemp = tmp_path / "notebook_secret", os.link, tempfile.mkstemp

    def linked(source: str, target: Path) -> None:
        if not links:
            raise OSError("no hard links here")
        assert len(Path(source).read_bytes()) > 1000, "it is whole before it has its name"
        link(source, target)

    monkeypatch.setattr("os.link", linked)
    assert jupyter_secret() == file.read_bytes()
    assert len(file.read_bytes()) > 1000
    file.unlink()

    def slow(**options: Any) -> tuple[int, str]:
        file.write_bytes(b"theirs")
        return mkstemp(**options)

    monkeypatch.setattr("tempfile.mkstemp", slow)
    assert jupyter_secret() == b"theirs"
    assert [each.name for each in tmp_path.iterdir()] == ["notebook_secret"]


def test_without_a_secret_nothing_is_signed_and_nothing_is_trusted() -> None:
    def refuse() -> bytes:
        raise PermissionError("no")

    signer = Signer(refuse)
    assert signer.sign(row()) == ""
    assert signer.problem == "PermissionError: no"
    assert signer.judge(signed()) is Verdict.FOREIGN
    assert Signer(lambda: b"").sign(row()) == ""


@pytest.mark.slow
@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_the_secret_is_the_one_that_jupyter_signs_notebooks_with(tmp_path: Path, monkeypatch: Any, first: str) -> None:
    from nbformat.sign import NotebookNotary

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))

    def theirs() -> bytes:
        notary = NotebookNotary()
        try:
            return bytes(notary.secret)
        finally:
            notary.store.close()  # Python warns of connections that are left open

    readers: list[Any] = [jupyter_secret, theirs]
    one, two = (read() for read in (readers if first == "ours" else readers[::-1]))
    assert one == two == (tmp_path / "notebook_secret").read_bytes()
    assert (tmp_path / "notebook_secret").stat().st_mode & 0o077 == 0
    signer = Signer()
    made = row()
    made.signature = signer.sign(made)
    assert Signer().judge(made).may_run
