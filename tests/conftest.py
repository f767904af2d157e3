"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# What CI says about a change must not hang on chance; new examples are searched for on people's machines.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
