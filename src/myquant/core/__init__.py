"""The compiled, pure decision core: a deterministic function of the order of events.

This room imports NumPy and Numba only. Nothing in it reads a clock, a file, a socket or a random number, and nothing
logs: time arrives inside events, effects leave as commands. Every function also runs un-jitted (`NUMBA_DISABLE_JIT=1`).
"""
