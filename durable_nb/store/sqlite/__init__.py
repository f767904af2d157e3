"""A store in one SQLite file, for one machine: kernels, workers and command lines open it side by side.

``SqliteStore`` is assembled of parts, one per concern: ``commit`` (the hot path, with its measurements), ``reads``,
``work``, ``processes``, ``records``, ``outputs``; all share one ``database.Database``, which owns the connections. The
schema is ``store.schema``; the statements here are written for SQLite and run by the driver.
"""

from __future__ import annotations

from durable_nb.store.blobs import DEFAULT_BLOB_LIMIT
from durable_nb.store.sqlite.address import parse_url
from durable_nb.store.sqlite.commit import CommitPath
from durable_nb.store.sqlite.database import Database
from durable_nb.store.sqlite.drives import warn_of_network_drive
from durable_nb.store.sqlite.outputs import Outputs
from durable_nb.store.sqlite.processes import ProcessTable
from durable_nb.store.sqlite.reads import RunReads
from durable_nb.store.sqlite.records import Records
from durable_nb.store.sqlite.work import WorkReads


class SqliteStore(CommitPath, RunReads, WorkReads, ProcessTable, Records, Outputs):
    """``protocol.Store`` on an SQLite file.

    Parameters
    ----------
    url
        ``sqlite:///relative.db`` or ``sqlite:////absolute.db``; ``?busy_timeout=…&blob_limit=…`` override the options.
    busy_timeout
        Seconds to wait for another process's write lock before ``StoreLockedError``.
    blob_limit
        Bytes of a payload that stay in its event; larger ones go to the blob table.
    readers
        Largest number of reader connections.
    max_page_count
        Largest size of the file in pages of 4 KiB, 0 for no limit.

    Raises
    ------
    StoreUrlError, StoreReadOnlyError, StoreLockedError, StoreFullError, StoreCorruptedError, StoreVersionError
        The file cannot be opened or made; the message says how to help.

    Warns
    -----
    NetworkDriveWarning
        The file is on a network drive.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout: float = 5.0,
        blob_limit: int = DEFAULT_BLOB_LIMIT,
        readers: int = 8,
        max_page_count: int = 0,
    ) -> None:
        address = parse_url(url)
        self.url = address.url
        self.path = address.path
        database = Database(
            address.path,
            busy_timeout=float(address.options.get("busy_timeout", busy_timeout)),
            readers=readers,
            max_page_count=max_page_count,
        )
        warn_of_network_drive(address.path)
        CommitPath.__init__(self, database, int(address.options.get("blob_limit", blob_limit)))
        ProcessTable.__init__(self, database)

    def limit_pages(self, count: int) -> None:
        """Let the file grow to ``count`` pages of 4 KiB and no further; 0 takes the limit away."""
        with self._database.lock:
            self._database.limit_pages(count)

    def is_gone(self) -> bool:
        return self._database.is_gone

    def close(self) -> None:
        self._database.close()
        ProcessTable.close(self)
