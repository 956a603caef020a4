"""`make demo`: Slipway on a local AWS, one good release and two bad ones."""
