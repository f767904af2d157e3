"""Capsules as files: they read back whole, and what was touched is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from durable_nb.analytics.exports import RunRecord, read_capsule, write_capsule
from durable_nb.errors import CapsuleError, ExportError
from durable_nb.model.events import Event
from durable_nb.model.payload import Payload
from durable_nb.model.records import DefinitionRow

BIG = bytes(range(256)) * 1024


class Sources:
    """One definition of everything."""

    def get_definition(self, digest: str) -> DefinitionRow | None:
        return DefinitionRow(digest, "W", "workflow", "class W: ...", "cell [1]", 5, "signed by me")

    def latest_definition(self, kind: str, name: str) -> DefinitionRow | None:
        return DefinitionRow(f"{kind}:{name}", name, kind, "...", "cell [1]", 5, "signed by me")


@pytest.fixture
def capsule(tmp_path: Path, gallery: list[RunRecord]) -> Path:
    path = tmp_path / "x.capsule"
    write_capsule(path, gallery[:3], lookup=Sources(), created_at=1_700_000_000_000_000)
    return path


def test_runs_read_back_as_they_were(tmp_path: Path, gallery: list[RunRecord]) -> None:
    path = tmp_path / "all.capsule"
    assert write_capsule(path, gallery) == len(gallery)
    read = read_capsule(path)
    assert len(read.runs) == len(gallery)
    for record, original in zip(read.runs, gallery, strict=True):
        for name in RunRecord.__struct_fields__:
            found, expected = getattr(record, name), getattr(original, name)
            assert (list(found) if isinstance(found, list) else found) == expected, name
    assert [run.run_id for run in read.manifest.runs] == [record.run.run_id for record in gallery]


def test_definitions_come_along_without_anybodys_signature(capsule: Path) -> None:
    rows = read_capsule(capsule).definitions
    assert {row.kind for row in rows} == {"workflow", "activity"}
    assert {row.signature for row in rows} == {""}
    assert len({row.digest for row in rows}) == len(rows)


def test_big_payloads_are_kept_once(tmp_path: Path, gallery: list[RunRecord]) -> None:
    first = gallery[0].events[0]
    attributes = msgspec.structs.replace(
        first.attributes, input=[Payload({"encoding": b"binary/plain"}, BIG), Payload({"encoding": b"x"}, BIG)]
    )
    events = [Event(first.event_id, first.event_time, attributes, first.user_metadata), *gallery[0].events[1:]]
    record = msgspec.structs.replace(gallery[0], events=events)
    path = tmp_path / "big.capsule"
    write_capsule(path, [record])
    with zipfile.ZipFile(path) as archive:
        assert [n for n in archive.namelist() if n.startswith("blobs/")] == [f"blobs/{sha256(BIG).hexdigest()}"]
        assert len(archive.read("runs/1/history.json")) < len(BIG)
    assert read_capsule(path).runs[0].events == events


def test_nothing_is_a_capsule_too(tmp_path: Path) -> None:
    write_capsule(tmp_path / "none.capsule", [])
    assert list(read_capsule(tmp_path / "none.capsule").runs) == []
    with pytest.raises(ExportError, match="exists"):
        write_capsule(tmp_path / "none.capsule", [])


# -- what is refused -----------------------------------------------------------------------------------------------


def rewrite(path: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Unpack, change entries, pack again."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def manifest(packed: dict[str, bytes], /, **changes: Any) -> None:
    found = json.loads(packed["manifest.json"])
    packed["manifest.json"] = json.dumps(found | changes).encode()


def honest(entries: dict[str, bytes]) -> None:
    """Make the manifest agree with the entries, as a forger would."""
    listed = {
        name: {"sha256": sha256(data).hexdigest(), "size": len(data)}
        for name, data in entries.items()
        if name != "manifest.json"
    }
    manifest(entries, entries=listed)


def edit(name: str, old: bytes, new: bytes, *, forge: bool = False) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        assert old in entries[name]
        entries[name] = entries[name].replace(old, new, 1)
        if forge:
            honest(entries)

    return change


def add(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        entries[name] = b"x"
        honest(entries)

    return change


REFUSALS: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "a changed history": (edit("runs/1/history.json", b"flaky", b"FLAKY"), "changed or damaged"),
    "a changed source": (edit("definitions.json", b"cell [1]", b"cell [2]"), "changed or damaged"),
    "a history that is none": (
        edit("runs/1/history.json", b"EVENT_TYPE_", b"EVENT_TIPE_", forge=True),
        "cannot be read",
    ),
    "broken JSON": (edit("runs/1/history.json", b"{", b"", forge=True), "cannot be read"),
    "JSON that nests too deep": (
        lambda e: (e.__setitem__("runs/1/history.json", b'{"events":' + b"[" * 100_000), honest(e)),
        "cannot be read",
    ),
    "a row that contradicts its history": (
        edit("runs/1/run.json", b'"status":2', b'"status":3', forge=True),
        "contradict",
    ),
    "a status that the run has not": (
        edit("manifest.json", b'"status": "completed"', b'"status": "running"'),
        "manifest and the row",
    ),
    "a row of another run": (edit("runs/1/run.json", b'"run_id":"', b'"run_id":"9', forge=True), "contradict"),
    "a row of wrong types": (edit("runs/1/run.json", b'"status":2', b'"status":"x"', forge=True), "cannot be read"),
    "a reference to nothing": (
        edit(
            "runs/1/history.json",
            b'"data":"',
            b'"durableBlob":"' + b"0" * 64 + b'","size":1,"x":"',
            forge=True,
        ),
        "missing",
    ),
    "a missing entry": (lambda e: e.pop("runs/2/run.json"), "differ"),
    "a missing entry that the manifest forgot too": (
        lambda e: (e.pop("runs/2/run.json"), honest(e)),
        "missing|not that of",
    ),
    "an entry that nobody listed": (lambda e: e.__setitem__("runs/99/run.json", b"{}"), "differ"),
    "a run that the manifest does not name": (add("runs/99/run.json"), "not that of the entries"),
    "a file outside": (add("../../evil.py"), "does not belong"),
    "an absolute path": (add("/etc/passwd"), "does not belong"),
    "a path of another system": (add("runs\\1\\history.json"), "does not belong"),
    "a blob under a wrong name": (add(f"blobs/{'0' * 64}"), "not named by its content"),
    "a newer version": (lambda e: manifest(e, version=2), "version 2"),
    "a version that never was": (lambda e: manifest(e, version=0), "version 0"),
    "another format": (lambda e: manifest(e, format="zip"), "not that of a capsule"),
    "no manifest": (lambda e: e.pop("manifest.json"), "no capsule"),
    "a manifest that is a list": (lambda e: e.__setitem__("manifest.json", b"[]"), "cannot be read"),
    "the same run twice": (
        lambda e: (e.update({f"runs/2/{n}": e[f"runs/1/{n}"] for n in ("history.json", "run.json")}), twice(e)),
        "a run twice",
    ),
}


def twice(entries: dict[str, bytes]) -> None:
    honest(entries)
    runs = json.loads(entries["manifest.json"])["runs"]
    manifest(entries, runs=[runs[0], runs[0] | {"folder": "runs/2"}, *runs[2:]])


@pytest.mark.parametrize("what", REFUSALS)
def test_it_refuses(capsule: Path, what: str) -> None:
    change, message = REFUSALS[what]
    rewrite(capsule, change)
    with pytest.raises(CapsuleError, match=message) as refusal:
        read_capsule(capsule)
    assert str(capsule) in str(refusal.value)


def test_an_untouched_one_survives_the_same_handling(capsule: Path) -> None:
    before = list(read_capsule(capsule).runs)
    rewrite(capsule, honest)
    assert list(read_capsule(capsule).runs) == before


def test_a_duplicate_entry_is_refused(capsule: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(capsule, "a") as archive:
        archive.writestr("definitions.json", b"[]")
    with pytest.raises(CapsuleError, match="twice"):
        read_capsule(capsule)


def test_a_bomb_is_refused_before_it_is_unpacked(capsule: Path, tmp_path: Path) -> None:
    with pytest.raises(CapsuleError, match="are allowed"):
        read_capsule(capsule, max_bytes=1000)
    bomb = tmp_path / "bomb.capsule"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"{}")
        archive.writestr("definitions.json", b" " * 30_000_000)
    assert bomb.stat().st_size < 100_000
    with pytest.raises(CapsuleError, match="are allowed"):
        read_capsule(bomb, max_bytes=20_000_000)


def test_an_entry_that_lies_about_its_size_is_refused(capsule: Path) -> None:
    # The central directory says one byte, the data goes on: only the byte is read, and it is not what was listed.
    data = bytearray(capsule.read_bytes())
    with zipfile.ZipFile(capsule) as archive:
        info = archive.getinfo("runs/1/history.json")
    at = data.rfind(b"runs/1/history.json") - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    assert int.from_bytes(data[at + 24 : at + 28], "little") == info.file_size
    data[at + 24 : at + 28] = (1).to_bytes(4, "little")
    capsule.write_bytes(data)
    with pytest.raises(CapsuleError):
        read_capsule(capsule)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 100])
def test_what_is_no_zip_is_no_capsule(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.capsule"
    path.write_bytes(content)
    with pytest.raises(CapsuleError, match="no capsule, or it is damaged"):
        read_capsule(path)


def test_a_missing_file_a_directory_and_a_cut_off_file_are_told(capsule: Path, tmp_path: Path) -> None:
    with pytest.raises(CapsuleError, match="no such file"):
        read_capsule(tmp_path / "nowhere.capsule")
    with pytest.raises(CapsuleError):
        read_capsule(tmp_path)
    cut = tmp_path / "cut.capsule"
    shutil.copy(capsule, cut)
    cut.write_bytes(cut.read_bytes()[:-200])
    with pytest.raises(CapsuleError):
        read_capsule(cut)


def test_flipping_any_byte_never_gives_another_run(capsule: Path, gallery: list[RunRecord]) -> None:
    whole = capsule.read_bytes()
    expected = [list(record.events) for record in gallery[:3]]
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        capsule.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read = read_capsule(capsule)
        except CapsuleError:
            continue
        assert [list(record.events) for record in read.runs] == expected
