"""What moves in a notebook: anywidget classes, and the plain ES modules in ``static`` that draw them.

Python holds state, the browser draws it. Layout and packing (``layout``, ``packing``) are pure; only the modules with a
widget class import anywidget, and they are imported when a widget is first shown.
"""
