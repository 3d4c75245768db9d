"""The simulated exchange: how orders fill where there is no real one, and the ways to drive an engine.

At once (`instant`, compiled), or as limits under way (`venue`). May import core and the journal's record only.
"""
