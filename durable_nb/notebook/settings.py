"""Settings of the notebook layer: ``%config DurableNB.…``, ``[tool.durable_nb]`` of pyproject.toml, the environment.

Order of precedence, highest first, for each setting by itself:

1. the environment: ``DURABLE_NB_`` and the name in capitals, ``DURABLE_NB_ON_EDIT=pin``;
2. ``%config DurableNB.on_edit = "pin"``, or ``c.DurableNB.on_edit`` in ``ipython_config.py``;
3. ``[tool.durable_nb]`` with ``on-edit = "pin"`` in the nearest pyproject.toml, from the notebook's folder upwards,
   that has such a table; a relative path of a store is relative to that file;
4. the default.

Invariant: a mistake in a file or variable never stops the extension from loading. It is said, with the name that was
probably meant, and the next layer holds.
"""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from traitlets import Bool, Enum, Float, Int, TraitError, Unicode
from traitlets.config import Config, Configurable

from durable_nb.client._defaults import DEFAULT_NAMESPACE, DEFAULT_TASK_QUEUE
from durable_nb.notebook.headers import ON_EDIT
from durable_nb.notebook.text import safe_text
from durable_nb.notebook.words import did_you_mean

PREFIX = "DURABLE_NB_"
FILE = "pyproject.toml"
TABLE = "durable_nb"
_LATER = " Takes effect with %reload_ext durable_nb."


class ProjectTable(NamedTuple):
    """``[tool.durable_nb]``: its file ("" for none), its values by setting, and what is wrong with it."""

    path: str
    values: Mapping[str, Any]
    problems: list[str]


