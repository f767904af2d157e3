"""Is a process alive? Answered at once on its own machine, by a lock that the operating system drops when it dies.

Each registered process holds an exclusive lock on a small file of its own beside the database. SIGKILL, a crash and a
reboot all free it, so others need not wait for a lease. A process that is merely stopped keeps its lock; for it, as
for processes on other machines, only the age of the heartbeat counts.

The lock belongs to the open file, not to the process: two engines in one process see each other's. A forked child
would keep its parent's locks alive; it closes them first thing.
"""

from __future__ import annotations

import os
import sys
import weakref
from contextlib import suppress

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


class LivenessLocks:
    """Locks of one store: those held here, and a look at those of others."""

    def __init__(self, database_path: str) -> None:
        folder, name = os.path.split(database_path)
        self.folder = os.path.join(folder, f".{name}-locks")
        self._held: dict[int, int] = {}
        _all_locks.add(self)

    def path(self, process_key: int) -> str:
        return os.path.join(self.folder, f"{process_key}.lock")

    def take(self, process_key: int) -> None:
        """Hold the lock of a new key until ``release`` or the end of the process.

        Raises
        ------
        OSError
            The file cannot be made.
        """
        for attempt in range(10):
            os.makedirs(self.folder, exist_ok=True)
            try:
                descriptor = os.open(self.path(process_key), os.O_RDWR | os.O_CREAT, 0o644)
                break
            except FileNotFoundError:
                # The last process to leave has removed the directory in between.
                if attempt == 9:
                    raise
        if not _try_lock(descriptor):
            os.close(descriptor)
            raise BlockingIOError(f"{self.path(process_key)} is locked although its key is new")
        self._held[process_key] = descriptor

    def release(self, process_key: int) -> None:
        """Give the lock up and remove its file; nothing happens when it is not held here."""
        descriptor = self._held.pop(process_key, None)
        if descriptor is not None:
            os.close(descriptor)
        self.remove(process_key)

    def release_all(self) -> None:
        """Give all locks up but leave their files: the processes look as if they had died, which they may have.

        In a forked child this only closes its copies; the locks stay with the parent.
        """
        while self._held:
            os.close(self._held.popitem()[1])

    def is_free(self, process_key: int) -> bool:
        """True when the process has certainly gone. A missing file proves nothing: somebody may have tidied up."""
        try:
            descriptor = os.open(self.path(process_key), os.O_RDWR)
        except OSError:
            return False
        try:
            return _try_lock(descriptor, shared=True)  # shared, so that two who look do not see each other
        finally:
            os.close(descriptor)

    def remove(self, process_key: int) -> None:
        """Remove the file of a process that has gone, and the directory with the last one."""
        with suppress(OSError):
            os.unlink(self.path(process_key))
        with suppress(OSError):
            os.rmdir(self.folder)


def _try_lock(descriptor: int, *, shared: bool = False) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_all_locks: weakref.WeakSet[LivenessLocks] = weakref.WeakSet()


def _forget_all() -> None:
    for locks in list(_all_locks):
        locks.release_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
