"""``%workflow stats``: what all runs do now, refreshed from a thread beside the cells.

``picture`` asks the store (a value, no widgets), ``cards`` draws counters, ``board`` holds the widgets and the thread.
"""
