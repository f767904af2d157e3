"""``make demo``: the first notebook, a kernel killed in the middle of it, and what that cost.

Runs in ``.demo`` beside the repository's other folders, so nothing of the user's is touched.
"""
