"""Tick data: reading, writing, converting, generating and describing it.

This room imports core (its codes and guard), market, config and errors. `source.open_ticks` reads files and
`frame.source_from_frame` frames; both yield `batch.TickBatch`, integers only. `write.write_ticks` writes them. Polars,
pandas and pyarrow are imported by the modules that need them, never by this package itself.
"""
