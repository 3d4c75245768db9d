"""The lab: local servers that speak the brokers' real protocols, with faults to order.

A second writing of each protocol, made from its description alone: it imports nothing of `brokers`, so that an error in
one of them shows.
"""
