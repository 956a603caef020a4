"""The local AWS: moto's server, with the gaps closed that Slipway meets.

A developer's tool. It is never deployed.
"""

from functools import cache

import botocore.session

# Each session of botocore has a loader of its own, which reads AWS's endpoints and the services' models.
# moto begins three sessions while it is imported, so that this has to come before moto.
botocore.session.create_loader = cache(botocore.session.create_loader)
