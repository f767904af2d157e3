"""The deterministic workflow runtime: history in, commands out.

Workflow code runs here as ordinary asyncio coroutines on a private loop per run (``loop``). ``host`` keeps the
definitions and the cached instances, ``instance`` is one run, ``replay`` checks recorded histories. Nothing here does
I/O, reads a clock or knows of stores and engines. Invariant: the same history and the same code give the same
commands, in the same order (temporal-semantics section 2).
"""
