"""IAM: the permissions that a call needs, and those that a role grants."""
