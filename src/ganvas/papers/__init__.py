"""Papers as claims: what a paper says, what we measured, and what follows; one file a paper beside the machinery."""
