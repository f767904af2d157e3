"""See ``durable_nb.api.failure.v1``."""
