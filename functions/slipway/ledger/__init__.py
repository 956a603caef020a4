"""The ledger: one DynamoDB table, the reads and writes of it, and the values in it."""
