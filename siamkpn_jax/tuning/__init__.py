"""Search for the hyperparameters of the tracker: `siamkpn_jax.tune`."""
