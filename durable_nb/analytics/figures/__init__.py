"""Plotly figures of the statistics: from a frame and a title to a figure; nothing here asks a store.

Plotly is imported when a figure is drawn. Figures carry no template of a theme: backgrounds are transparent and all
colours have enough contrast on white and on near black, so one figure is readable in both. They need no network: a
notebook draws them with the plotly that it has, ``page`` puts plotly.js into the file.
"""
