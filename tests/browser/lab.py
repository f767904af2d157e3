"""A real JupyterLab server of the test's own: private configuration, data, settings and root folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import psutil

from tests.notebook.kernel import LIMIT, PATIENT

ROOT = Path(__file__).resolve().parents[2]
_READY = re.compile(r"(https?://127\.0\.0\.1:\d+)/")
_START_SECONDS = 180

# No news pop-up, no check for updates: a test must not depend on the world outside, nor on what it says today.
_SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # A notebook is saved when the test saves it.
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


class Lab:
    """One server process; ``url`` and ``token`` to reach it, ``root`` is the folder of its notebooks.

    ``home`` holds everything Jupyter would keep in the user's home, the notary of trusted notebooks included.
    """

    def __init__(self, root: Path, home: Path, **environment: str) -> None:
        self.root = root
        self.home = home
        self.token = secrets.token_hex(16)
        self.log: list[str] = []
        self._write_settings()
        self.process = subprocess.Popen(
            self._command(),
            cwd=root,
            env=self._environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.url = ""
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if not self._ready.wait(_START_SECONDS) or not self.url:
            self.stop()
            raise RuntimeError("JupyterLab did not start:\n" + "".join(self.log[-40:]))

    def kernels(self) -> list[psutil.Process]:
        """Processes of the kernels that run now."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "ipykernel_launcher" in " ".join(_command_line(child))]

    def address(self, notebook: str, application: str = "lab") -> str:
        """Where the browser finds a notebook: in ``lab`` (in a fresh workspace), or in Notebook 7 (``notebook``)."""
        if application == "notebook":
            return f"{self.url}/notebooks/{notebook}?token={self.token}"
        return f"{self.url}/lab/tree/{notebook}?reset&token={self.token}"

    def end_kernels(self) -> None:
        """Shut all kernels down; killed ones would be started again."""
        for kernel in json.loads(self._ask("GET", "api/kernels")):
            self._ask("DELETE", f"api/kernels/{kernel['id']}")

    def forget_theme(self) -> None:
        """The next page is light again: Lab keeps the theme that was chosen in one for all."""
        chosen = self.home / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
        chosen.unlink(missing_ok=True)

    def _ask(self, verb: str, path: str) -> bytes:
        request = urllib.request.Request(f"{self.url}/{path}?token={self.token}", method=verb)
        with urllib.request.urlopen(request, timeout=LIMIT) as reply:
            return bytes(reply.read())

    def stop(self) -> None:
        """Ask it to shut down, with its kernels; kill what does not."""
        with_kernels = [self.process.pid, *(kernel.pid for kernel in self.kernels())] if self.is_alive else []
        if self.is_alive:
            with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
                self._ask("POST", "api/shutdown")
                self.process.wait(15)
        for pid in with_kernels:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def _command(self) -> list[str]:
        options = {
            "ip": "127.0.0.1",
            "port": "0",
            "IdentityProvider.token": self.token,
            "ServerApp.root_dir": str(self.root),
            "LabApp.expose_app_in_browser": "True",
            "JupyterNotebookApp.expose_app_in_browser": "True",
            "LabApp.extension_manager": "readonly",
            # A dead kernel is started again three seconds later by default; tests kill it on purpose.
            "KernelRestarter.time_to_dead": "0.5",
        }
        flags = ["--no-browser", "--allow-root", *(f"--{name}={value}" for name, value in options.items())]
        return [sys.executable, "-m", "jupyterlab", *flags]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        dropped = ("DURABLE_NB", "JUPYTER", "JPY_", "PYTEST", "IPYTHON")
        env = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        env |= {name: str(self.home / folder) for name, folder in folders.items()}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))
        env["JUPYTER_PLATFORM_DIRS"] = "1"
        return env | more

    def _write_settings(self) -> None:
        for name, values in _SETTINGS.items():
            path = self.home / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        startup = self.home / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "patience.py").write_text(PATIENT)

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            found = _READY.search(line)
            if found and not self.url:
                self.url = found.group(1)
                self._ready.set()
        self._ready.set()


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
