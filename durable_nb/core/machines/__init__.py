"""One file for each thing of a run that has a life: its transition table as a picture, and what each event does.

Each module exports ``TABLE`` (a ``machine.Table``), ``APPLY`` (event class → function) and a ``state_of`` that names
the current state, which is what the tests compare with the table.
"""
