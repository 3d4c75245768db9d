"""How orders were executed: each order's life from the decision to its end, what it cost against decision, quote and the simulated exchange.

Reads journals and what sessions leave beside them. May not touch a running session.
"""
