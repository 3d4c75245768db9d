"""What a session's time goes into: spans, histograms, collections and resources; injected, and nothing unless asked for."""
