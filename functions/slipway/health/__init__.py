"""Whether a deployment is healthy: what is observed, and the verdict on it."""
