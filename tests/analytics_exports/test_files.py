"""Files that are there whole or not at all, and histories as files."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_nb.analytics.exports import FORMATS, RunRecord, format_of, write_runs
from durable_nb.analytics.exports.files import write_text
from durable_nb.analytics.exports.histories import safe_name
from durable_nb.converter.history_json import history_from_json
from durable_nb.errors import ExportError


def failing() -> Iterator[str]:
    yield "half"
    raise RuntimeError("the disk is gone")


def test_a_failure_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the disk is gone"):
            write_text(path, failing(), overwrite=True)
        assert [file.name for file in tmp_path.iterdir()] == [path.name] * path.exists()
        path.write_text("before")
    assert path.read_text() == "before"


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_text(path, ["one"])
    with pytest.raises(ExportError, match="exists") as refusal:
        write_text(path, ["two"])
    assert "overwrite=True" in str(refusal.value)
    assert path.read_text() == "one"
    write_text(path, ["two"], overwrite=True)
    assert path.read_text() == "two"


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"

    def pieces() -> Iterator[str]:
        path.write_text("somebody else")
        yield "ours"

    with pytest.raises(ExportError, match="exists"):
        write_text(path, pieces())
    assert path.read_text() == "somebody else"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("place", ["missing/x.csv", "."])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(ExportError, match="directory"):
        write_text(tmp_path / place, ["x"])


def test_a_name_that_ends_in_gz_is_compressed_and_always_the_same(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write_text(tmp_path / name, ["täxt", "\n"])
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).decode() == "täxt\n"
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.json", "json"), ("a.zip", "json"), ("folder", "json"), ("a.trace.json", "chrome"),
        ("a.perfetto.json.gz", "chrome"), ("a.otlp.jsonl", "otlp"), ("a.otlp.json", "otlp"), ("A.XES", "xes"),
        ("a.xes.gz", "xes"), ("a.csv", "csv"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_tells_its_format(name: str, format: str) -> None:
    assert format_of(Path(name)).name == format


def test_unknown_formats_options_and_names_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="did you mean 'chrome'"):
        format_of(Path("x"), "crome")
    with pytest.raises(ExportError, match="does not tell a format"):
        format_of(Path("x.docx"))
    with pytest.raises(ExportError, match="takes no option 'colour'"):
        write_runs(tmp_path / "x.csv", [], colour="red")


@pytest.mark.parametrize("name", sorted(name for name, known in FORMATS.items() if not known.takes_keys))
def test_every_format_writes_no_run_and_one_run(tmp_path: Path, gallery: list[RunRecord], name: str) -> None:
    suffix = FORMATS[name].suffixes[0]
    written = write_runs(tmp_path / f"one{suffix}", gallery[:1], format=name)
    assert (written.runs, written.format) == (1, name)
    assert written.size > 0
    assert str(written).startswith("1 run written to")
    if name != "json":
        assert write_runs(tmp_path / f"none{suffix}", [], format=name).runs == 0


def test_one_history_is_a_file_that_reads_back(tmp_path: Path, gallery: list[RunRecord]) -> None:
    for number, record in enumerate(gallery):
        path = tmp_path / f"{number}.json"
        write_runs(path, [record])
        assert history_from_json(path.read_text(encoding="utf-8")) == record.events
    for wrong in ([], gallery[:2]):
        with pytest.raises(ExportError):
            write_runs(tmp_path / "x.json", wrong)
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("name", ["all.zip", "all"])
def test_many_histories_are_a_zip_or_a_directory_with_an_index(
    tmp_path: Path, gallery: list[RunRecord], name: str
) -> None:
    assert write_runs(tmp_path / name, gallery).runs == len(gallery)
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            files = {entry: archive.read(entry) for entry in archive.namelist()}
    else:
        root = tmp_path / name
        files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        with pytest.raises(ExportError, match="not empty"):
            write_runs(root, gallery)
        assert write_runs(root, gallery, overwrite=True).runs == len(gallery)
    index = list(csv.DictReader(io.StringIO(files.pop("index.csv").decode(), newline="")))
    assert [row["run_id"] for row in index] == [record.run.run_id for record in gallery]
    assert {row["file"] for row in index} == files.keys()
    for row, record in zip(index, gallery, strict=True):
        assert history_from_json(files[row["file"]]) == record.events


def test_the_same_runs_give_the_same_zip(tmp_path: Path, gallery: list[RunRecord]) -> None:
    for name in ("a.zip", "b.zip"):
        write_runs(tmp_path / name, gallery)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_ids_that_differ_in_what_a_file_name_cannot_hold_get_files_of_their_own(
    tmp_path: Path, gallery: list[RunRecord]
) -> None:
    ids = ["a/b", "a:b", "A/B", "../../etc", "..", "", "con", "x" * 300]
    records = [
        msgspec.structs.replace(gallery[0], run=msgspec.structs.replace(gallery[0].run, workflow_id=each))
        for each in ids
    ]
    write_runs(tmp_path / "out", records)
    assert len(list((tmp_path / "out").glob("*/*.json"))) == len(ids)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


@given(st.text(max_size=200))
def test_a_safe_name_is_one_that_every_file_system_takes(text: str) -> None:
    name = safe_name(text)
    assert 0 < len(name) <= 101
    assert not set(name) & set('/\\:*?"<>|\n\t\x00')
    assert name == name.strip(" .")
