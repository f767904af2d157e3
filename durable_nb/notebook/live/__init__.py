"""Displays that keep themselves up to date: a run, a list of runs.

``state`` says what is shown (pure), ``forms`` turns handlers into forms, ``estimates`` learns how long things take,
``actions`` does what a click asks for, ``board`` watches runs on a thread of its own and pushes what changed. Drawing
is JavaScript's (``widgets``). Invariants: no display waits for the main thread or makes the engine wait; whatever a
click does can also be typed; a display without its widget is readable HTML.
"""
