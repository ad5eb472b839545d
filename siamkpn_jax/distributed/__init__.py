"""Several hosts and devices: start, consistency, sharding, preemption."""
