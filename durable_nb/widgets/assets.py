"""The ES modules of ``static``, joined into the one module text that anywidget takes.

The files are plain modules: a page that serves them can import them as they are. Joined, they share one scope, so
names at their top level must differ; ``module`` refuses what would clash. No build step, no minifier.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import\s+\{([^}]*)\}\s+from\s+"\./([\w-]+\.js)";\n', re.MULTILINE)
_OTHER_IMPORT = re.compile(r"^import\b.*", re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default\b", re.MULTILINE)
_NAMES = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let|var) (\w+)", re.MULTILINE)


@cache
def module(*names: str) -> str:
    """One module text of the files, each after those that it imports, and once.

    Exports are dropped, but for the ``export default`` of the last file, which anywidget reads.

    Raises
    ------
    ValueError
        Two files declare one name, an import renames or comes from elsewhere, or a file in between has a default.
    FileNotFoundError
        There is no such file.
    """
    order: list[str] = []
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        if name in texts:
            return
        text = texts[name] = (FOLDER / name).read_text(encoding="utf-8")
        for wanted, other in _IMPORT.findall(text):
            if " as " in wanted:
                raise ValueError(f"{name} renames what it imports from {other}; joined files share one scope")
            add(other)
        order.append(name)

    for name in names:
        add(name)
    declared: dict[str, str] = {}
    parts = []
    for name in order:
        text = _IMPORT.sub("", texts[name])
        if left := _OTHER_IMPORT.search(text):
            raise ValueError(f"{name} has an import that cannot be joined: {left.group()}")
        if name != order[-1] and _DEFAULT.search(text):
            raise ValueError(f"{name} has an export default but is not the last file")
        for found in _NAMES.findall(text):
            if found in declared:
                raise ValueError(f"{found} is declared in {declared[found]} and in {name}")
            declared[found] = name
        parts.append(f"// {name}\n{_EXPORT.sub('', text)}")
    return "\n".join(parts)
