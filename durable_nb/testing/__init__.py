"""Testing workflows and activities: an environment that skips time, and one for a single activity.

Names are those of the Temporal Python SDK's ``testing`` (temporal-semantics 1.4).
"""

from durable_nb.testing._activity import ActivityEnvironment
from durable_nb.testing._workflow import WorkflowEnvironment

__all__ = ["ActivityEnvironment", "WorkflowEnvironment"]
