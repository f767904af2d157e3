"""Which stored source may run by itself: what bears this user's signature, made with Jupyter's own trust secret.

Jupyter signs notebooks that a user has run with a secret in the user's data directory, and trusts those that bear the
signature. A definition that is made in a cell is signed with the same secret, over its kind, name, digest and source.
A store that comes from elsewhere has no valid signature, whatever is written in it, so nothing in it runs unasked.
Invariant: ``judge`` says ``SIGNED`` only for a row whose digest is that of its source and whose signature is ours.
"""

from __future__ import annotations

import base64
import contextlib
import enum
import hashlib
import hmac
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from durable_nb.model.records import DefinitionRow
from durable_nb.notebook.sources import digest_of

_SCHEME = "hmac-sha256:"
_PURPOSE = "durable_nb definition 1"
"""Part of what is signed, so that no signature of Jupyter's for another purpose fits."""


class Verdict(enum.Enum):
    """What is known of a stored definition."""

    SIGNED = "signed by you"
    UNSIGNED = "not signed"
    FOREIGN = "signed by somebody else, or the secret has changed"
    TAMPERED = "tampered with: its source is not the one that its digest belongs to"

    @property
    def may_run(self) -> bool:
        """Whether it may run without being asked for."""
        return self is Verdict.SIGNED

    @property
    def may_be_allowed(self) -> bool:
        """Whether the user's word is enough."""
        return self is not Verdict.TAMPERED


class Signer:
    """Signs and judges with one secret, which is read when it is first needed.

    Parameters
    ----------
    read_secret
        Gives the secret; raises or gives b"" where there is none. ``jupyter_secret`` by default.
    """

    def __init__(self, read_secret: Callable[[], bytes] | None = None) -> None:
        self._read = read_secret or jupyter_secret
        self._secret: bytes | None = None
        self.problem = ""
        """Why there is no secret."""

    def sign(self, row: DefinitionRow) -> str:
        """Signature of a row; "" without a secret."""
        secret = self._get()
        return _SCHEME + hmac.new(secret, _message(row), hashlib.sha256).hexdigest() if secret else ""

    def judge(self, row: DefinitionRow) -> Verdict:
        """Whether the source of a row may run."""
        if digest_of(row.source) != row.digest:
            return Verdict.TAMPERED
        if not row.signature:
            return Verdict.UNSIGNED
        expected = self.sign(row)
        if expected and hmac.compare_digest(expected.encode(), row.signature.encode("utf-8", "replace")):
            return Verdict.SIGNED
        return Verdict.FOREIGN

    def _get(self) -> bytes:
        if self._secret is None:
            try:
                self._secret = self._read()
            except Exception as error:  # no Jupyter, no home, no permission: then nothing is signed
                self._secret = b""
                self.problem = f"{type(error).__name__}: {error}"
            if not self._secret:
                self.problem = self.problem or "Jupyter's trust secret is empty"
        return self._secret


def jupyter_secret() -> bytes:
    """The secret that ``jupyter trust`` signs notebooks with; made as Jupyter makes it where there is none yet.

    It is read where ``nbformat.sign`` keeps it unless its configuration says otherwise; to import that module would
    take seconds, because it brings JSON Schema along.
    """
    from jupyter_core.paths import jupyter_data_dir  # noqa: PLC0415 - not needed where nothing is signed or judged

    file = Path(jupyter_data_dir()) / "notebook_secret"
    try:
        return file.read_bytes()
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True)
    # Written whole under another name first: another process must not read, and sign with, the half of it.
    number, name = tempfile.mkstemp(prefix=".notebook_secret", dir=file.parent)  # readable by the user alone
    try:
        with os.fdopen(number, "wb") as opened:
            opened.write(base64.encodebytes(os.urandom(1024)))
        _put_in_place(name, file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    return file.read_bytes()


def _put_in_place(name: str, file: Path) -> None:
    """Give a file its name unless there is one of that name: another process was faster."""
    try:
        os.link(name, file)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not file.exists():
            os.replace(name, file)


def _message(row: DefinitionRow) -> bytes:
    return json.dumps([_PURPOSE, row.kind, row.name, row.digest, row.source]).encode()
