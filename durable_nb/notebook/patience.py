"""How many seconds what is only shown, completed or guessed may wait for the engine.

A cell comes to its end beside a busy engine, too: what does not arrive in time is left out, and can be asked for again.
The values are looked up at each use, so whoever has more time may change them.
"""

DISPLAY = 0.4
"""The picture of a handle or a run."""

TRACE = 0.5
"""Where workflow code stands; it is asked again after the next change."""

COMPLETION = 0.3
"""What may be completed where the cursor is."""

SLIP = 1.0
"""The names of a run's handlers, after one that it does not have; then it is passed on as it stands."""

GUESS = 2.0
"""The IDs of runs that "did you mean" compares."""

DETAILS = 2.0
"""The details of a run that was chosen in a dashboard."""

TIMELINE = 10.0
"""The first picture of a timeline; then the widget is shown empty and fills itself."""
