"""See ``durable_nb.api.common.v1``."""
