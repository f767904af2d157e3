"""The simulated shop behind ``durable_nb.testing.simulate_store``; begin at ``simulate`` and ``world``."""
