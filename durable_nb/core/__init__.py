"""The pure engine: state machines and decisions.

(state, request or commands, now) → events, tasks and timers. No I/O, clock, randomness, asyncio or SQL: time, ids and
leases come in by ``transition.Context``. Who calls it: ``engine``. What it may import: ``model``.

How a run moves: ``Transition`` is one unit of work over one ``ExecutionState``. Decisions (``start``, ``requests``,
``workflow_tasks``, ``activities``, ``others``, ``deadlines``, ``closing``, ``reset``) check first (commands:
``refusals``) and then *append* events; ``fold`` is the only code that changes what the history determines, so a state
is always the fold of its history. What the history does not say (attempts, leases, buffered events) lives in
``ActivityState`` and ``transient``; ``loading`` puts both together again. ``describe`` shows a state to people.
"""
