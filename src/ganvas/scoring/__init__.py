"""The parts of ``ganvas score``: subjects, references, measurement, protocol, calibration, cache."""
