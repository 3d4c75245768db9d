"""A local Angel One: the REST service, the instrument master and the binary feed of SmartAPI, on loopback.

Written from the protocol's description; `brokers` has a writing of its own, and they meet on the wire only.
"""
