"""Strategies: the default one, the shape that a user's own takes, and the engine specialised on either.

May import `core` and `config`; what a strategy file may import is up to its author.
"""
