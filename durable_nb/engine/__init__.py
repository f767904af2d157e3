"""The engine: load → decide → append, in one transaction; the only writer of histories.

``open_engine`` is the way in. Decisions are ``core``'s, rows are ``store``'s; what lives here is order: which run is
stepped when, what commits together, and what may leave once it is durable.
"""

from durable_nb.engine.hosting import EngineHandle, open_engine

__all__ = ["EngineHandle", "open_engine"]
