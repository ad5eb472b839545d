"""Several hosts and devices: start, agreement, sharding, preemption."""
