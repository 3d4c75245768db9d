"""The journal: every input before it is acted on, every command before it is sent, in mapped files of fixed records.

It may use core and the tables below it. It knows no broker, no session and no result; it decides nothing.
"""
