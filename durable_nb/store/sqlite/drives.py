"""Whether a path is on a network drive, where SQLite's log is not safe (https://sqlite.org/wal.html, point 2).

The log is shared through memory, which two machines do not have in common, and many network drives hold locks badly.
Home directories of shared notebook servers are often such drives.
"""

from __future__ import annotations

import os
import re
import warnings

from durable_nb.errors import NetworkDriveWarning

_NETWORK = frozenset("afs beegfs ceph cifs fuse.glusterfs fuse.s3fs fuse.sshfs gpfs lustre nfs nfs4 smb3 smbfs".split())
_MOUNTS = "/proc/self/mounts"


def network_drive(path: str, mounts: str = _MOUNTS) -> str:
    """Kind of network drive that an absolute path is on, such as ``nfs4``; "" for a local one.

    Parameters
    ----------
    mounts
        List of what is mounted, as Linux keeps it; where there is none, every drive is taken for a local one.
    """
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [fields for line in file if len(fields := line.split(" ")) > 2]
    except OSError:
        return ""
    path = os.path.realpath(path)
    kind, longest = "", -1
    for _, place, its_kind, *_ in lines:
        folder = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)
        # The last of several drives that are mounted on one place is the one that is seen.
        if len(folder) >= longest and (path == folder or path.startswith(folder.rstrip("/") + "/")):
            kind, longest = its_kind, len(folder)
    return kind if kind in _NETWORK else ""


def warn_of_network_drive(path: str, mounts: str = _MOUNTS) -> None:
    """Say so when a store is on a network drive: it works, for one machine at a time."""
    kind = network_drive(path, mounts)
    if kind:
        warnings.warn(
            f"the store {path} is on a network drive ({kind}), where SQLite's log and locks cannot be relied on: "
            "use it from one machine only, or put it on a local disk (DURABLE_NB_STORE=sqlite:////local/durable.db)",
            NetworkDriveWarning,
            stacklevel=2,
        )
