"""A store on a network drive opens, and says what that means."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from durable_nb.errors import NetworkDriveWarning
from durable_nb.store.sqlite.drives import network_drive, warn_of_network_drive

MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
server:/homes /home nfs4 rw,vers=4.2 0 0
/dev/vdb1 /home/scratch xfs rw 0 0
//office/all /mnt/all\\040files cifs rw 0 0
/dev/vdc1 /data ext4 rw 0 0
server:/data /data nfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> str:
    (tmp_path / "mounts").write_text(MOUNTS)
    return str(tmp_path / "mounts")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/durable.db", ""),
        ("/home/ann/durable.db", "nfs4"),
        ("/home/scratch/ann/durable.db", ""),
        ("/homework/durable.db", ""),
        ("/mnt/all files/durable.db", "cifs"),
        ("/data/durable.db", "nfs"),
    ],
)
def test_the_innermost_drive_counts_and_of_two_on_one_place_the_last(path: str, kind: str, mounts: str) -> None:
    assert network_drive(path, mounts) == kind


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "local").symlink_to("/home")
    (tmp_path / "mounts").write_text("server:/homes /home nfs4 rw 0 0\n")
    assert network_drive(str(tmp_path / "local" / "durable.db"), str(tmp_path / "mounts")) == "nfs4"


def test_without_a_list_of_drives_nothing_is_said(tmp_path: Path) -> None:
    assert network_drive("/home/ann/durable.db", str(tmp_path / "nothing")) == ""


def test_the_warning_names_the_drive_and_the_remedy(mounts: str) -> None:
    with pytest.warns(NetworkDriveWarning, match=r"network drive \(nfs4\).*one machine only.*DURABLE_NB_STORE"):
        warn_of_network_drive("/home/ann/durable.db", mounts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_network_drive("/srv/durable.db", mounts)
