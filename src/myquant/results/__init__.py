"""What a run leaves behind: trades, equity curve, summary, report, workbook.

This room reads a run's record (`record.RunRecord`), made by a backtest now and from a journal later; it never touches an
engine. Heavy libraries are imported by the module that needs them, when it is needed.
"""
