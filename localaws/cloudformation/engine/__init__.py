"""Templates, stacks, change sets and the operations on them."""
