"""The resource types of CloudFormation.

Importing this package imports every module in its folder, and with that registers the resource types
that they define. To add a type, add a module here.
"""

from importlib import import_module
from pkgutil import iter_modules

MODULES = tuple(import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
