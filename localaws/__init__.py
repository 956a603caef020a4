"""The local AWS: moto's server, with the gaps closed that Slipway meets.

A developer's tool. It is never deployed.
"""
