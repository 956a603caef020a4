"""SNS: topics, subscriptions and delivery."""
