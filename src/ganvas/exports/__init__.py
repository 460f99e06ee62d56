"""Results that travel: a model as a folder with a model card, as graphs, on a hub, behind a server."""
