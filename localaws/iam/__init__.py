"""IAM: what a call needs, and what a role allows."""
