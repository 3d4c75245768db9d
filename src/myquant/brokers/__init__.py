"""Brokers: one folder each, behind the ports of `port.py`: how to log in, which instruments there are, and the feed.

They turn wire formats into journal inputs and back. They decide nothing and know no session.
"""
