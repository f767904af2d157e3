"""The run capsule: one file that holds runs whole, for another store to import and replay.

A capsule is a zip::

    manifest.json            format, version, when it was made, its runs, SHA-256 and size of every other entry
    runs/<n>/history.json    Temporal's history JSON; payloads over 64 KiB are references into blobs/
    runs/<n>/run.json        the run's row, attempts, and what is pending
    runs/<n>/output.json     what its attempts printed and logged; only where they did
    definitions.json         sources of the definitions that the runs use, unsigned
    blobs/<sha-256>          payload data, each content once

Capsules are written and read one run at a time: what is in memory is the largest run and, of the others, their lines
in the manifest.

``read_capsule`` trusts nothing: it refuses unknown entries, names with a path of their own, sizes beyond its limit,
digests that do not match, newer versions and histories that are none, before anybody sees a part of it;
``open_capsule`` refuses the same, but what is wrong with a run when that run is read. What neither knows is who made
the capsule. Importing stores data only; definitions in it run when their user says so.
"""

from __future__ import annotations

from durable_nb.analytics.exports.capsule.reading import Capsule, open_capsule, read_capsule
from durable_nb.analytics.exports.capsule.writing import DefinitionLookup, write_capsule

__all__ = ["Capsule", "DefinitionLookup", "open_capsule", "read_capsule", "write_capsule"]
