"""Networks: generators, critics, encoders and decoders, sizes explicit; priors; packing; warm start."""
