"""Search for the settings of the tracker: `python -m siamkpn_jax.tune`."""
