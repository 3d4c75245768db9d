"""From measurements to decisions: the baseline, the gate, the proof before and after, and what has become slower."""
