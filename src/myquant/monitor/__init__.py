"""The room of the watching process: it reads journals and logs of sessions, shows and judges them, and tells people.

It never reaches a session: no memory, no lock, no socket of it. Killed, blocked or overloaded it changes nothing there. Files are
read; what it writes stands in a folder of its own.
"""
