"""The ledger: one DynamoDB table, and the values in it."""
