"""Reports for people: one run, or many, as a page that can be mailed, printed and kept."""

from __future__ import annotations

from durable_nb.analytics.exports.report.page import html_report

__all__ = ["html_report"]
