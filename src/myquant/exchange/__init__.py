"""The simulated exchange: how orders fill where there is no real one. Compiled; may import `core` only."""
