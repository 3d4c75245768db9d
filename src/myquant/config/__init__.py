"""The room of settings: one file of defaults, strict models, layered loading, a hash of what is in effect.

`loading.load_config` is the way in. May import `myquant.errors` and pydantic only; reads no clock, and the environment
only when the caller passes it. Importing the package itself loads nothing.
"""
