"""Angel One SmartAPI: what is this broker's alone, from the bytes of its feed to its tokens.

It knows the wire; which packets are ticks is the same for every broker and stands in `brokers.packets`.
"""
