"""The pages: what a trader watches all day, in a process of its own.

Reads journals, logs, the folder of runs and the monitor's book of alerts; what it does to a session it asks of the session itself, as
`myquant halt` does, and only where that is enabled. Knows everything below; only the command line knows it.
"""
