"""The third player of an autoencoder, one idea in each file."""
