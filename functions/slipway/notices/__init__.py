"""What people are notified of, in each of its forms."""
