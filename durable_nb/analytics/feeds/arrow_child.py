"""A process that reads an SQLite file by ADBC and writes Arrow streams to its output; ``arrow_process`` starts it.

It is run by its path and imports nothing of the package: it has to be there quickly. A request is a line of JSON with
``sql``; the answer is a byte 1 and a stream in Arrow's IPC format, or a byte 0, four bytes of length and a message. It
ends with its input.
"""

import contextlib
import json
import sys
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_sqlite
import pyarrow as pa
import pyarrow.ipc


def answer(connection: Any, request: dict[str, Any], output: Any) -> None:
    """Write what one request asks for; rows go out batch by batch as they are read."""
    with contextlib.ExitStack() as open_until_done:
        try:
            statement = open_until_done.enter_context(adbc.AdbcStatement(connection))
            statement.set_options(**{"adbc.sqlite.query.batch_rows": str(request["batch_rows"])})
            statement.set_sql_query(request["sql"])
            handle, _ = statement.execute_query()
            rows = open_until_done.enter_context(pa.RecordBatchReader._import_from_c(handle.address))
        except (adbc.Error, pa.ArrowException) as error:
            message = str(error).encode()
            output.write(b"\0" + len(message).to_bytes(4, "big") + message)
            return
        output.write(b"\1")
        with pyarrow.ipc.new_stream(output, rows.schema) as stream:
            for batch in rows:
                stream.write_batch(batch)


def main() -> None:
    output = sys.stdout.buffer
    with adbc_driver_sqlite.connect(sys.argv[1]) as database, adbc.AdbcConnection(database) as connection:
        for line in sys.stdin:
            answer(connection, json.loads(line), output)
            output.flush()


if __name__ == "__main__":
    main()
