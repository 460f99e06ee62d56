"""Papers: their claims, our measurements and the judgements that follow; each paper's program is one file."""
