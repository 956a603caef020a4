"""What the tests of the local AWS share, by service."""