class DurableNB(Configurable):
    """Settings of durable_nb in a notebook; see the module docstring for where they come from."""

    store = Unicode("", help="URL of the store; sqlite:///durable.db beside the notebook when empty." + _LATER).tag(
        config=True
    )
    namespace = Unicode(DEFAULT_NAMESPACE, help="Namespace of `client`." + _LATER).tag(config=True)
    task_queue = Unicode(
        DEFAULT_TASK_QUEUE, help="Task queue of the notebook's worker, and of starts that name none." + _LATER
    ).tag(config=True)
    max_concurrent_activities = Int(
        0, min=0, help="Activities that run at once in this kernel; 0 for as many as there are." + _LATER
    ).tag(config=True)
    max_cached_workflows = Int(1000, min=0, help="Runs kept in memory; others are replayed when needed." + _LATER).tag(
        config=True
    )
    suggest_continue_as_new = Int(
        0, min=0, help="Events of a history from which continue-as-new is suggested; 0 for the store's own." + _LATER
    ).tag(config=True)
    on_edit = Enum(
        list(ON_EDIT),
        ON_EDIT[0],
        help="Default of %%workflow --on-edit: what becomes of open runs when their code was edited.",
    ).tag(config=True)
    strict = Bool(
        False, help="Refuse workflow code that breaks replay in every cell, as %%workflow --strict does."
    ).tag(config=True)
    live = Bool(True, help="Handles, runs and lists keep themselves up to date in their cells.").tag(config=True)
    live_rate = Float(10.0, min=0.1, max=60.0, help="Updates of a live display, at most so many in a second.").tag(
        config=True
    )
    notices = Bool(True, help="Tell by itself of workflow code that raised and of tasks that cannot run.").tag(
        config=True
    )
    max_rows = Int(50, min=1, help="Rows that lists of runs show when --limit is not given.").tag(config=True)
    max_events = Int(500, min=1, help="Events that histories show when --limit is not given.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self._said: dict[str, Any] = {}
        self._arranging = False
        self._environment: dict[str, Any] = {}
        self.project = ProjectTable("", {}, [])
        self.observe(self._note)
        super().__init__(**kwargs)

    @classmethod
    def names(cls) -> list[str]:
        """All settings."""
        return [*cls.class_own_traits(config=True)]

    def update_config(self, config: Config) -> None:
        """What ``%config`` calls; says so where the environment has the last word."""
        super().update_config(config)
        for name in config.get(type(self).__name__, {}):
            if name in self._environment:
                variable = PREFIX + name.upper()
                warnings.warn(
                    f"{variable} is set in the environment and wins over %config DurableNB.{name}", stacklevel=2
                )
        self._arrange()

    def refresh(self, environment: Mapping[str, str], folder: Path) -> list[str]:
        """Read the environment and pyproject.toml again; returns what is wrong with them."""
        self.project = read_project(folder)
        self._environment, problems = self._parse_environment(environment)
        return [*self.project.problems, *problems, *self._arrange()]

    def _note(self, change: Any) -> None:
        """Remember what a person set."""
        if not self._arranging and change.name in self.names():
            self._said[change.name] = change.new

    def _arrange(self) -> list[str]:
        """Put each setting to the value of the highest layer that has a good one."""
        problems = []
        self._arranging = True
        try:
            for name, trait in self.class_own_traits(config=True).items():
                layers = (self._environment, self._said, self.project.values)
                found = next((layer[name] for layer in layers if name in layer), trait.default(self))
                try:
                    setattr(self, name, found)
                except TraitError as error:
                    problems.append(f"{self.project.path}: {option_name(name)}: {_first_line(error)}")
                    setattr(self, name, trait.default(self))
        finally:
            self._arranging = False
        return problems

    def _parse_environment(self, environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
        values, problems = {}, []
        for name, trait in self.class_own_traits(config=True).items():
            text = environment.get(PREFIX + name.upper(), "")
            if not text:
                continue
            try:
                values[name] = trait._validate(self, trait.from_string(text))
            except (TraitError, ValueError) as error:
                problems.append(f"environment variable {PREFIX}{name.upper()}: {_first_line(error)}")
        return values, problems


def option_name(name: str) -> str:
    """How a setting is written in pyproject.toml."""
    return name.replace("_", "-")


def read_project(folder: Path) -> ProjectTable:
    """The nearest ``[tool.durable_nb]``, from ``folder`` upwards; with dashes or underscores in its names."""
    for place in (folder, *folder.parents):
        path = place / FILE
        try:
            if not path.is_file():
                continue
            table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get(TABLE)
        except (OSError, ValueError) as error:
            return ProjectTable(str(path), {}, [f"{path} cannot be read: {_first_line(error)}"])
        except AttributeError:
            table = None
        if table is not None:
            return _read_table(path, table)
    return ProjectTable("", {}, [])


def _read_table(path: Path, table: Any) -> ProjectTable:
    if not isinstance(table, dict):
        return ProjectTable(str(path), {}, [f"{path}: [tool.{TABLE}] is no table"])
    known = DurableNB.names()
    values: dict[str, Any] = {}
    problems = []
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in known:
            values[name] = value
        else:
            guess = did_you_mean(key, [option_name(each) for each in known])
            problems.append(f"{path}: [tool.{TABLE}] has an unknown option {key!r}{guess}")
    if isinstance(values.get("store"), str):
        values["store"] = _beside(path, values["store"])
    return ProjectTable(str(path), values, problems)


def _beside(path: Path, url: str) -> str:
    """A store URL whose relative path is made one beside the file that names it."""
    scheme, separator, rest = url.partition(":///")
    if not separator or not scheme.startswith("sqlite") or rest.startswith(("/", "~", ":")) or not rest:
        return url
    return f"{scheme}:///{path.parent / rest}"


def _first_line(error: BaseException) -> str:
    return safe_text((str(error) or type(error).__name__).splitlines()[0], 300)


def settings_of(shell: Any) -> DurableNB:
    """The settings of a shell; registered with it, so that ``%config DurableNB`` works, also after a reload."""
    for found in shell.configurables:
        if type(found).__name__ == DurableNB.__name__:
            return found  # type: ignore[no-any-return]
    made = DurableNB(parent=shell)
    shell.configurables.append(made)
    return made


def current_layers(settings: DurableNB) -> list[str]:
    """Read environment and pyproject.toml as they are now; returns what is wrong with them."""
    try:
        folder = Path.cwd()
    except OSError:  # the notebook's folder was deleted
        folder = Path("/")
    return settings.refresh(os.environ, folder)
