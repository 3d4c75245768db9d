"""The runner of one account: an engine in memory, its day book, and what a run collects.

May import every room below it (results, exchange, ticks, strategies, core, market, config), and does not know which wiring
it serves.
"""
